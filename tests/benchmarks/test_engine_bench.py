"""What the bench of engines counts, compares and reports; not how fast this machine is."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from benchmarks.models import gpu, rounds
from benchmarks.models.batches import stacked, write_batched
from benchmarks.models.batching import TimedSession, idle, loaded
from benchmarks.models.flops import count_flops
from benchmarks.models.made import parity_words
from benchmarks.models.overhead import added_us, overhead
from benchmarks.models.peak import Peak, PeakKey, peaks_of, write_products
from benchmarks.models.plan import Variant
from benchmarks.models.rounds import in_turn, ratio
from benchmarks.models.timing import measure, prepare_all
from benchmarks.models.variants import Source, prepare
from engines.builder.builders import BuildError
from engines.builder.frames import shipped_pictures
from engines.inspect.graph import Graph
from engines.runtimes import Session, Tensors, open_session
from pipeline.cameras.synthetic import picture
from tests.support.onnx_networks import floats, save

pytestmark = pytest.mark.slow

FRAMES = [picture(number * 50, 320, 240) for number in range(3)]


def graph_of(
    path: Path,
    nodes: list[Any],
    weights: dict[str, tuple[int, ...]],
    shape: list[int | str | None],
    out: list[int | str | None],
) -> Graph:
    constants = {name: np.ones(size, np.float32) for name, size in weights.items()}
    return Graph(save(path, nodes, constants, [floats("x", shape)], [floats("y", out)]))


@pytest.mark.parametrize(
    ("node", "weight", "shape", "out", "expected"),
    [
        # 6 channels of 4x5, each a sum over 3 channels of 3x3
        (("Conv", {"pads": [1, 1, 1, 1]}), (6, 3, 3, 3), (1, 3, 4, 5), (1, 6, 4, 5), 120 * 27 * 2),
        # two images, one channel a group: a sum over 3x3
        (
            ("Conv", {"group": 4, "strides": [2, 2]}),
            (4, 1, 3, 3),
            (2, 4, 7, 7),
            (2, 4, 3, 3),
            72 * 9 * 2,
        ),
        # each of 2x3x3 values is spread over 5 channels of 2x2
        (
            ("ConvTranspose", {"strides": [2, 2]}),
            (2, 5, 2, 2),
            (1, 2, 3, 3),
            (1, 5, 6, 6),
            18 * 20 * 2,
        ),
        (("MatMul", {}), (7, 3), (2, 4, 7), (2, 4, 3), 2 * 2 * 4 * 3 * 7),
        (("MatMul", {}), (7,), (4, 7), (4,), 2 * 4 * 7),
        (("Gemm", {}), (7, 3), (4, 7), (4, 3), 2 * 4 * 3 * 7),
        (("Gemm", {"transA": 1, "transB": 1}), (3, 7), (7, 4), (4, 3), 2 * 4 * 3 * 7),
    ],
)
def test_operations_of_one_node(
    node: tuple[str, dict[str, Any]],
    weight: tuple[int, ...],
    shape: tuple[int, ...],
    out: tuple[int, ...],
    expected: int,
    tmp_path: Path,
) -> None:
    nodes = [helper.make_node(node[0], ["x", "w"], ["y"], **node[1])]
    graph = graph_of(tmp_path / "one.onnx", nodes, {"w": weight}, list(shape), list(out))
    assert count_flops(graph, {"x": np.zeros(shape, np.float32)}) == expected


def test_operations_of_a_dynamic_network(tmp_path: Path) -> None:
    """A convolution of 1x1 and a product of two tensors; what lies between is not counted."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["b", "c"], ["y"]),
    ]
    graph = graph_of(
        tmp_path / "two.onnx", nodes, {"w": (4, 2, 1, 1)}, [1, 2, "h", "w"], [1, 4, "h", "h"]
    )
    conv, product = 2 * (4 * 5 * 6) * 2, 2 * (4 * 5 * 5) * 6
    assert count_flops(graph, {"x": np.zeros((1, 2, 5, 6), np.float32)}) == conv + product


def test_the_peaks_network_does_its_products(tmp_path: Path) -> None:
    path = tmp_path / "products.onnx"
    flops = write_products(path, side=8, times=3)
    assert flops == 3 * 2 * 8**3 == count_flops(Graph(path), {"x": np.zeros((1, 1), np.float32)})
    matrix = Graph(path).weight("matrix")
    session = open_session("onnxruntime", path, 1)
    for x in (0.0, 2.0):
        expected = np.linalg.multi_dot([matrix + x, matrix, matrix, matrix]).sum()
        y = session.run({"x": np.full((1, 1), x, np.float32)})["y"]
        np.testing.assert_allclose(y, [[expected]], rtol=1e-3)


def test_calls_have_their_turn_in_either_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LEAST_CALLS", 2)
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    taken = in_turn(calls, 2, block_s=0)
    assert "".join(order) == "aaabbb" + "bbbaaa"
    assert [len(each) for each in taken.values()] == [2, 2]
    with pytest.raises(ValueError, match="rounds: expected 1 or more, got 0"):
        in_turn(calls, 0)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([1, 20, 1], [2, 40, 4]) == 2


def scaling(path: Path, mixing: bool = False) -> Graph:
    """Doubles its input; ``mixing``: and adds the sum of all, so that images of a batch meet."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["a"])]
    if mixing:
        nodes.append(helper.make_node("ReduceSum", ["a"], ["s"], keepdims=1))
    nodes.append(helper.make_node("Add", ["a", "s" if mixing else "a"], ["y"]))
    return graph_of(path, nodes, {"two": (1,)}, [1, 3], [1, 3])


def test_batches_where_the_network_allows(tmp_path: Path) -> None:
    feeds = [{"x": np.array([[i, 1, 2]], np.float32)} for i in range(2)]
    np.testing.assert_array_equal(stacked(feeds, 3)["x"][:, 0], [0, 1, 0])
    path = tmp_path / "copy.onnx"
    write_batched(scaling(tmp_path / "fixed.onnx"), feeds, path)
    assert open_session("onnxruntime", path, 1).inputs["x"].shape == (None, 3)
    with pytest.raises(BuildError, match="takes one image per call"):
        write_batched(scaling(tmp_path / "mixing.onnx", mixing=True), feeds, path)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    yield Source("face", FRAMES, tmp_path_factory.mktemp("bench"))


def test_a_variant_is_compared_with_onnxruntime(source: Source) -> None:
    one = prepare(source, Variant("face", "onnxruntime", "fp32", 1, 1))
    two = prepare(source, Variant("face", "onnxruntime", "fp32", 2, 2))
    assert two.flops == 2 * one.flops > 0
    assert one.made.bytes == source.graph.path.stat().st_size
    assert next(iter(two.feeds.values())).shape[0] == 2
    assert float(two.parity) < 1e-4
    wrong = prepare(source, Variant("face", "tests.support.bench_runtimes:Tenth", "fp32", 1, 1))
    assert float(wrong.parity) == pytest.approx(0.1, rel=0.05)


def test_an_engine_that_was_built(tmp_path: Path, home: Path) -> None:
    pytest.importorskip("onnxslim", reason='pip install "mirante[build]"')
    face = Source("face", shipped_pictures()[8:], tmp_path)
    made = prepare(face, Variant("face", "onnxruntime", "int8", 1, 1)).made
    assert made.path.is_relative_to(home / "engines")
    assert made.bytes < face.graph.path.stat().st_size
    assert made.build_s is not None
    assert re.fullmatch(r"iou of face 0\.\d+", made.parity)


def test_words_of_a_gate() -> None:
    figures = {"boxes": 7.0, "iou mean": 0.98765}
    graph = {"figures": figures, "limits": {"iou mean": 0.9}}
    assert parity_words({"graph": graph, "engine": None}) == "its graph: iou mean 0.988"
    assert parity_words({"graph": None, "engine": graph}) == "iou mean 0.988"


def test_a_letterbox_that_is_cut_costs_less(tmp_path: Path) -> None:
    """Engines for GPUs have one size; on a CPU the tensor is no larger than the image."""
    wide = [np.zeros((180, 320, 3), np.uint8)]
    street = Source("street", wide, tmp_path)
    spec = street.manifest.input
    assert spec.multiple is not None
    whole = spec.model_copy(update={"multiple": None})
    assert 1.5 * street.flops(spec) < street.flops(whole) < 2 * street.flops(spec)


def test_rows_and_refusals(source: Source, tmp_path: Path) -> None:
    good = Variant("face", "onnxruntime", "fp32", 1, 1)
    bad = good._replace(runtime="opnvino")
    other = good._replace(runtime="tests.support.bench_runtimes:Tenth")
    told: list[str] = []
    ready, refusals = prepare_all({"face": source}, [good, bad, other], told.append)
    assert (list(ready), list(refusals)) == ([good, other], [bad])
    assert 'did you mean "openvino"?' in refusals[bad]
    assert told[0] == "face onnxruntime fp32 1 1"
    flops = write_products(tmp_path / "p.onnx", 32, 1)
    session = open_session("onnxruntime", tmp_path / "p.onnx", 1)
    peaks = [Peak(PeakKey(1, "fp32"), "onnxruntime", session, flops)]
    rows, highest = measure(ready, peaks, 2)
    assert [row.variant for row in rows] == [good, other]
    assert rows[0].speed == 1
    assert rows[1].speed is not None
    rate = highest[PeakKey(1, "fp32")]
    assert rows[0].share == pytest.approx(
        source.flops(source.manifest.input) / rows[0].call_ms * 1e3 / rate
    )
    assert rows[0].pictures_s == pytest.approx(1e3 / rows[0].call_ms)


def test_peaks_are_of_the_runtimes_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.models.peak.SIDE", 16)
    peaks = list(peaks_of(["onnxruntime", "nosuch"], [1, 2], False, tmp_path))
    assert [(peak.name, *peak.key) for peak in peaks] == [
        ("onnxruntime", 1, "fp32"),
        ("onnxruntime", 2, "fp32"),
    ]
    for peak in peaks:
        peak.call()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_our_runtime_beside_the_bare_call(source: Source, runtime: str, tmp_path: Path) -> None:
    pytest.importorskip(runtime)
    ratios = overhead(source.graph.path, runtime, source.feeds[0], 1, 2)
    assert len(ratios) == 2
    assert min(ratios) > 0
    assert np.isfinite(added_us(runtime, tmp_path, 3))


def test_overhead_of_a_runtime_without_a_bare_call(source: Source) -> None:
    with pytest.raises(ValueError, match="expected one of onnxruntime, openvino, got litert"):
        overhead(source.graph.path, "litert", source.feeds[0], 1, 1)


class Counting:
    """A batcher that puts nothing together, and counts."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.calls, self.closed = 0, False
        self._lock = threading.Lock()

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        with self._lock:
            self.calls += 1
        return self.session.run(feeds)

    def close(self) -> None:
        self.closed = True


def test_a_session_that_only_takes_time() -> None:
    session = TimedSession(0, 0)
    x = np.arange(2 * 3 * 64, dtype=np.float32).reshape(2, 3, 8, 8)
    np.testing.assert_array_equal(session.run({"x": x})["y"], [0, 192])
    assert session.inputs["x"].shape == (None, 3, 8, 8)


def test_an_idle_batcher_is_called_as_often_as_the_session() -> None:
    made: list[Counting] = []

    def batching(session: Session) -> Counting:
        made.append(Counting(session))
        return made[-1]

    found = idle(TimedSession(0, 0), batching, {"x": np.zeros((1, 3, 8, 8), np.float32)}, 3)
    assert made[0].calls == 1 + 3
    assert made[0].closed
    assert found.added_p50 == found.batcher_p50 - found.bare_p50
    assert found.added_p95 == found.batcher_p95 - found.bare_p95


def test_without_putting_together_full_batches_are_out_of_reach() -> None:
    """A call takes 4 ms for one image as for four, and only one runs at a time."""
    feeds = [{"x": np.full((1, 3, 8, 8), i, np.float32)} for i in range(3)]
    found = loaded(TimedSession(4, 0), Counting, feeds, 4, 7, 0.1)
    assert 0 < found.batcher < found.full
    assert found.share < 0.9


def test_what_a_caller_raises_ends_the_measuring() -> None:
    with pytest.raises(ValueError, match="expected y"):
        loaded(TimedSession(0, 0), Broken, [{"x": np.zeros((1, 3, 8, 8))}], 2, 1, 0.01)


class Broken(Counting):
    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        raise ValueError("expected y")


def test_a_gpu_is_read_from_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(gpu.NoGpuError, match=r"--gpu: expected an NVIDIA GPU and its driver: "):
        gpu.find_gpu()
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100, PCIe, 9.0, 580.65, 81559 MiB'\n")
    program.chmod(0o755)
    found = gpu.find_gpu()
    assert str(found) == "NVIDIA H100, PCIe (sm90), 81559 MiB, driver 580.65"
    program.write_text("#!/bin/sh\necho 'cannot communicate with the driver'; exit 9\n")
    with pytest.raises(gpu.NoGpuError, match="communicate with the driver"):
        gpu.find_gpu()


def test_engines_for_other_gpus_are_built_and_tried(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason='pip install "mirante[tensorrt-rtx]"')
    found = gpu.probe(tmp_path)
    assert list(found) == ["sm80", "ampere+"]
    assert all(words == "runs" or words.startswith("refused: ") for words in found.values())
