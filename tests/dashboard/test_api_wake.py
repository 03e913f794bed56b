"""Somebody says that something happens before a camera: by the API, and what its worker does."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from mirante.keys import lease_key
from pipeline.cameras.state import State
from pipeline.control.reports import publish
from pipeline.control.rpc import Requests
from pipeline.control.sleep_report import SleepReport
from pipeline.worker.wakes import answer_wake
from plugins.gate.calm import Calm
from tests.support.api_server import Bench, replace_report
from tests.support.polled_requests import polled
from tests.support.worker_states import GATE

PATH = "/api/v1/cameras/gate/wake"


class Running:
    """A camera that runs."""

    def __init__(self, spares: bool = True, state: State = State.RUNNING, reason: str = "") -> None:
        self.calm = Calm()
        self.calm.spares = spares
        finished = state == State.STOPPED
        self.runner: Any = SimpleNamespace(state=state, reason=reason, finished=finished)


@pytest.fixture
def bench_with_gate(bench: Bench) -> Bench:
    keys = {"name": "gate", "url": "rtsp://192.0.2.7/main"}
    bench.http.post("/api/v1/cameras", json=keys).raise_for_status()
    return bench


def test_a_camera_is_woken(bench_with_gate: Bench) -> None:
    bench = bench_with_gate
    told = bench.http.post(PATH)
    assert (told.status_code, told.json()["detail"]) == (409, 'worker "main" is not running')
    bench.redis.set(lease_key("main"), "x")
    cameras: dict[str, Running] = {}
    waking = Requests(
        bench.redis, "main", {"wake": lambda asked: answer_wake(lambda: cameras, asked)}
    )
    with polled(waking):
        told = bench.http.post(PATH)
        assert (told.status_code, told.json()["detail"]) == (409, 'camera "gate" does not run')
        cameras["gate"] = Running(spares=False)
        told = bench.http.post(PATH)
        assert told.json()["detail"] == (
            'camera "gate" has no gate: its models look at every frame'
        )
        cameras["gate"] = Running()
        told = bench.http.post(PATH, json={"seconds": 600})
        assert told.json() == {"words": 'models look at each frame of camera "gate" for 600 s'}
        assert cameras["gate"].calm.is_called(time.monotonic() + 60)
        told = bench.http.post(PATH)
        assert told.json() == {"words": 'models look at each frame of camera "gate" for 10 s'}
        cameras["gate"] = Running(state=State.STALLED, reason="no frame for 3 s, rtsp://u:p@h/")
        told = bench.http.post(PATH)
        assert told.json()["words"] == (
            'models look at each frame of camera "gate" for 10 s, and none comes now: '
            "stalled: no frame for 3 s, rtsp://***@h/"
        )
        cameras["gate"] = Running(state=State.STOPPED, reason="end of file")
        told = bench.http.post(PATH)
        words = 'camera "gate" does not run: end of file'
        assert (told.status_code, told.json()["detail"]) == (409, words)


@pytest.mark.parametrize("body", [{"seconds": 0}, {"seconds": 3601}, {"seconds": "x"}, {"s": 1}])
def test_what_is_no_time_is_refused(bench_with_gate: Bench, body: dict[str, object]) -> None:
    assert bench_with_gate.http.post(PATH, json=body).status_code == 422


def test_a_camera_that_is_not_there(bench: Bench) -> None:
    assert bench.http.post("/api/v1/cameras/gat/wake").status_code == 404


def test_how_a_camera_sleeps_and_what_it_costs_is_told(bench_with_gate: Bench) -> None:
    bench = bench_with_gate
    bench.redis.set("mirante:worker:main", "{}")
    report = replace_report(at=time.time(), cameras={"gate": GATE}, defaults={})
    publish(bench.redis, report)
    bench.until(lambda: bench.services.sampler.reports().get("main") == report)
    camera = bench.http.get("/api/v1/cameras/gate").json()
    assert camera["cpu_percent"] == 1.9
    assert camera["sleep"] == {
        "asleep": True,
        "asleep_s": 90.5,
        "of_s": 120.0,
        "wakes": {"motion": 2},
        "unseen": 7,
        "left_alone": "",
    }
    assert isinstance(GATE.sleep, SleepReport)
