"""What the sampler remembers: rates, latency, objects; across restarts and outages."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from dashboard.history.newest import Message, Newest, Sampled
from dashboard.history.series import NAMES_MOST, OTHER, SAMPLES, Series
from dashboard.history.track import Account, Track
from mirante import Counts, Status
from tests.support.api_server import Bench

HISTORY = "/api/v1/cameras/gate/history"


def counts(decoded: int, rate: int = 0, failed: int = 0) -> Counts:
    return Counts(decoded, decoded - rate - failed, {"rate": rate} if rate else {}, failed)


def newest(number: int, at: float, told: Counts, epoch: int = 1) -> Newest:
    message = Message(epoch, at - 0.25, (1280, 720), [], {"infer": 2.0}, told)
    return Newest(Sampled(b"%d-0" % number, at, message))


def recorded(*samples: tuple[float, Newest, Account | None]) -> Track:
    track = Track()
    for at, said, told in samples:
        track.note(said, told)
        track.record(at, True)
    return track


def test_rates_are_differences_of_counts() -> None:
    samples = [(t, newest(t, float(t), counts(25 * t, 15 * t)), None) for t in range(1, 9)]
    track = recorded(*samples)
    assert track.rate() == {"decoded": 25, "published": 10, "dropped": 15, "failed": 0}
    assert track.latency_ms() == {"p50": 250, "p95": 250}
    table = track.history(SAMPLES)
    assert table["t"] == list(range(1, 9))
    assert math.isnan(table["decoded"][0])
    assert table["decoded"][1:] == [25] * 7
    assert table["dropped"]["rate"][1:] == [15] * 7
    assert table["stages"] == {"infer": [2.0] * 8}


def test_no_frame_is_missed_between_samples() -> None:
    steps = [0, 7, 7, 31, 90, 200]
    samples = [(t, newest(t, t * 2.5, counts(n)), None) for t, n in enumerate(steps)]
    rates = recorded(*samples).history(SAMPLES)["decoded"]
    assert sum(rate * 2.5 for rate in rates[1:]) == pytest.approx(200)


def test_a_camera_that_starts_anew_is_counted_anew() -> None:
    samples = [
        (1.0, newest(1, 1.0, counts(1000)), None),
        (2.0, newest(2, 2.0, counts(1010)), None),
        (3.0, newest(3, 3.0, counts(2000), epoch=2), None),
        (4.0, newest(4, 4.0, counts(2005), epoch=2), None),
    ]
    track = recorded(*samples)
    rates = track.history(SAMPLES)["decoded"]
    assert rates[1] == 10
    assert math.isnan(rates[2])
    assert rates[3] == 5
    assert track.rate() == {"decoded": 5, "published": 5, "dropped": 0, "failed": 0}


def test_frames_that_the_outbox_lost_make_no_negative_rate() -> None:
    before, after = Counts(10, 10, {}, 0), Counts(12, 4, {"outbox": 8}, 0)
    rate = recorded((1.0, newest(1, 1, before), None), (2.0, newest(2, 2, after), None)).rate()
    assert rate == {"decoded": 2, "published": 0, "dropped": 8, "failed": 0}


def test_a_camera_all_of_whose_frames_fail_is_told_of_by_its_worker() -> None:
    last = newest(1, 1.0, counts(10, failed=9))
    samples = [(float(t), last, Account(t, counts(10 * t, failed=9 * t))) for t in range(1, 5)]
    track = recorded(*samples)
    assert track.rate() == {"decoded": 10, "published": 1, "dropped": 0, "failed": 9}
    assert [math.isnan(ms) for ms in track.history(9)["latency_ms"]] == [False, True, True, True]


def test_nothing_new_is_no_rate() -> None:
    still = newest(1, 1.0, counts(10))
    track = recorded(*((float(t), still, None) for t in range(10)))
    assert track.rate() is None


def test_a_publisher_that_does_not_say_when_it_sent_has_no_latency() -> None:
    said = newest(1, 1.0, counts(10))
    assert said.sampled is not None
    silent = said._replace(sampled=said.sampled._replace(sent=None))
    track = recorded((1.0, silent, None))
    assert track.latency_ms() is None
    assert track.account == Account(0.75, counts(10), 1)


def test_a_second_without_redis_is_a_hole() -> None:
    track = recorded((1.0, newest(1, 1, counts(1)), None), (2.0, newest(2, 2, counts(2)), None))
    track.record(3.0, False)
    table = track.history(2)
    assert table["t"] == [2, 3]
    assert table["decoded"][0] == 1
    assert math.isnan(table["decoded"][1])


def test_memory_does_not_grow() -> None:
    series = Series()
    for number in range(SAMPLES * 2 + 3):
        series.begin(float(number))
        series.put("decoded", number)
        series.put_group("objects", {f"label{number % 300}": 1, f"also{number % 7}": 2})
    table = series.table(SAMPLES * 5)
    assert table["t"] == list(range(SAMPLES + 3, SAMPLES * 2 + 3))
    assert table["decoded"] == table["t"]
    assert len(table["objects"]) == NAMES_MOST + 1
    assert all(len(column) == SAMPLES for column in table["objects"].values())
    columns = np.array(list(table["objects"].values()))
    assert np.nansum(columns, axis=0).tolist() == [3] * SAMPLES, "what has no column is in the rest"
    assert OTHER in table["objects"]


def test_a_camera_takes_nothing_over_from_another_of_its_name() -> None:
    old = newest(1, 10.0, counts(1000))._replace(status=said(10.0, "running"))
    for fresh in (old.since(11.0), Track(11.0, old).own(old)):
        assert fresh == Newest()
    assert old.since(9.0) == old
    track = Track(11.0, old)
    track.note(old, Account(10.5, counts(1010)))
    assert (track.account, track.sampled) == (None, None)
    own = newest(2, 10.9, counts(3), epoch=2)._replace(status=said(10.9, "connecting"))
    assert track.own(own) == own, "its worker's clock is behind"
    track.note(own, Account(11.5, counts(4)))
    assert track.sampled == own.sampled
    assert track.account == Account(11.5, counts(4))


def said(ts: float, state: Any) -> Status:
    return Status(camera="gate", state=state, reason="", ts=ts, since=ts)


def test_a_camera_that_is_added_again_begins_anew(bench: Bench) -> None:
    def add() -> Any:
        keys = {"name": "gate", "url": "test://"}
        return bench.http.post("/api/v1/cameras", json=keys).raise_for_status().json()

    bench.worker()
    add()
    bench.status()
    bench.frame()
    bench.until(lambda: bench.camera()["counts"] and bench.camera()["state"] == "running")
    bench.worker(gate=Counts(1, 1, {}, 0))
    bench.http.patch("/api/v1/cameras/gate", json={"fps": 5}).raise_for_status()
    bench.http.post("/api/v1/cameras/gate/pause").raise_for_status()
    assert (bench.camera()["state"], bench.camera()["size"]) == ("running", [1280, 720])
    removed = time.time()
    bench.http.delete("/api/v1/cameras/gate").raise_for_status()
    unknown = {"state": "not started", "counts": None, "size": None, "rate": None}
    answer = add()
    assert {key: answer[key] for key in unknown} == unknown

    def is_sampled_anew() -> bool:
        times = bench.http.get(HISTORY).json().get("t", ())  # 404 until the sampler has seen it
        return len(times) >= 2 and times[0] > removed

    bench.until(is_sampled_anew)
    answer = bench.camera()
    assert {key: answer[key] for key in unknown} == unknown
    bench.status("connecting", "first attempt")
    bench.until(lambda: bench.camera()["state"] == "connecting")
    bench.frame()
    bench.until(lambda: bench.camera()["counts"])


def test_served_with_holes_as_null(bench: Bench) -> None:
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.until(bench.services.sampler.cameras)

    def columns() -> Any:
        bench.frame()
        found = bench.http.get(HISTORY, params={"seconds": 3}).json()
        return found if None not in found["decoded"] and len(found["t"]) == 3 else None

    found = bench.until(columns)
    assert found["objects"] == {"person": [1] * 3, "car": [1] * 3}
    assert found["stages"]["infer"] == [20.5] * 3
    assert all(rate > 0 for rate in found["dropped"]["rate"])
    whole = bench.http.get(HISTORY).json()
    assert None in whole["decoded"]
    assert {len(whole[name]) for name in ("decoded", "published", "failed", "latency_ms")} == {
        len(whole["t"])
    }

    def rated() -> Any:  # a rate is of the last seconds alone
        bench.frame()
        found = bench.camera()
        return found if found["rate"] and found["latency_ms"] else None

    camera = bench.until(rated)
    assert camera["size"] == [1280, 720]
    assert camera["rate"]["decoded"] > 0
    assert camera["latency_ms"]["p50"] > 0


@pytest.mark.own_redis
def test_redis_goes_and_comes(bench: Bench) -> None:
    sampler = bench.services.sampler
    bench.worker()
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.status()
    bench.until(lambda: [c["state"] for c in sampler.cameras()] == ["running"])
    kept = bench.redis.hgetall("mirante:cameras")
    assert bench.server.pid is not None
    os.kill(bench.server.pid, signal.SIGSTOP)
    try:
        bench.until(lambda: not sampler.connected)
        bench.until(lambda: sampler.cameras()[0]["state"] == "unknown")
    finally:
        words, camera = sampler.words, sampler.cameras()[0]
        os.kill(bench.server.pid, signal.SIGCONT)
    assert words == f"Redis {bench.server.url}: does not answer"
    assert (camera["reason"], camera["rate"]) == (words, None)
    bench.until(lambda: sampler.cameras()[0]["state"] == "running")
    os.kill(bench.server.pid, signal.SIGKILL)  # it comes back without its data
    bench.until(lambda: sampler.cameras() == [])
    for name, entry in kept.items():
        bench.redis.hset("mirante:cameras", name, entry)
    bench.until(sampler.cameras)
    times = bench.http.get(HISTORY).json()["t"]
    assert times[0] < time.time() - 1, "what was known before is remembered"


def test_entries_that_cannot_be_read_disturb_no_other(bench: Bench) -> None:
    bench.worker()
    bench.redis.hset("mirante:cameras", "bad", "{")
    bench.redis.hset("mirante:cameras", "odd", json.dumps({"name": "odd", "spec": {}}))
    for name in ("gate", "yard", "roof"):
        entry = {"name": name, "spec": {"url": "test://"}, "origin": "api", "worker": "main"}
        bench.redis.hset("mirante:cameras", name, json.dumps(entry))
    bench.redis.xadd("mirante:{yard}:detections", {"json": "[]"})
    bench.redis.set("mirante:{roof}:detections", "no stream")
    bench.status()
    bench.until(lambda: len(bench.services.sampler.cameras()) == 3)
    bench.until(lambda: bench.services.sampler.cameras()[0]["state"] == "running")
    found = {c["name"]: (c["state"], c["reason"]) for c in bench.services.sampler.cameras()}
    assert found["gate"] == ("running", "frames arrive")
    assert found["yard"][1].startswith("its newest entry is no message of format 1: ")
    assert found["roof"][1].startswith("its results cannot be read: WRONGTYPE")


def test_a_change_is_told_at_once_and_numbers_are_none(bench: Bench) -> None:
    sampler = bench.services.sampler
    bench.worker()
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.until(sampler.cameras)
    bench.frame()
    bench.until(lambda: sampler.cameras()[0]["size"])
    assert sampler._loop is not None
    told = asyncio.run_coroutine_threadsafe(sampler.change(), sampler._loop)
    for _ in range(3):
        bench.frame()
        time.sleep(0.7)
    assert not told.done()
    bench.http.post("/api/v1/cameras/gate/pause")
    told.result(timeout=60)
    assert sampler.cameras()[0]["paused"] is True
