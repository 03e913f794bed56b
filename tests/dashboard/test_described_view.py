"""A camera's second stream, and what its first one costs, as the API tells of them."""

from __future__ import annotations

import time

import msgspec

from mirante.faults import FaultCode
from pipeline.control.reports import ViewReport, publish
from tests.support.api_server import Bench, replace_report
from tests.support.worker_states import GATE

VIEW = "rtsp://u:hunter2@192.0.2.7/main"


def tell(bench: Bench, view: ViewReport | None) -> None:
    """The worker reports a camera with such a view."""
    bench.redis.set("mirante:worker:main", "{}")
    gate = msgspec.structs.replace(GATE, view=view)
    report = replace_report(at=time.time(), cameras={"gate": gate}, defaults={"width": 320})
    publish(bench.redis, report)
    bench.until(lambda: bench.services.sampler.reports().get("main") == report)


def test_how_the_view_is(bench: Bench) -> None:
    tell(bench, None)
    keys = {"name": "gate", "url": "rtsp://192.0.2.7/sub", "view": VIEW}
    assert bench.http.post("/api/v1/cameras", json=keys).json()["view"] is None
    words = "404 not found: rtsp://u:hunter2@192.0.2.7/main"
    tell(bench, ViewReport(state="failed", reason=words, code="not-found"))
    view = bench.http.get("/api/v1/cameras/gate").json()["view"]
    assert view == {
        "url": "rtsp://***@192.0.2.7/main",
        "state": "failed",
        "reason": "404 not found: rtsp://***@192.0.2.7/main",
        "code": "not-found",
        "advice": FaultCode.NOT_FOUND.advice,
        "size": None,
        "off_ms": None,
    }
    tell(bench, ViewReport(state="running", size=(3840, 2160), off_ms=12.5))
    view = bench.http.get("/api/v1/cameras/gate").json()["view"]
    assert (view["state"], view["size"], view["off_ms"]) == ("running", [3840, 2160], 12.5)
    assert (view["code"], view["advice"]) == (None, None)


def test_a_stream_far_larger_than_its_analysis_gets_a_hint(bench: Bench) -> None:
    tell(bench, None)
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "rtsp://192.0.2.7/main"})

    def hint() -> str | None:
        bench.frame(width=3840, height=2160)
        said: str | None = bench.http.get("/api/v1/cameras/gate").json()["hint"]
        return said

    said = str(bench.until(hint))
    assert said.startswith("3840x2160 is decoded to analyse 320x180: about ")
