"""``mirante fleet status`` on a real Redis."""

from __future__ import annotations

import json

import msgspec
import pytest
from typer.testing import CliRunner

from fleet.cli import app
from fleet.report import Kept, make
from mirante.keys import FLEET_REPORT
from pipeline.control import fleet_report, reports
from pipeline.control.entries import Desired
from pipeline.control.registry import UnknownCameraError, connect
from pipeline.control.reports import CameraReport
from pipeline.control.room import Fit, RoomReport
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT

pytestmark = pytest.mark.redis
GIB = 1 << 30
ROOM = RoomReport(
    cameras=2,
    camera_percent=20.0,
    free_percent=100.0,
    more=5,
    camera_bytes=50 << 20,
    memory_left_bytes=9 * GIB,
)


def camera(percent: float) -> CameraReport:
    return CameraReport(
        state="running", reason="", counts=None, in_flight=0, detections=0, cpu_percent=percent
    )


def run(url: str, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["status", "--redis", url, *options])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_what_is_said_of_a_fleet(redis_server: RedisServer) -> None:
    url = redis_server.url
    assert run(url) == (
        1,
        "no fleet: no keeper has run on this Redis in the last day (mirante fleet up)\n",
    )
    running = {"gate": camera(10.0), "yard": camera(30.0)}
    worker = msgspec.structs.replace(REPORT, worker="a", host="rack-1", room=ROOM, cameras=running)
    entries = {name: Desired(name, {"url": "test://"}, "api", "a") for name in running}
    entries["dock"] = Desired("dock", {"url": "test://"}, "api", "")
    kept = Kept(("a", "b"), waiting={"dock": "no worker has a GPU"}, keeper="process 7 on rack-1")
    with connect(url) as client:
        reports.publish(client, worker)
        fleet_report.publish(client, make(entries, {"a": worker}, kept, Fit(1000, "Redis")))
        code, said = run(url)
        assert code == 0
        lines = said.splitlines()
        assert lines[:3] == [
            "keeper    process 7 on rack-1",
            "cameras   3, 1 without a worker; 0 moves",
            "room      5 more like these, on average (processor); "
            "each takes 20.0 % of a core and 50 MiB",
        ]
        assert any(
            line.split() == ["b", "unknown", "gone", "0", "of", "0", "unknown"] for line in lines
        )
        assert "dock              no worker has a GPU" in lines
        assert (
            "room      10 more like gate (processor); each takes 10.0 %"
            in run(url, "--like", "gate")[1]
        )
        told = json.loads(run(url, "--json", "--like", "yard")[1])
        assert (told["more"], told["each_percent"], told["redis_more"]) == (3, 30.0, 1000)
        with pytest.raises(UnknownCameraError, match='no camera "gat"; did you mean "gate"'):
            run(url, "--like", "gat")
        client.pexpire(FLEET_REPORT, 60_000)
        code, said = run(url)
        assert (code, "gone for" in said) == (1, True)
