"""Networks that take uint8 images and normalise them by themselves, in every order of doing so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import engines
from engines.builder.build import build
from engines.builder.builders import BuildError
from engines.builder.fold import fold
from engines.builder.graphs import gap, inputs_of, run
from engines.builder.uint8 import cast_first
from engines.manifest import Input
from tests.support.built_engines import ask, save_pictures, store
from tests.support.onnx_networks import floats, save

pytestmark = pytest.mark.slow

__all__ = ["store"]

SIDE = 32
make: Any = helper.make_node
FLOAT = {"to": TensorProto.FLOAT}
CONSTANTS: dict[str, Any] = {
    "scale": np.float32(1 / 255),
    "zero": np.uint8(7),
    "mean": np.array([0.4, 0.5, 0.6], np.float32),
    "shape": np.array([0, SIDE, SIDE, 3], np.int64),
    "order": np.array([2, 1, 0], np.int64),
    "one": np.uint8(1),
    "w": 9 * np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
}
TO_PLANES = {"perm": [0, 3, 1, 2]}
# From the image to float planes in 0..1.
NORMALISED = {
    "cast, scaled, turned": [
        make("Cast", ["x"], ["f"], **FLOAT),
        make("Mul", ["f", "scale"], ["m"]),
        make("Sub", ["m", "mean"], ["s"]),
        make("Transpose", ["s"], ["planes"], **TO_PLANES),
    ],
    "turned, cast, scaled": [
        make("Transpose", ["x"], ["t"], **TO_PLANES),
        make("Cast", ["t"], ["f"], **FLOAT),
        make("Mul", ["f", "scale"], ["planes"]),
    ],
    "swapped, reshaped, turned, cast": [
        make("Gather", ["x", "order"], ["g"], axis=3),
        make("Reshape", ["g", "shape"], ["r"]),
        make("Transpose", ["r"], ["t"], **TO_PLANES),
        make("Cast", ["t"], ["f"], **FLOAT),
        make("Mul", ["f", "scale"], ["planes"]),
    ],
    "dequantised": [
        make("Transpose", ["x"], ["t"], **TO_PLANES),
        make("DequantizeLinear", ["t", "scale", "zero"], ["planes"]),
    ],
    "dequantised without a zero": [
        make("DequantizeLinear", ["x", "scale"], ["d"]),
        make("Transpose", ["d"], ["planes"], **TO_PLANES),
    ],
}
COUNTED = [
    make("Max", ["x", "one"], ["c"]),
    make("Transpose", ["c"], ["t"], **TO_PLANES),
    make("Cast", ["t"], ["planes"], **FLOAT),
]


def network(folder: Path, nodes: list[onnx.NodeProto], layout: str = "nhwc") -> str:
    """The manifest of a network that takes uint8."""
    shape: list[int | str | None]
    shape = ["n", SIDE, SIDE, 3] if layout == "nhwc" else ["n", 3, SIDE, SIDE]
    image = helper.make_tensor_value_info("x", TensorProto.UINT8, shape)
    read = {name for node in nodes for name in node.input} | {"w"}
    constants = {name: value for name, value in CONSTANTS.items() if name in read}
    nodes = [*nodes, make("Conv", ["planes", "w"], ["y"])]
    save(folder / "net.onnx", nodes, constants, [image], [floats("y", ["n", 3, SIDE, SIDE])])
    (folder / "net.yaml").write_text(
        f"name: net\ntask: segment\nfile: net.onnx\nlicence: MIT\ninput:\n  name: x\n"
        f"  size: [{SIDE}, {SIDE}]\n  layout: {layout}\ndecoder: argmax\n"
        "options:\n  planes:\n    y: [red, green, blue]\nlabels: [red, green, blue]\n"
    )
    return str(folder / "net.yaml")


@pytest.mark.parametrize("nodes", NORMALISED.values(), ids=NORMALISED)
def test_the_cast_comes_first_and_nothing_else_changes(
    tmp_path: Path, nodes: list[onnx.NodeProto]
) -> None:
    network(tmp_path, nodes)
    model = onnx.load(str(tmp_path / "net.onnx"))
    made = cast_first(model)
    assert [node.op_type for node in made.graph.node if "x" in node.input] == ["Cast"]
    onnx.checker.check_model(made, full_check=True)
    feeds = {"x": np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)}
    assert gap(run(model, feeds)["y"], run(made, feeds)["y"]) < 1e-6


def test_what_counts_in_uint8_stays(tmp_path: Path) -> None:
    network(tmp_path, COUNTED)
    model = onnx.load(str(tmp_path / "net.onnx"))
    assert cast_first(model) is model
    spec = Input(name="x", size=(SIDE, SIDE), layout="nhwc")
    assert fold(model, spec)[1].layout == "nhwc"  # it takes what it would be fed
    with pytest.raises(BuildError, match="computes in uint8, so preprocessing cannot be put"):
        fold(model, spec.model_copy(update={"colour": "bgr"}))


@pytest.mark.parametrize("keys", [{}, {"colour": "bgr"}, {"frame": (SIDE * 2, SIDE * 2)}], ids=str)
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_folded_it_takes_images_and_finds_the_same(
    tmp_path: Path, layout: str, keys: dict[str, Any]
) -> None:
    nodes = NORMALISED["turned, cast, scaled"]
    if layout == "nchw":
        nodes = [make("Cast", ["x"], ["f"], **FLOAT), nodes[2]]
    network(tmp_path, nodes, layout)
    model = onnx.load(str(tmp_path / "net.onnx"))
    made, fed = fold(model, Input(name="x", size=(SIDE, SIDE), layout=layout, **keys))
    side = keys.get("frame", (SIDE, SIDE))[0]
    image = np.kron(
        np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8),
        np.ones((side // SIDE, side // SIDE, 1), np.uint8),
    )[None]
    small = image[:, :: side // SIDE, :: side // SIDE, :: -1 if "colour" in keys else 1]
    feeds = small if layout == "nhwc" else small.transpose(0, 3, 1, 2)
    expected = run(model, {"x": np.ascontiguousarray(feeds)})["y"]
    assert (fed.layout, fed.colour) == ("nhwc", "rgb")
    (shape,) = (each.type.tensor_type for each in inputs_of(made).values())
    assert shape.elem_type == TensorProto.UINT8
    assert gap(expected, run(made, {"x": image})["y"]) < 1e-5


@pytest.mark.parametrize("frame", [None, (64, 48)])
@pytest.mark.parametrize("nodes", NORMALISED.values(), ids=NORMALISED)
def test_tensorrt_rtx_builds_it(
    store: Path, tmp_path: Path, nodes: list[onnx.NodeProto], frame: tuple[int, int] | None
) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    del store
    blocks = np.kron(255 * np.eye(3, dtype=np.uint8)[[[0, 1], [2, 0]]], np.ones((24, 32, 1)))
    shown = save_pictures(tmp_path / "blocks.npz", [blocks.astype(np.uint8)])
    request = ask(
        network(tmp_path, nodes), "tensorrt-rtx", target="sm89", frames=shown, frame=frame
    )
    engine = build(request)
    assert engine.about["parity"]["graph"]["passed"]
    assert engines.manifest.read(engine.manifest).input.layout == "nhwc"
