"""Simplified graphs compute what they did: paddings that follow from the size, above all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import engines
from engines.builder.build import build
from engines.builder.graphs import gap, run
from engines.builder.shapes import fixed, modern, shaped
from engines.builder.simplify import noise, simplified
from tests.support.built_engines import ask, store
from tests.support.conversions import photographs
from tests.support.onnx_networks import floats, save

# Looked for, not imported: it takes half a second, in each process that lists the tests.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("onnxslim") is None, reason='pip install "mirante[build]"'),
]

__all__ = ["store"]

Nodes = list[onnx.NodeProto]


def same_padding(source: str, layer: int, rank: int, kernel: int) -> tuple[Nodes, dict[str, Any]]:
    """Pads a tensor as TensorFlow does for a step of two, by the nodes that PyTorch writes.

    Of each axis, last first, stand (kernel - 2) // 2 before it and the rest behind, plus one where
    its length is odd.
    """
    make, name = helper.make_node, f"pad{layer}"
    nodes, ends = [make("Shape", [source], [f"{name}.shape"])], []
    for axis in reversed(range(2, rank + 2)):
        at = f"{name}.{axis}"
        nodes += [
            make("Gather", [f"{name}.shape", f"index{axis}"], [f"{at}.length"], axis=0),
            make("Mod", [f"{at}.length", "two"], [f"{at}.odd"]),
            make("Add", [f"{at}.odd", f"{name}.all"], [f"{at}.total"]),
            make("Div", [f"{at}.total", "two"], [f"{at}.low"]),
            make("Sub", [f"{at}.total", f"{at}.low"], [f"{at}.high"]),
        ]
        ends += [f"{at}.low", f"{at}.high"]
    nodes += [
        make("Concat", [*ends, "zeros"], [f"{name}.flat"], axis=0),
        make("Reshape", [f"{name}.flat", "pairs"], [f"{name}.pairs"]),
        make("Slice", [f"{name}.pairs", "last", "least", "first", "back"], [f"{name}.turned"]),
        make("Transpose", [f"{name}.turned"], [f"{name}.sides"], perm=[1, 0]),
        make("Reshape", [f"{name}.sides", "one_axis"], [f"{name}.pads"]),
        make("Pad", [source, f"{name}.pads"], [f"{name}.padded"]),
    ]
    return nodes, {f"{name}.all": np.array([kernel - 2], np.int64)}


def padded(path: Path, rank: int, ops: tuple[str, ...]) -> Any:
    """A network of such layers, its size open."""
    nodes: Nodes = []
    constants: dict[str, Any] = {
        "two": np.array([2], np.int64),
        "zeros": np.zeros(4, np.int64),
        "pairs": np.array([-1, 2], np.int64),
        "first": np.array([0], np.int64),
        "last": np.array([-1], np.int64),
        "least": np.array([-(2**63) + 1], np.int64),
        "back": np.array([-1], np.int64),
        "one_axis": np.array([-1], np.int64),
        **{f"index{axis}": np.array([axis], np.int64) for axis in range(2, rank + 2)},
    }
    rng = np.random.default_rng(0)
    last = "x"
    for layer, op in enumerate(ops):
        kernel = 5 if layer % 2 else 3
        more, values = same_padding(last, layer, rank, kernel)
        keys: dict[str, Any] = {"kernel_shape": [kernel] * rank, "strides": [2] * rank}
        inputs = [f"pad{layer}.padded"]
        if op == "Conv":
            weight = f"w{layer}"
            constants[weight] = rng.normal(size=(3, 3, *[kernel] * rank)).astype(np.float32)
            inputs.append(weight)
        last = f"y{layer}" if layer < len(ops) - 1 else "y"
        nodes += [*more, helper.make_node(op, inputs, [last], **keys)]
        constants |= values
    names = [f"side{axis}" for axis in range(rank)]
    ends = [floats("x", ["n", 3, *names]), floats("y", ["n", 3, *[None] * rank])]
    return onnx.load(str(save(path, nodes, constants, ends[:1], ends[1:])))


@pytest.mark.parametrize(
    ("rank", "ops", "sides"),
    [
        (1, ("Conv", "Conv", "MaxPool"), (64,)),
        (2, ("Conv", "Conv", "Conv"), (64, 96)),
        (2, ("Conv", "MaxPool", "AveragePool"), (63, 40)),
        (2, ("AveragePool", "Conv", "MaxPool", "Conv"), (64, 65)),
        (3, ("Conv", "MaxPool", "Conv"), (16, 17, 32)),
    ],
)
@pytest.mark.parametrize("batch", [1, None])
def test_padding_that_follows_from_the_size_stays_where_it_is(
    tmp_path: Path, rank: int, ops: tuple[str, ...], sides: tuple[int, ...], batch: int | None
) -> None:
    model = padded(tmp_path / "net.onnx", rank, ops)
    feeds = {"x": np.random.default_rng(1).random((1, 3, *sides), np.float32)}
    expected = run(model, feeds)["y"]
    made = fixed(model, {"x": [batch, 3, *sides]})
    assert gap(expected, run(made, feeds)["y"]) < 1e-5
    left = {node.op_type for node in made.graph.node}
    assert left <= {"Conv", "MaxPool", "AveragePool", "Pad"}  # all else became constants


def test_the_published_case(weights: Path) -> None:
    path = weights.parent / "field" / "models" / "same_padding.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    model = modern(onnx.load(str(path)))
    feeds = {"x": np.random.default_rng(1).random((1, 3, 64, 64), np.float32)}
    made = fixed(model, {"x": [1, 3, 64, 64]})
    assert gap(run(model, feeds)["y"], run(made, feeds)["y"]) < 1e-5
    pads = [
        list(attribute.ints)
        for node in made.graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "pads"
    ]
    assert pads == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 2, 2]]


def test_a_graph_is_simplified_once_for_all_that_is_built_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxslim

    slim, asked = onnxslim.slim, []

    def counted(model: Any, **keys: Any) -> Any:
        asked.append(len(model.graph.node))
        return slim(model, **keys)

    monkeypatch.setattr(onnxslim, "slim", counted)
    model = padded(tmp_path / "net.onnx", 2, ("Conv", "Conv"))
    first = fixed(model, {"x": [1, 3, 64, 64]})
    rounds = len(asked)
    second = fixed(model, {"x": [1, 3, 64, 64]})
    assert rounds == len(asked) > 0
    assert second == first
    del second.graph.node[:]  # is the caller's own
    assert fixed(model, {"x": [1, 3, 64, 64]}) == first
    fixed(model, {"x": [1, 3, 64, 96]})
    assert len(asked) > rounds


@pytest.fixture
def turned_pads(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimiser that exchanges the two ends of each padding."""
    import onnxslim

    slim = onnxslim.slim

    def turning(model: Any, **keys: Any) -> Any:
        made = slim(model, **keys)
        for node in made.graph.node:
            for attribute in node.attribute:
                if attribute.name == "pads":
                    half = len(attribute.ints) // 2
                    attribute.ints[:] = [*attribute.ints[half:], *attribute.ints[:half]]
        return made

    monkeypatch.setattr(onnxslim, "slim", turning)


@pytest.mark.usefixtures("turned_pads")
def test_what_an_optimiser_spoils_is_thrown_away_with_a_word(tmp_path: Path) -> None:
    model = padded(tmp_path / "net.onnx", 2, ("Conv", "Conv"))
    model = shaped(model, {"x": [1, 3, 64, 64]})
    said: list[str] = []
    made = simplified(model, None, said.append)
    assert len(said) == 1
    assert said[0].startswith("onnxslim made another network of it (output y differs by ")
    assert len(made.graph.node) == len(model.graph.node)
    feeds = noise(model)
    assert np.array_equal(run(model, feeds)["y"], run(made, feeds)["y"])


def rgb_planes(folder: Path) -> str:
    """The manifest of a network of one convolution, padded below and on the right."""
    weight = np.zeros((3, 3, 3, 3), np.float32)
    weight[range(3), range(3), 0, 0] = 20  # what lies left above
    node = helper.make_node("Conv", ["x", "w", "b"], ["planes"], pads=[0, 0, 2, 2])
    save(
        folder / "net.onnx",
        [node],
        {"w": weight, "b": np.full(3, -10, np.float32)},
        [floats("x", ["n", 3, 64, 64])],
        [floats("planes", ["n", 3, 64, 64])],
    )
    (folder / "net.yaml").write_text(
        "name: net\ntask: segment\nfile: net.onnx\nlicence: MIT\ninput:\n  name: x\n"
        "  size: [64, 64]\n  scale: 0.00392156862745098\ndecoder: sigmoid\n"
        "options:\n  logits: true\n  planes:\n    planes: [red, green, blue]\n"
        "labels: [red, green, blue]\nthreshold: 0.5\n"
    )
    return str(folder / "net.yaml")


@pytest.mark.usefixtures("turned_pads")
def test_such_an_engine_is_built_of_the_graph_as_it_was(store: Path, tmp_path: Path) -> None:
    del store
    engine = build(ask(rgb_planes(tmp_path), frames=photographs(tmp_path)))
    assert engine.is_proved
    (note,) = engine.about["notes"]
    assert "so the graph stays as it was" in note
    assert engines.load(str(engine.manifest)).name == "net"


@pytest.mark.parametrize(("shift", "notes"), [(1e-6, 0), (0.1, 1)])
def test_rows_that_change_places_are_no_other_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float, notes: int
) -> None:
    """Where a network sorts, the smallest rounding exchanges two rows of next to equal score."""
    nodes = [
        helper.make_node("Add", ["x", "none"], ["moved"]),
        helper.make_node("TopK", ["moved", "k"], ["values", "places"], axis=1, sorted=1),
    ]
    constants: dict[str, Any] = {"none": np.zeros((1, 4), np.float32), "k": np.array([4], np.int64)}
    places = helper.make_tensor_value_info("places", onnx.TensorProto.INT64, [1, 4])
    ends = [floats("values", [1, 4]), places]
    model = onnx.load(
        str(save(tmp_path / "top.onnx", nodes, constants, [floats("x", [1, 4])], ends))
    )

    def rounding(made: Any, **_keys: Any) -> Any:
        moved = np.array([[0, shift, 0, 0]], np.float32)
        (none,) = [each for each in made.graph.initializer if each.name == "none"]
        none.CopyFrom(numpy_helper.from_array(moved, "none"))
        return made

    monkeypatch.setattr("onnxslim.slim", rounding)
    said: list[str] = []
    simplified(model, {"x": np.array([[0.5, 0.5, 0.25, 1]], np.float32)}, said.append)
    assert len(said) == notes
