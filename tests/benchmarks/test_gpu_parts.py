"""A dry run of each part of ``mirante bench gpu``, on doubles of what this machine has not."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pynvml
import pytest

from benchmarks.gpu import building, callers, decoding, kernels, needs, speed, streams
from benchmarks.gpu.child import Measure, said_by
from benchmarks.gpu.figures import Figure
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.kernel_cases import Sizes
from benchmarks.gpu.kernels import Effort
from benchmarks.gpu.nvml import Nvml
from benchmarks.gpu.streams import Step, search
from engines.cuda import launching
from engines.cuda.compiling import KERNELS
from engines.cuda.launching import Kernels, Launch
from engines.manifest import ZOO
from engines.runtimes.tensorrt.cuda import Cuda
from engines.runtimes.tensorrt.floor import Load, measure_floor
from engines.runtimes.tensorrt.library import Library
from tests.support.colour_engines import network, on
from tests.support.host_kernels import built
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_driver import SimulatedDriver
from tests.support.simulated_engines import Machine
from tests.support.simulated_nvml import SimulatedNvml

pytestmark = pytest.mark.slow  # kernels are compiled, and an engine is built
CODE = b"\x7fELF" + b" ".join(name.encode() for name in KERNELS)
JOB = Job(seconds=0.0, models=("test-boxes",), precisions=("fp32",))
SMALL = Effort(Sizes((64, 36), 32, (3, 8, 20), (160, 9)), copied=4096, times=2, rounds=2)


def figures(measure: Measure, here: Here, job: Job = JOB) -> list[Figure]:
    """Return what a part measures; it must be whole."""
    *told, last = said_by(measure, (), job, here)
    assert (last.done, last.why) == (True, "")
    found = [each.figure for each in told]
    assert None not in found
    return [each for each in found if each is not None]


@dataclass
class Gpu:
    """CUDA, the driver and NVML of a GPU that is simulated."""

    cuda: SimulatedCuda
    driver: SimulatedDriver
    nvml: SimulatedNvml

    def here(self, **others: Any) -> Here:
        cubin = self.driver
        return Here(
            cuda=lambda: Cuda(self.cuda),
            kernels=lambda cuda: Kernels(cuda, cubin),
            nvml=lambda: Nvml(self.nvml),
            **others,
        )


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    monkeypatch.setattr(launching, "cubin", lambda _architecture: CODE)
    cuda = SimulatedCuda()
    made = Gpu(cuda, SimulatedDriver(cuda, built()), SimulatedNvml())
    yield made
    assert cuda.faults == []
    assert cuda.open() == {}
    assert made.driver.modules == 0
    assert made.nvml.begun == 0


def test_kernels_are_timed_and_proved(gpu: Gpu) -> None:
    copying, *found = figures(partial(kernels.measure, effort=SMALL), gpu.here())
    assert copying.unit == "GB/s"
    assert copying.value is not None
    assert copying.value > 0
    assert [each.what.split(",")[0] for each in found] == [
        *("fill_slot", "fill_slot", "fill_region", "pack_masks", "pack_masks", "score_rows"),
    ]
    for each in found:
        assert each.value is not None, each
        assert each.value > 0
        assert each.note.endswith("the host's result")
    # Once for its result, recorded twice, launched once before and twice in the rounds.
    assert gpu.driver.ran.count("fill_region") == 1 + 2 * 3
    assert found[0].more["bytes"] == 64 * 36 * 3 // 2 + 32 * 32 * 3 * 2


@pytest.mark.parametrize("kernel", ["fill_slot", "fill_region", "pack_masks", "copy_rows"])
def test_a_kernel_that_does_nothing_is_found_out(
    gpu: Gpu, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gpu.driver._host.run

    def others(work: Launch) -> None:
        if work.kernel != kernel:
            run(work)

    monkeypatch.setattr(gpu.driver, "_host", type("Host", (), {"run": staticmethod(others)})())
    found = figures(partial(kernels.measure, effort=SMALL), gpu.here())
    wrong = [each for each in found if each.value is None]
    assert {each.what.split(",")[0] for each in wrong} == {kernel.replace("copy", "score")}
    assert all(each.note.startswith("its result is not the host's: ") for each in wrong)


def test_int8_is_calibrated_on_a_file_that_stays_the_same(home: Path) -> None:
    first = building.compared_pictures()
    content = first.read_bytes()
    first.unlink()
    assert building.compared_pictures().read_bytes() == content
    assert first.is_relative_to(home)
    job = replace(
        JOB, precisions=("fp16", "int8"), models=("a", "b", "test-lane"), runtime="tensorrt"
    )
    asked = building.requests_of(job)
    assert [(each.model, each.precision) for each in asked] == [
        *(("a", "fp16"), ("b", "fp16"), ("test-lane", "fp16"), ("a", "int8"), ("b", "int8")),
    ]
    assert [each.calibrate for each in asked] == [None, None, None, str(first), str(first)]


@dataclass
class OnTensorrt:
    """A machine with TensorRT, simulated, which has built the engine of a small network."""

    machine: Machine
    here: Here
    job: Job


@pytest.fixture(scope="module")
def tensorrt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnTensorrt]:
    folder = tmp_path_factory.mktemp("tensorrt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launching, "cubin", lambda _architecture: CODE)
        machine = on(Machine(), folder / "home", patch)
        machine.kernels = SimulatedDriver(machine.cuda, built())

        def floor(runtime: str, path: Path, load: Load) -> float:
            library = Library(runtime, machine.trt)
            return measure_floor(path, runtime, load, library, Cuda(machine.cuda)).pictures_per_s

        here = Here(
            cuda=lambda: Cuda(machine.cuda), nvml=lambda: Nvml(SimulatedNvml()), floor=floor
        )
        models = ("nosuch", network(folder))
        job = Job(seconds=0.0, models=models, precisions=("fp32",), runtime="tensorrt")
        yield OnTensorrt(machine, here, job)
        gc.collect()
        machine.close()
        assert machine.kernels.modules == 0


def test_engines_of_tensorrt_are_built_and_compared(tensorrt: OnTensorrt) -> None:
    unknown, made = figures(building.measure, tensorrt.here, tensorrt.job)
    assert 'no model "nosuch"' in unknown.note
    assert made.value is not None
    assert made.value > 0
    assert made.more["iou of red"] > 0.99
    again = figures(building.measure, tensorrt.here, tensorrt.job)[1]
    assert again.note.startswith("found, built before; ")
    assert tensorrt.machine.trt.builds == 1


@pytest.fixture(scope="module")
def with_engine(tensorrt: OnTensorrt) -> OnTensorrt:
    """The same, with the engine of the part before."""
    figures(building.measure, tensorrt.here, tensorrt.job)
    return tensorrt


def test_sessions_and_models_beside_the_bare_loop(
    with_engine: OnTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, kernels = with_engine.machine, with_engine.machine.kernels
    assert kernels is not None
    kernels.ran.clear()
    monkeypatch.setattr(speed, "CAMERAS", 3)
    measure = partial(speed.measure, frame=(64, 48))
    batches, cameras = figures(measure, with_engine.here, with_engine.job)
    assert batches.what == "colours fp32, 8 images a call"
    assert cameras.what == "colours fp32, 3 cameras, frames in the GPU's memory"
    for each in (batches, cameras):
        assert each.ratio is not None, each
        assert each.ratio > 0
    assert (batches.of, cameras.of) == ("the bare loop", "the bare loop without copies")
    assert {*kernels.ran} == {"fill_slot", "pack_masks"}
    monkeypatch.setattr(there.trt, "breaks", "the GPU is full")
    broken = figures(measure, with_engine.here, with_engine.job)
    assert [each.value for each in broken] == [None, None]
    assert "the GPU is full" in broken[0].note


def test_callers_of_the_batcher(with_engine: OnTensorrt) -> None:
    found = figures(callers.measure, with_engine.here, with_engine.job)
    assert [each.what for each in found] == [f"colours fp32, {n} callers" for n in (1, 4, 16, 64)]
    for each in found:
        assert each.ratio is not None
        assert each.ratio > 0
        assert 0 < each.more["p50_ms"] <= each.more["p95_ms"]


def test_without_an_engine_nothing_is_timed(home: Path) -> None:
    del home
    for measure in (speed.measure, callers.measure, streams.measure):
        (said,) = said_by(measure, (), replace(JOB, runtime="onnxruntime"), Here())
        assert said.why == "no engine is here: the part engines built none"


def test_streams_are_added_while_that_gains(gpu: Gpu) -> None:
    asked: list[int] = []

    def rate(clip: Path, codec: str, count: int, seconds: float, meanwhile: Any) -> float:
        asked.append(count)
        gpu.nvml.used = (100 + 30 * count) << 20
        meanwhile()
        if codec == "H.265" and count > 1:
            raise RuntimeError("no session is left")
        return {1: 900.0, 4: 3000.0, 16: 3100.0}[count]

    found = figures(partial(decoding.measure, ways={"double": rate}), gpu.here())
    assert asked == [1, 4, 16, 1, 4]
    first, memory, second, _ = found
    assert (first.what, first.value, first.unit) == ("H.264 1080p30, double", 103.0, "streams")
    assert first.note == "900 frames/s of 1; 3000 frames/s of 4; 3100 frames/s of 16"
    assert memory.value == pytest.approx(30)
    assert (second.value, second.note.split("; ")[-1]) == (30.0, "no session is left")
    gpu.nvml.refuse["nvmlInit"] = pynvml.NVML_ERROR_DRIVER_NOT_LOADED

    def missing(*_: Any) -> float:
        raise ImportError("it is not installed")

    found = figures(partial(decoding.measure, ways={"double": missing}), gpu.here())
    assert [each.note for each in found] == ["it is not installed"] * 2


@pytest.mark.parametrize(
    ("holds", "tried"), [(0, [1]), (5, [1, 2, 4, 8, 6, 5]), (64, [1, 2, 4, 8, 16, 32, 64])]
)
def test_cameras_are_doubled_and_then_halved_between(holds: int, tried: list[int]) -> None:
    def run(cameras: int) -> Step:
        return Step(cameras, "", 20.0, 90.0 if cameras <= holds else 110.0, 1.0)

    steps = list(search(run, 64, lambda: 100.0))
    assert [each.cameras for each in steps] == tried


def test_no_step_is_begun_that_would_not_end() -> None:
    left = iter([100.0, 100.0, 70.0, 40.0])
    steps = search(lambda cameras: Step(cameras, "", 1.0, 2.0, 1.0), 64, lambda: next(left))
    assert [each.cameras for each in steps] == [1]


@pytest.mark.parametrize("holds", [0, 3, 5])
def test_a_search_that_begins_higher_finds_the_same(holds: int) -> None:
    def run(cameras: int) -> Step:
        if cameras > 2 * holds + 1:
            raise RuntimeError("no results of all cameras")
        return Step(cameras, "", 20.0, 90.0 if cameras <= holds else 110.0, 1.0)

    steps = list(search(run, 64, lambda: 100.0, 4))
    assert steps[0].cameras == 4
    assert max((each.cameras for each in steps if each.is_good), default=0) == holds


@pytest.mark.rtsp
def test_the_line_is_told_step_by_step(with_engine: OnTensorrt) -> None:
    asked: list[tuple[str, int]] = []

    def run(cameras: int, codec: str) -> Step:
        asked.append((codec, cameras))
        if cameras == 4:
            raise RuntimeError("no results of all cameras")
        ms = {"H.264": 50.0, "H.265": 40.0}[codec]
        return Step(cameras, "", 20.0, ms * cameras, 1.0, (500 + 40 * cameras) << 20)

    job = replace(with_engine.job, seconds=100.0, decode="software")
    found = figures(partial(streams.measure, run=run), with_engine.here, job)
    assert [each.value for each in found[:3]] == [50.0, 100.0, 150.0]
    assert asked == [*(("H.264", n) for n in (1, 2, 4, 3)), *(("H.265", n) for n in (2, 4, 3))]
    whole, first, *_, other, memory = found[3:]
    assert whole.what == "streams of the whole line, H.264, colours fp32"
    assert (whole.value, whole.unit) == (2.0, "streams")
    assert "not 3: p95 150 ms, 100% of the frames read" in whole.note
    assert (first.what, first.value) == ("2 cameras of 1080p30, H.265, colours fp32", 80.0)
    assert (other.what, other.value) == ("streams of the whole line, H.265, colours fp32", 2.0)
    assert memory.value == pytest.approx(40)


@pytest.mark.rtsp
def test_each_codec_of_the_line_says_why_it_is_not_measured(
    with_engine: OnTensorrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(cameras: int, codec: str) -> Step:
        if codec == "H.264":
            raise RuntimeError("no Redis")
        return Step(cameras, "", 20.0, 50.0, 1.0)

    job = replace(with_engine.job, seconds=100.0, decode="software", most=1)
    first, _, other, memory = figures(partial(streams.measure, run=run), with_engine.here, job)
    assert (first.value, first.note) == (None, "no Redis")
    assert other.value == 1.0
    assert memory.value is None
    late = replace(job, seconds=0.0)
    found = figures(partial(streams.measure, run=run), with_engine.here, late)
    assert [(each.value, each.note) for each in found[:2]] == [(None, "no time was left")] * 2
    monkeypatch.setattr(streams, "is_decoded", lambda codec, _decode: codec == "H.264")
    found = figures(partial(streams.measure, run=run), with_engine.here, job)
    assert [each.note for each in found[:2]] == ["no Redis", "no decoder of H.265 is here"]


@pytest.mark.rtsp
def test_codecs_are_those_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.gst import decoders

    assert [streams.is_decoded(codec, "software") for codec in streams.SHARES] == [True, True]
    one = decoders.HardwareDecoder("nvh264dec", "nvidia", 0, ("video/x-h264",))
    monkeypatch.setattr(decoders, "hardware_decoders", lambda device: [one][: device == "nvidia"])
    assert [streams.is_decoded(codec, "nvidia") for codec in streams.SHARES] == [True, False]


@pytest.mark.rtsp
@pytest.mark.redis
@pytest.mark.parametrize("codec", ["H.264", pytest.param("H.265", marks=pytest.mark.full)])
def test_a_step_of_the_whole_line_without_a_gpu(codec: str, tmp_path: Path) -> None:
    """Real cameras, workers and Redis; what is decoded in software, and the model on the CPU."""
    for name in ("test-boxes.yaml", "test-boxes.onnx"):
        shutil.copy(ZOO / name, tmp_path / name)
    job = replace(JOB, decode="software")
    step = streams.run_step(1, codec, str(tmp_path / "test-boxes.yaml"), job, Here(), 1.0)
    assert (step.cameras, step.why) == (1, "")
    assert step.read > 0
    assert 0 < step.p50_ms <= step.p95_ms


def test_all_that_a_part_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"{name} is missing")

    monkeypatch.setattr("engines.runtimes.tensorrt.library.library", missing)
    monkeypatch.setitem(__import__("sys").modules, "pipeline.gst.decoders", None)
    monkeypatch.setenv("PATH", "")

    def no_gpu() -> Cuda:
        raise RuntimeError("no GPU is here")

    asked = ("gpu", "runtime", "gstreamer", "redis")
    (said,) = said_by(callers.measure, asked, JOB, Here(cuda=no_gpu))
    first, *others = said.why.split("; ")
    assert first == "no GPU is here"
    assert others[:2] == ["tensorrt is missing", "tensorrt-rtx is missing"]
    assert others[2].startswith("GStreamer is missing (")
    assert others[-1].startswith("redis-server is not installed")
    assert needs.lacks("gstreamer", JOB, Here()) in said.why
