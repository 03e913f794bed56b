"""Looking inside: tensors by name, figures, images, and the layer where two sides part."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from engines.builder.onnx_file import load_onnx
from engines.inspect.figures import figures
from engines.inspect.graph import Graph
from engines.inspect.parting import Comparison, Side, compare, difference
from engines.inspect.picture import GAP_PX, INFINITE, NAN, draw_tensor, planes_of
from engines.inspect.values import feeds_of, values
from engines.made import network_of
from engines.manifest import WEIGHTS, ZOO, find
from tests.support import inside_runtimes
from tests.support.inside_runtimes import FROM
from tests.support.onnx_networks import floats, save
from tests.support.shared_clips import clip_frame

pytestmark = pytest.mark.slow

ORT = "onnxruntime"


@pytest.fixture(scope="module")
def street() -> Graph:
    return Graph(WEIGHTS / "street.onnx")


def small(path: Path, slope: float = 2.0) -> Path:
    """Doubles, takes the logarithm, adds: NaN where the input is negative."""
    node = helper.make_node
    nodes = [
        node("Mul", ["x", "slope"], ["doubled"], name="double"),
        node("Log", ["doubled"], ["logs"]),
        node("Add", ["logs", "doubled"], ["y"], name="sum"),
        node("Mul", ["slope", "slope"], ["unused"]),
    ]
    return save(
        path,
        nodes,
        {"slope": np.array([slope], np.float32)},
        [floats("x", [4])],
        [floats("y", [4])],
    )


def test_layers_leave_out_what_weights_alone_make(tmp_path: Path) -> None:
    graph = Graph(small(tmp_path / "small.onnx"))
    assert [str(layer) for layer in graph.layers] == [
        "Mul double (node 0)",
        "Log logs (node 1)",
        "Add sum (node 2)",
    ]
    assert graph.layers[2].inputs == ("logs", "doubled")
    assert graph.tensors == ("x", "doubled", "logs", "y", "unused", "slope")
    assert graph.shapes["logs"] == ("float32", "4")


def test_any_tensor_has_a_value(tmp_path: Path) -> None:
    graph = Graph(small(tmp_path / "small.onnx"))
    x = np.array([1, 2, 3, 4], np.float32)
    found = dict(values(graph, ORT, {"x": x}, graph.tensors))
    assert list(found) == ["x", "slope", "doubled", "logs", "y", "unused"]
    np.testing.assert_allclose(found["logs"], np.log(2 * x), rtol=1e-6)
    np.testing.assert_array_equal(found["unused"], [4])
    assert graph.outputs == ("y",)  # the file is as it was
    with pytest.raises(ValueError, match=r'no tensor "doubld" in small.onnx; did you mean doubled'):
        dict(values(graph, ORT, {"x": x}, ["doubld"]))


def test_groups_give_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.inspect.values.GROUP", 2)
    graph = Graph(small(tmp_path / "small.onnx"))
    found = dict(values(graph, ORT, {"x": np.ones(4, np.float32)}, ["doubled", "logs", "y"]))
    assert list(found) == ["doubled", "logs", "y"]


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 100)
    for name in ("bad.onnx", "model.tflite"):
        with pytest.raises(ValueError, match="expected an ONNX file"):
            Graph(tmp_path / name)


def test_without_onnx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "mirante\[build\]"'):
        load_onnx()


def test_figures_are_over_finite_values() -> None:
    found = figures(np.array([[0, 1, 3], [np.nan, np.inf, 0]], np.float32))
    assert (found.shape, found.dtype, found.nans, found.infs) == ((2, 3), "float32", 1, 1)
    assert (found.least, found.most, found.mean) == (0, 3, 1)
    assert found.std == pytest.approx(np.std([0, 1, 3, 0]))
    assert found.zeros == pytest.approx(2 / 6)
    assert not found.is_sound
    assert figures(np.array([True, False])).mean == 0.5
    assert np.isnan(figures(np.full(2, np.nan)).mean)
    assert figures(np.empty((0, 4))).shape == (0, 4)


def test_channels_of_tensors() -> None:
    assert planes_of(np.zeros((2, 5, 6, 7))).shape == (5, 6, 7)
    assert planes_of(np.zeros((1, 6, 7, 3))).shape == (3, 6, 7)  # an image, channels last
    assert planes_of(np.zeros((1, 3, 7, 4))).shape == (3, 7, 4)
    assert planes_of(np.zeros((1, 8, 9))).shape == (1, 8, 9)
    assert planes_of(np.zeros(5)).shape == (1, 1, 5)
    assert planes_of(np.zeros(())).shape == (1, 1, 1)
    assert planes_of(np.zeros((2, 3, 4, 5, 6))).shape == (24, 5, 6)


def test_a_picture_has_a_tile_a_channel() -> None:
    """Each from its own least to its own largest value, small ones enlarged, the rest told."""
    array = np.zeros((1, 4, 16, 16), np.float32)
    array[0, 1] = np.linspace(5, 6, 16)
    array[0, 2, :, :8], array[0, 3, 0, 0] = np.nan, -np.inf
    sheet = draw_tensor(array)
    assert sheet.shape == (128 + GAP_PX, 128 + GAP_PX, 3)
    low, high = sheet[0, 64 + GAP_PX], sheet[0, -1]
    np.testing.assert_array_equal(low, sheet[0, 0])  # all the same: the least
    assert high.astype(int).sum() > low.astype(int).sum() + 200
    below = 64 + GAP_PX
    assert (sheet[below, 0].tolist(), sheet[below, 63].tolist()) == (list(NAN), low.tolist())
    assert sheet[below, below].tolist() == list(INFINITE)
    assert draw_tensor(np.zeros((1, 1, 2000, 1000))).shape == (512, 256, 3)
    with pytest.raises(ValueError, match=r"the tensor is empty, its shape is \(0, 4\)"):
        draw_tensor(np.empty((0, 4)))


def test_differences() -> None:
    a = np.array([1, -4, np.nan, np.inf], np.float32)
    assert difference("a", a, a).relative == 0
    assert difference("a", a, np.array([1, -3, np.nan, np.inf], np.float32)).relative == 0.25
    assert difference("a", a, np.array([1, -4, 0, np.inf], np.float32)).relative == np.inf
    assert difference("a", a, np.array([1, -4, np.nan, -np.inf], np.float32)).words.startswith(
        "1 of 4 values"
    )
    assert "against (2,)" in difference("a", a, a[:2]).words
    assert difference("a", np.zeros(2), np.zeros(2)).relative == 0


def with_other_weight(graph: Graph, layer: str, path: Path) -> Graph:
    """A copy in which one value of the weight of a convolution is another."""
    model = onnx.load(graph.path)
    (node,) = [each for each in model.graph.node if layer in each.output]
    cast = {each.output[0]: each.input[0] for each in model.graph.node if each.op_type == "Cast"}
    name = cast.get(node.input[1], node.input[1])
    (weight,) = [each for each in model.graph.initializer if each.name == name]
    array = numpy_helper.to_array(weight).copy()
    array[0, 0, 0, 0] += np.abs(array).max()
    weight.CopyFrom(numpy_helper.from_array(array, name))
    onnx.save(model, path)
    return Graph(path)


def parted(comparison: Comparison) -> str:
    assert comparison.parting is not None
    assert all(each.relative <= 1e-3 for each in comparison.parting.before)
    assert any(each.relative > 1e-3 for each in comparison.parting.after)
    return comparison.parting.layer.outputs[0]


def part_of_street(street: Graph) -> dict[str, NDArray[Any]]:
    """What is fed of a frame, small, as the network takes any size."""
    feeds = feeds_of(find("street"), street, clip_frame("bikes.mp4", 30))
    return {name: value[..., :96, 96:192].copy() for name, value in feeds.items()}


def test_an_altered_weight_is_found_at_its_layer(street: Graph, tmp_path: Path) -> None:
    layer = street.layers[len(street.layers) // 2 :]
    wanted = next(each.outputs[0] for each in layer if each.op == "Conv")
    other = with_other_weight(street, wanted, tmp_path / "other.onnx")
    comparison = compare(Side(street, ORT), Side(other, ORT), part_of_street(street))
    assert parted(comparison) == wanted
    assert comparison.layers == len(street.layers)
    assert comparison.outputs[0].relative > 1e-3


def test_a_runtime_that_errs_is_found_at_its_layer(street: Graph) -> None:
    wrong = Side(street, f"{inside_runtimes.__name__}:Wrong")
    comparison = compare(Side(street, ORT), wrong, part_of_street(street))
    assert parted(comparison) == FROM
    assert comparison.parting is not None
    assert not comparison.parting.fused


def test_what_only_fusing_does_is_found_by_halving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right whenever several tensors are looked at; wrong from the fourth of six layers on."""
    node = helper.make_node
    names = ["x", "a", "b", "c", "d", "e", "y"]
    nodes = [node("Add", [a, "one"], [b]) for a, b in pairwise(names)]
    constants = {"one": np.array([1], np.float32)}
    path = save(tmp_path / "six.onnx", nodes, constants, [floats("x", [1])], [floats("y", [1])])
    monkeypatch.setattr(inside_runtimes.WrongWhenFused, "wrong", ("d", "e", "y"))
    graph, runtime = Graph(path), f"{inside_runtimes.__name__}:WrongWhenFused"
    comparison = compare(Side(graph, ORT), Side(graph, runtime), {"x": np.array([1], np.float32)})
    assert parted(comparison) == "d"
    assert comparison.parting is not None
    assert comparison.parting.fused
    assert comparison.worst is not None
    assert comparison.worst.relative == 0  # with every layer looked at


def test_files_of_other_inputs_are_refused(street: Graph, tmp_path: Path) -> None:
    other = Graph(small(tmp_path / "small.onnx"))
    with pytest.raises(ValueError, match="inputs: expected those of both files equal, got images"):
        compare(Side(street, ORT), Side(other, ORT), {})


def test_a_manifest_of_other_inputs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"input: expected image, as test-boxes.onnx has, got im"):
        feeds_of(find("street"), Graph(ZOO / "test-boxes.onnx"), None)


def test_real_runtimes_agree_on_small_convolutions(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason='pip install "mirante[openvino]"')
    random, node, nodes = np.random.default_rng(1), helper.make_node, list[onnx.NodeProto]()
    weights = {f"w{n}": random.normal(0, 0.1, (8, 8, 3, 3)).astype(np.float32) for n in range(4)}
    for n in range(4):
        inputs = [f"y{n}", f"w{n}"]
        nodes.append(node("Conv", inputs, [f"c{n}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", [f"c{n}"], [f"y{n + 1}"]))
    shape = [1, 8, 32, 32]
    ends = [floats("y0", shape)], [floats("y4", shape)]
    graph = Graph(save(tmp_path / "small.onnx", nodes, weights, *ends))
    feeds = {"y0": random.random(shape, np.float32)}
    agree(compare(Side(graph, ORT), Side(graph, "openvino"), feeds), graph)


@pytest.mark.parametrize(
    ("model", "runtime"),
    [
        ("street", "onnxruntime-basic"),
        pytest.param("street", "openvino", marks=pytest.mark.full),
        pytest.param("yolox-nano", "onnxruntime-basic", marks=pytest.mark.full),
        pytest.param("yolox-nano", "openvino", marks=pytest.mark.full),
    ],
)
def test_real_runtimes_agree_on_real_models(
    model: str, runtime: str, request: pytest.FixtureRequest
) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason='pip install "mirante[openvino]"')
    if model != "street":
        request.getfixturevalue("weights")
    manifest, file = network_of(find(model))
    graph = Graph(file)
    if model == "street":
        feeds = part_of_street(graph)
    else:
        feeds = feeds_of(manifest, graph, clip_frame("bikes.mp4", 30))
    agree(compare(Side(graph, ORT), Side(graph, runtime), feeds), graph)


def agree(comparison: Comparison, graph: Graph) -> None:
    """Check that all layers were compared, and are equal but for the order of sums."""
    assert comparison.parting is None
    assert 0.9 * len(graph.layers) < comparison.layers <= len(graph.layers)
    assert comparison.worst is not None
    assert 0 < comparison.worst.relative < 1e-3
