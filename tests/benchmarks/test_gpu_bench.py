"""``mirante bench gpu``: parts that end in every way, limits, power, the table and JSON."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pynvml
import pytest

from benchmarks.gpu import nvml, running
from benchmarks.gpu import run as whole_run
from benchmarks.gpu.figures import HEADINGS, Figure, Outcome, Watts, rows_of, watt_rows
from benchmarks.gpu.job import Job
from benchmarks.gpu.nvml import Meter, Nvml, NvmlError
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.run import run_bench
from benchmarks.gpu.running import run_part, run_parts
from pipeline.cli.bundling.wheels import check_extras, needed
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


NO_GI = "No module named 'gi'"


def without_gi(folder: Path) -> Path:
    """Return a folder on whose path Python finds no bindings of GStreamer."""
    (folder / "gi.py").write_text(f'raise ModuleNotFoundError("{NO_GI}")\n')
    return folder


def quiet_meter() -> Meter:
    def missing() -> Nvml:
        raise NvmlError("no driver")

    return Meter(missing)


def test_a_part_that_is_whole() -> None:
    outcome = run("whole")
    assert (outcome.state, outcome.why, outcome.is_good) == ("whole", "", True)
    assert outcome.figures == (FIRST, Figure(what="street,face", value=100.0))


def test_a_part_whose_process_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "DIE_WITH_PARENT", ("no-such-setpriv",))
    outcome = run("whole")
    assert outcome.state == "not run"
    assert outcome.why.startswith("its process cannot be begun: [Errno 2]")
    assert "no-such-setpriv" in outcome.why


def test_a_part_that_hangs_is_cut_off_with_its_process() -> None:
    before = psutil.Process().children()
    outcome = run("hangs", seconds=0.5)
    assert (outcome.state, outcome.is_good) == ("cut", False)
    assert outcome.why == "at its limit of 0 s"
    assert psutil.Process().children() == before


def test_a_part_that_no_signal_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that hangs in the driver: the others have their time."""
    begin, begun = subprocess.Popen, list[subprocess.Popen[bytes]]()

    def noting(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.append(begin(*arguments, **options))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", noting)
    monkeypatch.setattr(os, "killpg", lambda *_: None)
    monkeypatch.setattr(running, "_KILL_S", 0.01)
    outcome = run("hangs", seconds=0.5)
    (process,) = begun
    assert process.poll() is None
    assert outcome.state == "cut"
    assert outcome.why == f"at its limit of 0 s; process {process.pid} cannot be ended"
    process.kill()
    process.wait()


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
        told = list(run_parts(parts, 8005.0, lambda s: replace(JOB, seconds=s), meter))
    # What was not used is for those behind.
    assert given == {
        "a": pytest.approx(1000, abs=60),
        "b": pytest.approx(3430, abs=60),
        "c": pytest.approx(8000, abs=60),
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
    assert watt_rows([outcome], "lost")[1:] == [("watts", "failed", "-", "-", "lost")]


def test_nvml_that_does_not_answer_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    class Silent(SimulatedNvml):
        def _nvmlDeviceGetPowerUsage(self, device: str) -> int:  # noqa: N802
            answers.wait()
            return super()._nvmlDeviceGetPowerUsage(device)

    library = Silent()
    monkeypatch.setattr(nvml, "OPEN_S", 0.01)
    monkeypatch.setattr(nvml, "CLOSE_S", 0.01)
    with Meter(lambda: Nvml(library)) as meter:
        assert meter.why == "NVML has not answered for 0.01 s"
        assert meter.take() is None
    answers.set()
    meter._thread.join()
    assert library.begun == 0


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


def test_one_table_and_json_tell_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watts = Watts(mean=70.4, most=72.5, seconds=9.6)

    def measured(parts: Mapping[str, Part], seconds: float, *_: object) -> Iterator[Outcome]:
        assert 400 < seconds < 480  # what NVML took is not had twice
        for name in parts:
            yield Outcome(part=name, state="whole", figures=(FIRST,), watts=watts)

    monkeypatch.setattr(whole_run, "run_parts", measured)
    monkeypatch.setattr(whole_run, "Meter", lambda: Meter(lambda: Nvml(SimulatedNvml())))
    file = tmp_path / "gpu.json"
    assert run_bench(Plan(json=file))
    table = [re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert [*HEADINGS] in table
    told = json.loads(file.read_text())
    assert (told["ok"], told["watts"]) == (True, "read")
    assert told["gpu"].startswith("Simulated L4 (sm89)")
    assert [each["part"] for each in told["parts"]] == [*PARTS]
    for each in told["parts"]:
        name = each["part"]
        assert [name, "first", "2 ms", "0.50 of 4: the floor"] in table
        assert ["watts", f"during {name}", "70 W", "-", "72 W at most, 10 s"] in table
        (figure,) = each["figures"]
        assert (figure["value"], figure["ratio"], figure["more"]) == (2.0, 0.5, {"p95": 3.0})
        assert each["watts"] == {"mean": 70.4, "most": 72.5, "seconds": 9.6}


@pytest.mark.slow
def test_without_a_gpu_or_gstreamer_each_part_says_why(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-nosuch")  # where there is one it is hidden
    monkeypatch.setenv("PYTHONPATH", f"{without_gi(tmp_path)}{os.pathsep}{ROOT}")
    file = tmp_path / "gpu.json"
    outcome = mirante("bench", "gpu", "street", "--parts", "kernels,line", "--json", str(file))
    assert outcome.status == 1, outcome.err
    found = json.loads(file.read_text())
    assert found["ok"] is False
    assert found["seconds"] < 480
    states = {each["part"]: each["state"] for each in found["parts"]}
    assert states == {"kernels": "not run", "line": "not run"}
    assert f"GStreamer is missing ({NO_GI}); mirante doctor says how" in found["parts"][1]["why"]
    rows = {line.split()[0]: line for line in outcome.out.splitlines() if line}
    for name in states:
        assert "not run" in rows[name]
        assert "CUDA was asked to look for a GPU" in rows[name] or "missing" in rows[name]
    assert "not run" in rows["watts"]
    assert outcome.out.rstrip().endswith("not all was measured of: kernels, line")


ON_THE_WAY = """
from benchmarks.gpu import building, callers, decoding, kernels, speed, streams
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
for figure in decoding.measure(Job(seconds=0.0, models=(), precisions=()), Here()):
    print(figure.what, figure.note, sep=": ")
"""


@pytest.mark.slow
def test_what_needs_no_gstreamer_runs_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-nosuch")
    monkeypatch.setenv("PYTHONPATH", f"{without_gi(tmp_path)}{os.pathsep}{ROOT}")
    told = subprocess.check_output([sys.executable, "-c", ON_THE_WAY], text=True)
    notes = dict(line.split(": ", 1) for line in told.splitlines() if line.startswith("H.26"))
    for codec in ("H.264", "H.265"):
        of_gstreamer = notes[f"{codec} 1080p30, GStreamer's nvcodec"]
        assert of_gstreamer == f"GStreamer is missing ({NO_GI})"
        other = notes[f"{codec} 1080p30, PyNvVideoCodec"]  # is tried; this machine has it or not
        assert other
        assert "GStreamer" not in other
        assert NO_GI not in other


@pytest.mark.full
@pytest.mark.timeout(280)
def test_parts_run_dry_without_gstreamer(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = f"{without_gi(tmp_path)}{os.pathsep}{ROOT}"
    dry = [sys.executable, "-m", "pytest", "-q", "-m", "not rtsp", "-p", "no:cacheprovider"]
    dry += [f"--basetemp={tmp_path / 'dry'}", "tests/benchmarks/test_gpu_parts.py"]
    done = subprocess.run(dry, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_a_bundle_for_a_lent_machine_brings_what_building_takes() -> None:
    page = (ROOT / "docs/bench-gpu.md").read_text()
    (said,) = re.findall(r"^\./run bundle .* --extras (\S+)", page, re.M)
    extras = tuple(said.split(","))
    check_extras(extras)
    assert needed(extras) >= {"onnx", "onnxslim", "onnxruntime", "tensorrt-rtx-cu13"}


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
        (["street", "--model", "face"], '--model: expected one of street, got "face"'),
        (["--seconds", "5"], "--seconds"),
        (["--json", "nosuch/figures.json"], "--json: expected a file in a folder that is there"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str, mirante: Run) -> None:
    outcome = mirante("bench", "gpu", *arguments)
    assert (outcome.status, words in outcome.err) == (2, True), outcome.err
