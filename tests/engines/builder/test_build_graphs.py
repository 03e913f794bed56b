"""What is done to a graph, against ONNX Runtime on the graph as it was."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engines.builder.builders import BuildError
from engines.builder.fold import fold
from engines.builder.graphs import inputs_of, run, shape_of
from engines.builder.precision import to_float16
from engines.builder.prepare import feeds_of, prepare
from engines.builder.quantise import sensitive, to_int8
from engines.builder.request import Request
from engines.builder.shapes import batched, fixed, modern, opset_of, scale_to
from engines.builder.tail import check_tail
from engines.manifest import Input, find
from engines.preprocess import Preprocessor
from engines.store.models import resolve_file
from tests.support.built_engines import faces, roads, streets, synthetic
from tests.support.onnx_networks import floats, save

pytestmark = pytest.mark.slow

QDQ = ("QuantizeLinear", "DequantizeLinear")
PICTURES = {"street": streets, "road": roads, "face": faces}
NAMES = [  # the road's network is the face's, of another size
    pytest.param(name, marks=pytest.mark.full if name == "road" else ()) for name in PICTURES
]


def silent(share: float | None, words: str) -> None:
    """Nobody is told."""


@lru_cache(maxsize=8)
def sized(name: str) -> tuple[Any, Input]:
    """A model of ours with its size fixed, and what it is fed."""
    manifest = find(name)
    spec = manifest.input.model_copy(update={"multiple": None})
    model = onnx.load(str(resolve_file(manifest)))
    width, height = spec.size
    return fixed(modern(model), {spec.name: [1, 3, height, width]}), spec


@pytest.mark.parametrize("name", NAMES)
def test_fixed_and_simplified_is_the_same_network(name: str) -> None:
    model, spec = sized(name)
    original = onnx.load(str(resolve_file(find(name))))
    feeds = feeds_of(model, spec, PICTURES[name]()[0])
    expected, got = run(original, feeds), run(model, feeds)
    assert len(model.graph.node) < len(original.graph.node) / 2
    for output, array in expected.items():
        np.testing.assert_allclose(got[output], array, atol=1e-3)
    assert all(None not in shape_of(each) for each in model.graph.output)


@pytest.mark.parametrize("name", NAMES)
def test_three_pictures_in_one_call(name: str) -> None:
    model, spec = sized(name)
    feeds = [feeds_of(model, spec, rgb) for rgb in PICTURES[name]()[:3]]
    many = batched(model, feeds)
    together = run(many, {k: np.concatenate([f[k] for f in feeds]) for k in feeds[0]})
    for output, array in together.items():
        alone = np.concatenate([run(model, each)[output] for each in feeds])
        np.testing.assert_allclose(array, alone, atol=1e-3 * np.abs(alone).max())
    assert inputs_of(model)[spec.name].type.tensor_type.shape.dim[0].dim_value == 1  # not changed


def test_a_network_for_one_picture_is_told_of() -> None:
    manifest = find("test-boxes")  # its labels are a constant for one image
    model = fixed(onnx.load(str(resolve_file(manifest))), {"image": [1, 3, 360, 640]})
    feeds = [feeds_of(model, manifest.input, rgb) for rgb in synthetic()]
    with pytest.raises(BuildError, match=r"takes one image per call, use --batch 1; .*labels"):
        batched(model, feeds)


def test_old_opsets_are_brought_up(weights: Path) -> None:
    model = onnx.load(str(resolve_file(find("yolox-nano"))))
    assert (opset_of(model), opset_of(modern(model))) == (11, 17)


@pytest.mark.parametrize(("length", "wanted"), [(640, 416), (360, 234), (1920, 320), (7, 3)])
def test_resizing_gives_the_size_asked_for(length: int, wanted: int) -> None:
    scale = scale_to(length, wanted)
    assert int(np.float32(length) * scale) == int(length * float(scale)) == wanted


INPUTS = {
    "stretch": {"size": (64, 48), "scale": 1 / 255},
    "bgr, mean and std": {
        "size": (64, 48),
        "colour": "bgr",
        "scale": 1 / 255,
        "mean": (0.4, 0.5, 0.6),
        "std": (0.2, 0.3, 0.4),
    },
    "nhwc": {"size": (64, 48), "layout": "nhwc", "colour": "bgr"},
    "grey": {"size": (64, 48), "colour": "grey", "scale": 1 / 255, "mean": 0.4, "std": 0.2},
    "grey, nhwc": {"size": (64, 64), "colour": "grey", "layout": "nhwc", "scale": 1 / 255},
    "letterbox": {"size": (64, 64), "resize": "letterbox-centre", "pad": 7, "scale": 1 / 255},
    "multiple": {"size": (64, 64), "multiple": 16, "resize": "letterbox-top-left"},
}


def nothing(spec: Input, size: tuple[int, int], folder: Path) -> Any:
    """A network that gives what it is fed."""
    channels = spec.channels
    shape = [1, channels, size[1], size[0]]
    if spec.layout == "nhwc":
        shape = [1, size[1], size[0], channels]
    node = helper.make_node("Identity", ["x"], ["y"])
    path = save(folder / "same.onnx", [node], {}, [floats("x", shape)], [floats("y", shape)])
    return onnx.load(str(path))


@pytest.mark.parametrize("keys", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("frame", [None, (100, 60)], ids=["as it is", "resized"])
def test_folded_is_what_the_preprocessor_does(
    keys: dict[str, Any], frame: tuple[int, int] | None, tmp_path: Path
) -> None:
    spec = Input(name="x", **keys, frame=frame)
    outside = spec.model_copy(update={"frame": None})
    rgb = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    rgb = np.asarray(np.cumsum(rgb, axis=1) // 100, np.uint8)  # resizing is for smooth images
    expected, at = Preprocessor(outside, np.dtype(np.float32)).frame(rgb)
    size = at.size if frame else spec.size
    if frame is None:
        outside = outside.model_copy(update={"multiple": None})
        expected, at = Preprocessor(outside, np.dtype(np.float32)).frame(rgb)
    model, fed = fold(nothing(spec, size, tmp_path), spec if frame else outside)
    assert shape_of(inputs_of(model)["x"]) == (1, *(frame or size)[::-1], 3)
    tensor, placed = Preprocessor(fed, np.dtype(np.uint8)).frame(rgb)
    got = run(model, {"x": tensor})["y"]
    level = np.max(np.array(spec.scale) / np.array(spec.std))
    # OpenCV rounds what it resizes and the luma of it to whole numbers, the graph neither.
    rounding = 0.5 * (spec.colour == "grey") + 1.01 * (frame is not None)
    np.testing.assert_allclose(got, expected, atol=1e-5 + rounding * level)
    assert placed == at


def test_nothing_but_cast_takes_uint8(tmp_path: Path) -> None:
    spec = Input(name="x", size=(64, 48), frame=(100, 60))
    model, _ = fold(nothing(spec, (64, 48), tmp_path), spec)
    assert [node.op_type for node in model.graph.node if "x" in node.input] == ["Cast"]


def test_float16_inside_float32_outside() -> None:
    model, spec = sized("face")
    feeds = [feeds_of(model, spec, rgb) for rgb in faces()[:2]]
    half = to_float16(model, feeds)
    kinds = {t.data_type for t in half.graph.initializer if len(t.dims) == 4}
    assert kinds == {TensorProto.FLOAT16}
    (output,) = half.graph.output
    assert output.type.tensor_type.elem_type == TensorProto.FLOAT
    assert inputs_of(half)[spec.name].type.tensor_type.elem_type == TensorProto.FLOAT
    expected, got = run(model, feeds[0])["output"], run(half, feeds[0])["output"]
    assert 0 < np.abs(got - expected).mean() < 0.01 * np.abs(expected).mean()


def test_int8_is_what_tensorrt_takes() -> None:
    model, spec = sized("face")
    made = to_int8(model, [feeds_of(model, spec, rgb) for rgb in faces()[:1]])
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in made.graph.initializer}
    quantised = [n for n in made.graph.node if n.op_type in QDQ]
    assert len(quantised) > 30
    for node in quantised:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()
    assert not any(array.dtype == np.int32 for array in constants.values())  # no quantised bias
    per_channel = [n for n in quantised if constants[n.input[1]].size > 1]
    assert per_channel
    kept = set(sensitive(model))
    fed_float = {n.name for n in made.graph.node if n.op_type == "Conv" and n.name in kept}
    assert len(fed_float) == len(kept) == 2 + 19  # the first, the last, the depthwise ones
    assert made.graph.output == model.graph.output


def test_int8_of_a_network_without_layers_is_refused() -> None:
    model = onnx.load(str(resolve_file(find("test-lane"))))
    with pytest.raises(BuildError, match="none of Conv, ConvTranspose, MatMul, Gemm"):
        to_int8(model, [])


def test_selecting_networks_are_refused_for_tensorrt(tmp_path: Path) -> None:
    nms = helper.make_node("NonMaxSuppression", ["boxes", "scores"], ["kept"], "pick")
    kept = helper.make_tensor_value_info("kept", TensorProto.INT64, [None, 3])
    inputs = [floats("boxes", [1, 9, 4]), floats("scores", [1, 2, 9])]
    path = save(tmp_path / "nms.onnx", [nms], {}, inputs, [kept])
    with pytest.raises(BuildError, match=r"NonMaxSuppression pick\).*ends at raw boxes and scores"):
        check_tail(onnx.load(str(path)))


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    request = Request(model="x", runtime="onnxruntime")
    for name, words in (("m.tflite", "made of ONNX files"), ("m.onnx", "expected an ONNX file")):
        path = tmp_path / name
        path.write_bytes(b"nonsense")
        with pytest.raises(BuildError, match=words):
            prepare(find("road"), path, request, roads(), [], silent)
