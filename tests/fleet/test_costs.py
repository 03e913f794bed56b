"""What a camera is reckoned to take, from what workers report."""

from __future__ import annotations

import msgspec
import pytest

from fleet.ceilings import NO_CEILING, Ceiling, ceilings_of
from fleet.costs import DEFAULT, Costs
from pipeline.control.entries import Desired
from pipeline.control.reports import CameraReport, GpuReport, WorkerReport
from pipeline.control.room import RoomReport
from tests.support.api_server import REPORT

MIB = 1 << 20
SPEC = {"url": "test://", "fps": 5}
GPU = GpuReport(name="L4", utilisation_percent=60.0, memory_bytes=2, memory_used_bytes=1)
ROOM = RoomReport(
    cameras=2,
    camera_percent=10.0,
    free_percent=100.0,
    more=9,
    camera_bytes=300 * MIB,
    memory_left_bytes=1000 * MIB,
)


def entry(name: str, **spec: object) -> Desired:
    return Desired(name, {**SPEC, **spec}, "api", "a", fleet=True)


def report(worker: str = "a", **percents: float) -> WorkerReport:
    """Return the report of a worker that takes nothing besides its cameras."""
    cameras = {
        name: CameraReport(
            state="running", reason="", counts=None, in_flight=0, detections=0, cpu_percent=percent
        )
        for name, percent in percents.items()
    }
    process = msgspec.structs.replace(REPORT.process, cpu_percent=sum(percents.values()))
    return msgspec.structs.replace(
        REPORT, worker=worker, host=worker, cameras=cameras, process=process, gpus=(), room=None
    )


def test_a_first_measurement_of_a_camera_that_connects_is_one_of_several() -> None:
    costs, entries = Costs(), {"c": entry("c")}
    assert costs.of(entries["c"]) == (DEFAULT, 0, 0)
    costs.note(report(c=65.0), entries)
    assert costs.of(entries["c"])[0] == pytest.approx(0.65), "nothing else is known"
    costs.note(report(c=5.0), entries)
    assert costs.of(entries["c"])[0] == pytest.approx(0.35)
    for _ in range(12):
        costs.note(report(c=5.0), entries)
    assert costs.of(entries["c"])[0] == pytest.approx(0.05, abs=0.011)


def test_one_that_was_not_measured_takes_what_its_like_do() -> None:
    costs = Costs()
    entries = {name: entry(name) for name in ("a", "b", "new")}
    entries["other"] = entry("other", fps=25)
    for _ in range(20):
        costs.note(report(a=20.0, b=20.0), entries)
    costs.settle(entries)
    assert costs.of(entries["new"])[0] == pytest.approx(0.2)
    costs.note(report(new=40.0), entries)
    assert costs.of(entries["new"])[0] == pytest.approx(0.3)
    costs.note(report("elsewhere", other=90.0), entries)
    assert costs.of(entries["other"])[0] == pytest.approx(0.2), "another worker has it"


def test_memory_and_gpu_are_shared_out_evenly() -> None:
    costs, entries = Costs(), {name: entry(name) for name in ("x", "y", "new")}
    said = msgspec.structs.replace(report(x=10.0, y=30.0), gpus=(GPU,), room=ROOM)
    costs.note(said, entries)
    costs.settle(entries)
    for name in ("x", "new"):
        _, memory, gpu = costs.of(entries[name])
        assert memory == 300 * MIB
        assert gpu == pytest.approx(0.3)


def test_what_is_left_of_a_machine_is_shared_by_its_workers() -> None:
    alone = msgspec.structs.replace(report("alone"), gpus=(GPU,), room=ROOM)
    one, other = (msgspec.structs.replace(report(name), host="h", room=ROOM) for name in "ab")
    found = ceilings_of({"alone": alone, "a": one, "b": other, "new": report("new")}, {})
    assert found["alone"] == Ceiling(1600 * MIB, 0.8)
    assert found["a"] == found["b"] == Ceiling(1100 * MIB, float("inf"))
    assert found["new"] == NO_CEILING
