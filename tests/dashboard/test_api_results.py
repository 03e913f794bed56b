"""Results over HTTP: the newest, an image, and all as they come, each loss told."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from mirante.wire import bits
from mirante.wire.events import encode_event
from tests.support.api_server import MASK, Bench, curl
from tests.support.redis_entries import entries
from tests.support.wire_frames import some_event

RESULTS = "/api/v1/results/gate"
STREAM = f"{RESULTS}/stream"


class Event(NamedTuple):
    kind: str
    identity: str
    data: Any


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events, without comments."""
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "data" in fields:
            yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


@contextmanager
def following(bench: Bench, behind: str | None = None, **query: str) -> Iterator[Iterator[Event]]:
    headers = {} if behind is None else {"Last-Event-ID": behind}
    with bench.http.stream("GET", STREAM, params=query, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parse(response.iter_lines())


def connections(bench: Bench) -> int:
    """Readers that wait in XREAD."""
    return sum(each["cmd"] == "xread" for each in bench.redis.client_list())


def published(bench: Bench, frames: int, **changes: Any) -> None:
    for _ in range(frames):
        bench.frame(**changes)
    total = sum(bench.numbers.values())
    bench.until(lambda: sum(bench.outbox.state.sent.values()) == total)


def test_latest(bench: Bench) -> None:
    assert bench.http.get(f"{RESULTS}/latest").status_code == 404
    published(bench, 3, masks=(MASK,))
    found = bench.http.get(f"{RESULTS}/latest").json()
    assert (found["seq"], found["masks"], [o["label"] for o in found["objects"]]) == (
        4,
        1,
        ["person", "car"],
    )
    entry_id, fields = entries(bench.redis, "mirante:{gate}:detections")[-1]
    assert (found.pop("id"), found.pop("sent")) == (entry_id.decode(), float(fields[b"sent"]))
    assert found == json.loads(fields[b"json"])


def test_latest_with_masks(bench: Bench) -> None:
    published(bench, 1, masks=(MASK,))
    found = bench.http.get(f"{RESULTS}/latest", params={"masks": True}).json()
    [part] = found["masks_described"]
    assert (part["labels"], part["size"], part["encoding"]) == (["lane"], [32, 24], "bits")
    planes = bits.decode(base64.b64decode(part["data"]), (1, 24, 32))
    assert (planes == MASK.bits).all()
    bench.redis.delete("mirante:{gate}:masks")
    assert bench.http.get(f"{RESULTS}/latest?masks=true").json()["masks_described"] is None
    published(bench, 1)
    assert bench.http.get(f"{RESULTS}/latest?masks=true").json()["masks_described"] == []


def test_latest_in_words(bench: Bench) -> None:
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    answer = bench.http.get("/api/v1/results/gat/latest")
    assert answer.json()["detail"] == 'no camera "gat"; did you mean "gate"?'
    answer = bench.http.get(f"{RESULTS}/latest")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        'camera "gate" has no results that are still kept',
    )
    bench.redis.xadd("mirante:{gate}:detections", {"json": "[]"})
    answer = bench.http.get(f"{RESULTS}/latest")
    assert answer.status_code == 502
    assert "is no message of format 1" in answer.json()["detail"]


@pytest.mark.own_redis
def test_what_comes_is_streamed_as_on_the_wire(bench: Bench) -> None:
    published(bench, 2)
    with following(bench) as events:
        bench.until(lambda: connections(bench))
        published(bench, 2)
        found = [next(events), next(events)]
    wire = entries(bench.redis, "mirante:{gate}:detections")[2:]
    assert [(e.kind, e.identity) for e in found] == [
        ("detections", entry_id.decode()) for entry_id, _ in wire
    ]
    assert [e.data for e in found] == [json.loads(fields[b"json"]) for _, fields in wire]


def test_resumed_exactly(bench: Bench) -> None:
    published(bench, 40)
    with following(bench, "0") as events:
        first = [next(events) for _ in range(17)]
    with following(bench, first[-1].identity) as events:
        rest = [next(events) for _ in range(23)]
    assert [e.data["seq"] for e in first + rest] == list(range(0, 80, 2))


def test_kinds_are_resumed_each_where_it_was(bench: Bench) -> None:
    kinds = "masks,detections,status"
    bench.status("connecting", "first attempt")
    published(bench, 3, masks=(MASK,))
    bench.status()
    bench.until(lambda: bench.redis.xlen("mirante:{gate}:status") == 2)
    seen: list[Event] = []
    behind = "0"
    for _ in range(8):  # one event a connection
        with following(bench, behind, kinds=kinds) as events:
            seen.append(next(events))
            behind = seen[-1].identity
    assert sorted(e.kind for e in seen) == ["detections"] * 3 + ["masks"] * 3 + ["status"] * 2
    for kind in ("detections", "masks"):
        assert [e.data["seq"] for e in seen if e.kind == kind] == [0, 2, 4]
    [part] = next(e for e in seen if e.kind == "masks").data["masks"]
    assert (bits.decode(base64.b64decode(part["data"]), (1, 24, 32)) == MASK.bits).all()


def test_events_are_filtered(bench: Bench) -> None:
    happened = [some_event(id=f"e{n}", label=("person", "car")[n % 2], seq=n) for n in range(6)]
    bench.outbox.events("gate", 1_763_899_667_123, happened)
    bench.until(lambda: bench.redis.xlen("mirante:{gate}:events") == 6)
    where = "label = person and (seq > 1 or line != gate)"
    with following(bench, "0", kinds="events", where=where) as events:
        found = [next(events), next(events)]
    assert [(e.kind, e.data["id"]) for e in found] == [("events", "e2"), ("events", "e4")]
    assert found[0].data == json.loads(encode_event(happened[2]))
    with following(bench, found[0].identity, kinds="events") as events:
        assert next(events).data["id"] == "e3"


@pytest.mark.parametrize(
    ("kinds", "where", "words"),
    [
        ("events", "lable = a", "where: position 1: expected a field of events"),
        ("events", "", "where: position 1: expected a field of events"),
        ("detections", "label = a", "where: expected with events among kinds"),
        ("images", None, 'kinds: "images"'),
    ],
)
def test_a_filter_that_is_none_is_refused(
    bench: Bench, kinds: str, where: str | None, words: str
) -> None:
    published(bench, 1)
    params = {"kinds": kinds} | ({} if where is None else {"where": where})
    answer = bench.http.get(f"{RESULTS}/stream", params=params)
    assert answer.status_code == 422
    assert words in answer.text.replace('\\"', '"')


def test_a_gap_is_told(bench: Bench) -> None:
    stream = "mirante:{gate}:detections"
    published(bench, 10)
    ids = [entry_id.decode() for entry_id, _ in entries(bench.redis, stream)]
    bench.redis.xdel(stream, *ids[3:6])
    with following(bench, ids[1]) as events:
        found = [next(events) for _ in range(3)]
    assert [e.kind for e in found] == ["detections", "gap", "detections"]
    reason = "trimmed before it was read, or never sent"
    gap = {"camera": "gate", "frames": 3, "before": ids[6], "reason": reason, "kind": "detections"}
    assert found[1].data == gap
    assert found[1].identity == "", "one goes on behind an entry, never behind a gap"


def test_a_gap_that_cannot_be_counted_is_told(bench: Bench) -> None:
    published(bench, 6, masks=(MASK,))
    for kind in ("detections", "masks"):
        stream = f"mirante:{{gate}}:{kind}"
        ids = [entry_id.decode() for entry_id, _ in entries(bench.redis, stream)]
        bench.redis.xtrim(stream, minid=ids[3], approximate=False)
        with following(bench, ids[1], kinds=kind) as events:
            found = [next(events), next(events)]
        assert [e.kind for e in found] == ["gap", kind]
        assert (found[0].data["frames"], found[0].data["before"]) == (None, ids[3])
        with following(bench, "0", kinds=kind) as events:
            assert next(events).kind == kind, "from the start, nothing is missing"


@pytest.mark.own_redis
def test_it_survives_a_redis_that_restarts(bench: Bench) -> None:
    published(bench, 1)
    with following(bench, "0") as events:
        assert next(events).data["seq"] == 0
        assert bench.server.pid is not None
        os.kill(bench.server.pid, signal.SIGKILL)
        time.sleep(0.5)
        bench.frame()
        seen = next(events)
    assert (seen.kind, seen.data["seq"]) == ("detections", 2)


@pytest.mark.own_redis
def test_a_reader_that_leaves_ends_its_task(bench: Bench) -> None:
    published(bench, 1)
    with following(bench, "0") as events:
        next(events)
        bench.until(lambda: connections(bench) == 1)
    bench.until(lambda: connections(bench) == 0)


def test_a_reader_that_may_no_longer_look_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.api.results.VALID_EVERY_S", 0.1)
    may = [True]
    monkeypatch.setattr(bench.services.access, "still_valid", lambda who: may[0])
    published(bench, 1)
    with following(bench, "0") as events:
        next(events)
        may.clear()
        may.append(False)
        assert list(events) == []


@pytest.mark.own_redis
def test_a_reader_that_stalls_costs_no_memory(bench: Bench) -> None:
    """What it does not take stays in Redis: the server reads no further than its buffers."""
    base = bench.http.base_url
    big = {"timings": {f"stage{n}": 1.0 for n in range(2000)}}
    published(bench, 400, **big)
    size = len(bench.http.get(f"{RESULTS}/latest").content) * 400
    with socket.create_connection((base.host, base.port)) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(
            f"GET {STREAM} HTTP/1.1\r\nHost: {base.host}\r\nLast-Event-ID: 0\r\n\r\n".encode()
        )
        sent = [0]

        def stands_still() -> bool:
            time.sleep(1.0)
            sent.append(int(bench.redis.info("stats")["total_net_output_bytes"]))
            return size / 20 < sent[-1] and sent[-1] - sent[-2] < size / 20

        bench.until(stands_still)
        assert sent[-1] < size * 0.9, "it did not read all"


@pytest.mark.parametrize(
    ("query", "behind", "line"),
    [
        ("kinds=detection", None, 'kinds: "detection" — did you mean "detections"?'),
        ("", "x", 'Last-Event-ID: "x" — expected <ID of detections>'),
        ("kinds=masks,status", "1-0", "expected <ID of masks>,<ID of status>"),
    ],
)
def test_a_wrong_question(bench: Bench, query: str, behind: str | None, line: str) -> None:
    headers = {"Last-Event-ID": behind} if behind else {}
    published(bench, 1)
    answer = bench.http.get(f"{STREAM}?{query}", headers=headers)
    assert answer.status_code == 422
    assert line in answer.json()["detail"][0]


def test_readers_are_no_more_than_can_be_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.api.results.READERS", asyncio.Semaphore(0))
    published(bench, 1)
    answer = bench.http.get(STREAM)
    assert (answer.status_code, answer.json()["detail"]) == (
        429,
        "256 streams of results are being read already",
    )


def test_curl_prints_events(bench: Bench) -> None:
    published(bench, 1)
    with curl("-H", "Last-Event-ID: 0", f"{bench.address}{STREAM}") as lines:
        event = next(parse(lines))
    assert event.data["camera"] == "gate"


def test_a_picture(bench: Bench) -> None:
    bench.worker()
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    address = "/api/v1/cameras/gate/snapshot.jpg"
    words = {
        "not started": 'camera "gate" gives no images; it is not started',
        "failed": 'camera "gate" gives no images; it is failed: wrong password',
    }
    for state, said in words.items():
        bench.until(lambda state=state: bench.camera()["state"] == state)
        answer = bench.http.get(address)
        assert (answer.status_code, answer.json()["detail"]) == (409, said)
        bench.status("failed", "wrong password")
    bench.status()
    bench.until(lambda: bench.camera()["state"] == "running")
    assert not bench.outbox.watched("gate")

    def send() -> None:
        bench.until(lambda: bench.outbox.watched("gate"))
        head = {"camera": "gate", "epoch": 1000, "seq": 7}
        bench.outbox.preview("gate", b"\xff\xd8jpeg", head)

    worker = threading.Thread(target=send)
    worker.start()
    answer = bench.http.get(address)
    worker.join()
    assert answer.content == b"\xff\xd8jpeg"
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["mirante-frame"] == "1000-7"
    bench.until(lambda: bench.redis.pubsub_numsub("mirante:{gate}:preview")[0][1] == 0)


def test_no_picture_in_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.api.snapshot.WAIT_S", 0.2)
    bench.worker()
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.status()
    bench.until(lambda: bench.camera()["state"] == "running")
    answer = bench.http.get("/api/v1/cameras/gate/snapshot.jpg")
    assert (answer.status_code, answer.json()["detail"]) == (
        504,
        'camera "gate" runs but gave no image within 0.2 s',
    )


def test_timeline(bench: Bench) -> None:
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"}).raise_for_status()
    for state in ("connecting", "running", "stalled"):
        bench.status(state, f"because {state}")
    bench.redis.xadd("mirante:{gate}:events", {"json": '{"event":"new"}'})
    bench.until(lambda: bench.redis.xlen("mirante:{gate}:status") == 3)
    found = bench.http.get("/api/v1/cameras/gate/timeline", params={"limit": 2}).json()
    assert [(s["state"], s["reason"]) for s in found["states"]] == [
        ("stalled", "because stalled"),
        ("running", "because running"),
    ]
    assert found["states"][0]["at"] - found["states"][0]["since"] == pytest.approx(5)
    assert found["events"] == [{"event": "new"}]
