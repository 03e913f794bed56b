"""What models find with kernels around their network is what the host finds in the same input.

GPU, driver and TensorRT are simulated, the kernels are those of the processor here; networks are
run by ONNX Runtime in both.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml

from engines.batcher import Batcher
from engines.cuda.compiling import Compiler
from engines.cuda.gpu_work import GpuWork
from engines.inference import Inference, View
from engines.runtimes import FeedError, open_session
from engines.runtimes.names import RUNTIMES
from engines.runtimes.tensorrt.cuda import Cuda, Event, Stream
from engines.runtimes.tensorrt.held import FullError, held
from engines.runtimes.tensorrt.session import TensorrtSession
from mirante.frame import FrameResult
from plugins.frame import Converted, DeviceFrame
from plugins.infer.stage import InferStage
from tests.support.host_kernels import Host, built
from tests.support.lane_networks import SIZE, detector, manifest_of, segmenter
from tests.support.lane_places import Place, model_of, same
from tests.support.simulated_tensorrt import Shapes
from tests.support.tensorrt_sessions import bench

pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings are not installed")
from tests.support.simulated_driver import SimulatedDriver

pytestmark = pytest.mark.slow

_ONE = (3, *SIZE[::-1])
PROFILES: dict[str, Shapes] = {"images": ((1, *_ONE), (2, *_ONE), (8, *_ONE))}
SIZES = [(96, 54), (64, 48), (30, 80), (96, 54)]  # each letterboxed otherwise


@pytest.fixture(scope="module")
def host() -> Host:
    return built()


@pytest.fixture(scope="module")
def kernels(kernel_home: Path) -> Path:
    """A home in which kernels are compiled once."""
    try:
        Compiler()
    except ImportError as error:
        pytest.skip(str(error))
    return kernel_home


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    kernels: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: Host,
) -> Iterator[Place]:
    """A place for a decoder and a kind of TensorRT."""
    decoder, kind = getattr(request, "param", ("argmax", "11"))
    monkeypatch.setenv("MIRANTE_HOME", str(kernels))
    path = tmp_path / "net.onnx"
    is_masks = decoder in ("argmax", "sigmoid")
    network = segmenter(path) if is_masks else detector(path, decoder)
    made = bench(tmp_path, kind, profiles=PROFILES, network=network)
    made.cuda.gpus = 2
    there = Place(made, SimulatedDriver(made.cuda, host), host)
    yield there
    there.close()
    gc.collect()
    assert made.cuda.faults == []
    assert made.cuda.open() == {}
    assert there.driver.modules == 0
    assert held.now() == {}


CASES = [("argmax", "11"), ("argmax", "rtx"), ("yolov8", "11"), ("sigmoid", "11"), ("yolox", "11")]
MORE = [
    pytest.param(case, marks=pytest.mark.full) for case in (("yolov8", "rtx"), ("yolov5", "11"))
]


@pytest.mark.parametrize("place", [*CASES, *MORE], indirect=True, ids="-".join)
def test_frames_of_the_gpu_never_come_to_the_host(
    place: Place, request: pytest.FixtureRequest
) -> None:
    decoder, kind = request.node.callspec.params["place"]
    model = model_of(manifest_of(decoder), Batcher(place.session(), 8, lanes=2))
    model.try_out()
    cuda, recorded = place.bench.cuda, place.bench.cuda.launches
    for seed, size in enumerate(SIZES):
        frame = place.frame(size, seed)
        for _ in range(2):  # on either lane
            found = model(frame)
        same(found, place.expected(model, frame)[0])
    # TensorRT replays what it has recorded, with other surfaces and windows; RTX does so by itself.
    assert (cuda.launches > recorded) == (kind != "rtx")
    assert (place.driver.nodes_set > 0) == (kind != "rtx")


@pytest.mark.parametrize("place", [("yolov8", "11")], indirect=True)
def test_more_rows_than_one_copy_brings(place: Place) -> None:
    model = model_of(manifest_of("yolov8", threshold=0.2, iou=0.9), place.session())
    for seed in range(3):
        frame = place.frame((96, 54), seed)
        same(model(frame), place.expected(model, frame)[0], least=257)


@pytest.mark.parametrize("place", [("sigmoid", "11"), ("yolov5", "11")], indirect=True)
def test_of_frames_of_the_host_only_what_is_found_comes_back(
    place: Place, request: pytest.FixtureRequest
) -> None:
    manifest = manifest_of(request.node.callspec.params["place"][0])
    model = model_of(manifest, place.session())
    there = model_of(manifest, open_session("onnxruntime", place.bench.network, 1))
    for seed, (width, height) in enumerate(SIZES):
        rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        same(model(rgb), there(rgb))
    assert {"score_rows", "pack_masks"} & {*place.driver.ran}
    assert "fill_slot" not in place.driver.ran


@pytest.mark.parametrize("place", [("yolov8", "11")], indirect=True)
def test_each_camera_of_a_batch_has_its_own_thresholds_and_size(place: Place) -> None:
    session = place.session()
    batcher = Batcher(session, 8, lanes=2)
    models = [
        model_of(manifest_of("yolov8", threshold=0.5 + number / 20), batcher) for number in range(6)
    ]
    frames = [place.frame(SIZES[number % 3], number) for number in range(6)]
    works = [
        GpuWork(each.name, each.manifest.input, [(each.heads[0].part, each.heads[0].spec)], batcher)
        for each in models
    ]
    filled = [work.filled(frame, None) for work, frame in zip(works, frames, strict=True)]
    arounds = [work.around(*each) for work, each in zip(works, filled, strict=True)]  # type: ignore[misc]
    for _ in range(3):  # as it is, recorded, replayed
        kept = session.run_around({}, arounds)
        for model, frame, work, each, part in zip(models, frames, works, filled, kept, strict=True):
            assert each is not None
            (found,) = work.found(part, each[1]) or []
            view = View(model.labels, model.name, each[1], (1, 1), frame.size)
            same(found.to_source(view), place.expected(model, frame)[0])

    def calls(number: int) -> list[Inference]:
        return [models[number](frames[number]) for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        for number, results in enumerate(pool.map(calls, range(6))):
            for one in results:
                same(one, place.expected(models[number], frames[number])[0])


@pytest.mark.parametrize("place", [("argmax", "11")], indirect=True)
def test_crops_and_frames_that_are_analysed_at_another_size(place: Place) -> None:
    from mirante.detections import Detections

    batcher = Batcher(place.session(), 2)
    model = model_of(manifest_of("argmax", crop={"margin": 1.2}), batcher, on="car")
    frame = place.frame((96, 54))
    box = np.array([[20, 10, 50, 40], [60, 5, 92, 50], [1, 1, 30, 20]], np.float32)
    cars = Detections(box, np.ones(3, np.float32), np.zeros(3, np.int32), ("car",))
    before = place.bench.trt.enqueued
    found = model(frame, detections=cars)
    assert place.bench.trt.enqueued == before + 2  # calls, as two images are the most of one
    for index, region in model._crops(cars, (1.0, 1.0)):
        expected = place.expected(model, frame, region, index)[0]
        same(Inference(found.detections, (found.masks[index],)), expected)
    rgb = np.random.default_rng(3).integers(0, 256, (54, 96, 3), np.uint8)
    there = open_session("onnxruntime", place.bench.network, 1)
    same(model(rgb, detections=cars), model_of(model.manifest, there, "car")(rgb, detections=cars))
    whole = model_of(manifest_of("argmax"), place.session())
    smaller, fine = place.frame((96, 54), shown=(32, 18)), place.frame((96, 54))
    one, other = whole(smaller, fine.size), whole(fine)
    same(one, other)


@pytest.mark.parametrize("refused", ["recording", "setting"])
def test_runs_without_graphs_where_one_cannot_be_had_and_says_so_once(
    place: Place, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.bench.trt.allocates = refused == "recording"
    model = model_of(manifest_of("argmax"), place.session())
    caplog.clear()
    if refused == "setting":
        code = place.driver.CUresult.CUDA_ERROR_INVALID_VALUE
        place.driver.refuse["cuGraphExecKernelNodeSetParams"] = code
    with caplog.at_level(logging.WARNING):
        for seed in range(6):  # as it is, recorded, set; on either lane
            frame = place.frame((96, 54), seed)
            same(model(frame), place.expected(model, frame)[0])
    said = [record.message for record in caplog.records]
    assert ["runs without CUDA graphs" in each for each in said] == [True] * 2  # once a lane


def test_outputs_that_no_kernel_reads_come_whole(place: Place) -> None:
    keys = {"task": "segment", "labels": ("a",), "decoder": f"{__name__}:brighter"}
    model = model_of(manifest_of("argmax", **keys, options={}, threshold=0.5), place.session())
    frame = place.frame((96, 54))
    for _ in range(4):
        same(model(frame), place.expected(model, frame)[0])
    assert {*place.driver.ran} == {"fill_slot"}


def brighter(outputs: Any, spec: Any) -> Any:
    del spec
    return outputs["one"][0, :1] > outputs["one"][0, 1:2]


def test_values_that_are_not_finite_are_told(place: Place) -> None:
    import onnx

    model = onnx.load(place.bench.network)
    weights = onnx.numpy_helper.to_array(model.graph.initializer[1]).copy()
    weights[0, 0] = np.inf
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(weights, "w.two"))
    onnx.save(model, place.bench.network)
    again = bench(place.bench.path.parent, "11", profiles=PROFILES, network=place.bench.network)
    place.bench.path, place.bench.trt = again.path, type(again.trt)(place.bench.cuda, "11.4.0.106")
    broken = model_of(manifest_of("argmax"), place.session())
    with pytest.raises(
        RuntimeError, match=r"model argmax: \d+ of \d+ values of output two are not"
    ):
        broken(place.frame((96, 54)))


def test_without_kernels_the_host_does_it_and_the_log_says_why(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    code = place.driver.CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
    place.driver.refuse["cuModuleLoadData"] = code
    session = place.session()
    with caplog.at_level(logging.WARNING):
        model, _ = (model_of(manifest_of("argmax"), session) for _ in range(2))
    (said,) = [record.message for record in caplog.records]
    assert "the host prepares images and reads whole outputs: CUDA was asked to load" in said
    rgb = np.random.default_rng(1).integers(0, 256, (54, 96, 3), np.uint8)
    there = model_of(manifest_of("argmax"), open_session("onnxruntime", place.bench.network, 1))
    same(model(rgb), there(rgb))


def test_a_surface_is_read_when_its_decoder_is_done(place: Place) -> None:
    cuda = Cuda(place.bench.cuda)
    model = model_of(manifest_of("argmax"), place.session())
    frame = place.frame((96, 54))
    stream, event = Stream(cuda), Event(cuda)
    for value in range(4):  # the decoder's own stream writes it while the call is made
        address = frame.planes.luma
        stream.clear(frame._there, 96 * 27 * (value % 2 + 1))
        event.record(stream)
        frame.ready = event.handle
        found = model(frame)
        assert place.bench.cuda.memory(address, 96 * 27).max() == 0
        same(found, place.expected(model, frame)[0])
    event.close()
    stream.close()


OPENED: list[TensorrtSession] = []


def open_here(path: Path, threads: int) -> TensorrtSession:
    """Stand for the runtime ``tensorrt``: the session that a test has opened."""
    del path, threads
    return OPENED[-1]


def test_a_stage_runs_on_frames_of_the_gpu_and_says_by_when(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of("argmax", runtime="tensorrt")
    said = manifest.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    monkeypatch.setitem(RUNTIMES, "tensorrt", f"{__name__}:open_here")
    monkeypatch.setattr(f"{__name__}.OPENED", [place.session()])
    wanted: list[float | None] = []
    run = Batcher.run_around

    def noted(self: Batcher, feeds: Any, arounds: Any, by_s: float | None = None) -> Any:
        wanted.append(by_s)
        return run(self, feeds, arounds, by_s)

    monkeypatch.setattr(Batcher, "run_around", noted)
    stage = InferStage(str(tmp_path / "net.yaml"))
    del wanted[:]
    there = place.frame((96, 54))
    frame = DeviceFrame(there.planes, cast(Any, None), 7, Converted())  # no viewer: no pixels
    before_s = time.monotonic()
    for captured_s in (1000.0, 1000.5):
        result = FrameResult("gate", 0, 0, int(captured_s * 1e9), "arrival", 96, 54)
        result = stage(frame, result)
    (mask,) = result.masks
    expected = place.expected(stage.model, there)[0].masks[0]
    np.testing.assert_array_equal(mask.bits, expected.bits)
    first, second = wanted
    assert first is None  # the pace is not known yet
    assert second is not None
    assert before_s + 0.5 <= second <= time.monotonic() + 0.5


def test_gpus_by_index(place: Place) -> None:
    here, there = (place.session(index) for index in (0, 1))
    assert (here.gpu, there.gpu) == (0, 1)
    models = [model_of(manifest_of("argmax"), each) for each in (here, there)]
    for _ in range(2):
        for index, model in enumerate(models):  # in one thread, by turns
            frame = place.frame((96, 54), 5, index=index)
            same(model(frame), place.expected(model, frame)[0])
    with pytest.raises(AssertionError, match="came to the host"):  # whence another GPU gets it
        models[0](place.frame((96, 54), index=1))
    assert {*held.now()} == {"0", "1"}
    with pytest.raises(RuntimeError, match=r"there is no GPU 2; CUDA shows 2, counted from 0"):
        place.bench.open(place.driver, 2)


def test_what_is_held_is_counted_and_bounded(place: Place) -> None:
    session = place.session()
    model = model_of(manifest_of("argmax"), session)
    frame = np.zeros((48, 64, 3), np.uint8)
    for _ in range(2):
        model(frame)
    small = held.now()["0"]["lanes"]
    session.run({"images": np.zeros((8, 3, *SIZE[::-1]), np.float32)})
    large = held.now()["0"]
    assert large["lanes"] > small
    assert large["pinned"] > 0
    held.allow(large["lanes"])
    try:
        with pytest.raises(FullError, match=r"GPU 0: .* go beyond engine.gpu_memory_mib: 0; raise"):
            place.session()
        model(frame)  # what is there goes on
    finally:
        held.allow(None)


def test_refuses_arounds_that_do_not_fit(place: Place) -> None:
    batcher = Batcher(place.session(), 8)
    work = GpuWork(
        "x", manifest_of("argmax", input={"name": "images", "size": (32, 24)}).input, [], batcher
    )
    fill_, at = work.filled(place.frame((96, 54)), None) or (None, None)
    with pytest.raises(FeedError, match=r"input images: expected \(any, 3, 48, 64\)"):
        batcher.run_around({}, [work.around(fill_, at)])  # type: ignore[arg-type]
    images = np.zeros((2, 3, *SIZE[::-1]), np.float32)
    with pytest.raises(FeedError, match="expected the work around each of 2 images, got 1"):
        batcher.run_around({"images": images}, [work.around(None, at)])  # type: ignore[arg-type]
