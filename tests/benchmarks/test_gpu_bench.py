"""``mirante bench gpu``: parts that end in every way, limits, power, the table and JSON."""

from __future__ import annotations

import json
import select
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pynvml
import pytest

from benchmarks.gpu import running
from benchmarks.gpu.figures import HEADINGS, Figure, Outcome, Watts, rows_of, watt_rows
from benchmarks.gpu.job import Job
from benchmarks.gpu.nvml import Meter, Nvml, NvmlError
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.running import run_part, run_parts
from tests.support import ROOT
from tests.support.gpu_parts import FIRST
from tests.support.outcome import Run
from tests.support.simulated_nvml import SimulatedNvml

JOB = Job(seconds=100.0, models=("street", "face"), precisions=("fp16",))


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def part_of(name: str, *needs: str) -> Part:
    return Part(f"tests.support.gpu_parts:{name}", 1.0, needs)


def run(name: str, *needs: str, seconds: float = 100.0) -> Outcome:
    return run_part(name, part_of(name, *needs), replace(JOB, seconds=seconds))


def quiet_meter() -> Meter:
    def missing() -> Nvml:
        raise NvmlError("no driver")

    return Meter(missing)


def test_a_part_that_is_whole() -> None:
    outcome = run("whole")
    assert (outcome.state, outcome.why, outcome.is_good) == ("whole", "", True)
    assert outcome.figures == (FIRST, Figure(what="street,face", value=100.0))


def test_a_part_that_hangs_is_cut_off_with_its_process() -> None:
    before = psutil.Process().children()
    outcome = run("hangs", seconds=0.5)
    assert (outcome.state, outcome.is_good) == ("cut", False)
    assert outcome.why == "at its limit of 0 s"
    assert psutil.Process().children() == before


def test_figures_before_the_limit_are_kept() -> None:
    """Whatever else a process does: here it has written its line before it is listened to."""
    line = b'{"figure":{"what":"first","value":2.0}}\n'
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 60)[0]
        figures, last = running._listen(process, 0.2)
        process.stdin.close()
    assert figures == [Figure(what="first", value=2.0)]
    assert last is not None
    assert (last.done, last.why) == (False, "")


def test_a_part_that_crashes_is_told_with_what_it_wrote() -> None:
    outcome = run("crashes")
    assert (outcome.state, outcome.figures) == ("failed", (FIRST,))
    assert outcome.why == "its process ended by SIGKILL: the GPU is lost"


def test_a_part_that_fails() -> None:
    failed = run("raises")
    assert (failed.state, failed.why) == ("failed", "it fails in two lines")
    assert failed.figures == (FIRST,)


def test_parts_share_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, float] = {}

    def at_once(name: str, _part: Part, job: Job) -> Outcome:
        given[name] = job.seconds
        return Outcome(part=name, state="whole")

    monkeypatch.setattr(running, "run_part", at_once)
    parts = {name: Part("", share, ()) for name, share in (("a", 1.0), ("b", 3.0), ("c", 4.0))}
    with quiet_meter() as meter:
        told = list(run_parts(parts, 805.0, lambda s: replace(JOB, seconds=s), meter))
    # What was not used is for those behind.
    assert given == {
        "a": pytest.approx(100, abs=5),
        "b": pytest.approx(343, abs=5),
        "c": pytest.approx(800, abs=5),
    }
    assert [each.part for each in told] == ["a", "b", "c"]
    with quiet_meter() as meter:
        (late,) = run_parts({"a": parts["a"]}, 7.0, lambda s: replace(JOB, seconds=s), meter)
    assert late.state == "not run"
    assert late.why.startswith("no time was left: ")


def test_power_is_that_of_each_part() -> None:
    library = SimulatedNvml()
    with Meter(lambda: Nvml(library)) as meter:
        assert meter.gpu == "Simulated L4 (sm89), 24576 MiB, driver 580.1"
        meter._thread.join(0.01)  # readings come by themselves; the first was taken at once
        taken = meter.take()
        assert taken is not None
        assert (taken.mean, taken.most) == (72.5, 72.5)
        library.refuse["nvmlDeviceGetPowerUsage"] = pynvml.NVML_ERROR_NOT_SUPPORTED
        meter._thread.join()
        assert meter.why == "NVML was asked nvmlDeviceGetPowerUsage: Not Supported"
    assert library.begun == 0
    outcome = Outcome(part="a", state="whole", watts=Watts(mean=70.4, most=72.5, seconds=9.6))
    assert watt_rows([outcome], "") == [
        ("watts", "during a", "70 W", "-", "72 W at most, 10 s"),
    ]
    assert watt_rows([], "no driver") == [("watts", "not run", "-", "-", "no driver")]


def test_the_gpu_that_cuda_uses_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, chosen in (("", 0), ("2,0", 2), ("GPU-1a", "GPU-1a")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
        library = SimulatedNvml()
        with Nvml(library) as nvml:
            assert library.chosen == chosen
            assert nvml.used_bytes() == 3 << 30
    library.refuse["nvmlDeviceGetHandleByUUID"] = pynvml.NVML_ERROR_NOT_FOUND
    with pytest.raises(NvmlError, match=r"GPU GPU-1a: NVML was asked .*: Not Found"):
        Nvml(library)
    assert library.begun == 0


def test_rows() -> None:
    figures = (
        FIRST,
        Figure(what="many", value=12345.6, unit="images/s", note="of many"),
        Figure(what="none", note="it is missing"),
    )
    outcome = Outcome(part="p", state="cut", why="at its limit", figures=figures)
    assert rows_of(outcome) == [
        ("p", "first", "2 ms", "0.50 of 4: the floor", ""),
        ("p", "many", "12346 images/s", "-", "of many"),
        ("p", "none", "-", "-", "it is missing"),
        ("p", "cut", "-", "-", "at its limit"),
    ]
    assert not replace(outcome, state="whole").is_good
    assert replace(outcome, state="whole", figures=figures[:2]).is_good
    assert len(HEADINGS) == 5


def test_without_a_gpu_each_part_says_why(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-nosuch")  # where there is one it is hidden
    file = tmp_path / "gpu.json"
    outcome = mirante("bench", "gpu", "street", "--parts", "kernels,line", "--json", str(file))
    assert outcome.status == 1, outcome.err
    found = json.loads(file.read_text())
    assert found["ok"] is False
    assert found["seconds"] < 480
    states = {each["part"]: each["state"] for each in found["parts"]}
    assert states == {"kernels": "not run", "line": "not run"}
    rows = {line.split()[0]: line for line in outcome.out.splitlines() if line}
    for name in states:
        assert "not run" in rows[name]
        assert "CUDA was asked to look for a GPU" in rows[name] or "missing" in rows[name]
    assert "not run" in rows["watts"]
    assert outcome.out.rstrip().endswith("not all was measured of: kernels, line")


def test_every_part_can_be_found_and_is_in_the_plan() -> None:
    from importlib import import_module

    from benchmarks.gpu.needs import CHECKS

    for part in PARTS.values():
        module, _, function = part.measure.partition(":")
        assert callable(getattr(import_module(module), function))
        assert {*part.needs} <= {*CHECKS}
    assert Plan().parts == tuple(PARTS)
    assert Job.read(Plan().job(5.0).text()) == Plan().job(5.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--parts", "kernel"], '--parts: no part "kernel"; did you mean "kernels"?'),
        (["--parts", ","], "--parts: expected some of kernels, "),
        (["--precision", "fp31"], '--precision: no precision "fp31"'),
        (["--seconds", "5"], "--seconds"),
        (["--json", "nosuch/figures.json"], "--json: expected a file in a folder that is there"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str, mirante: Run) -> None:
    outcome = mirante("bench", "gpu", *arguments)
    assert (outcome.status, words in outcome.err) == (2, True), outcome.err
