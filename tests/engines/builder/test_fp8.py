"""Fp8 in the graph: which layers get it, what they then compute, and that TensorRT takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from engines.builder.builders import BuildError, Options, builder_of
from engines.builder.graphs import run
from engines.builder.key import wanted
from engines.builder.quantise_fp8 import LARGEST, to_fp8
from engines.runtimes.tensorrt.plan import read_plan
from tests.support.built_engines import ask

RANDOM = np.random.default_rng(0)
# Layers of each kind in float16: the first, depthwise, of too few channels, and the last stay.
NETWORK = """
<ir_version: 9, opset_import: ["" : 19]>
net (float[1,3,16,16] x) => (float[1,10] y) {
    half = Cast <to=10> (x)
    [first] a = Conv <pads=[1,1,1,1]> (half, w_first)
    [mid] b = Conv <pads=[1,1,1,1]> (a, w_mid, bias)
    [depth] c = Conv <pads=[1,1,1,1], group=32> (b, w_depth)
    [few] d = Conv (c, w_few)
    [back] e = Conv (d, w_back)
    [twice] f = Conv (c, w_mid2)
    g = Add (e, f)
    pooled = GlobalAveragePool (g)
    flat = Flatten (pooled)
    [dense] h = Gemm <transB=1> (flat, w_dense)
    [product] i = MatMul (h, w_product)
    [last] z = MatMul (i, w_last)
    y = Cast <to=1> (z)
}"""
SHAPES = {
    "w_first": (32, 3, 3, 3),
    "w_mid": (32, 32, 3, 3),
    "bias": (32,),
    "w_depth": (32, 1, 3, 3),
    "w_few": (8, 32, 1, 1),
    "w_back": (32, 8, 1, 1),
    "w_mid2": (32, 32, 1, 1),
    "w_dense": (24, 32),
    "w_product": (24, 20),
    "w_last": (20, 10),
}


def network() -> Any:
    model = parser.parse_model(NETWORK)
    for name, shape in SHAPES.items():
        scale = np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 1.0)
        value = (RANDOM.normal(size=shape) / scale).astype(np.float16)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    onnx.checker.check_model(model, full_check=True)
    return model


def fed(count: int = 4) -> list[dict[str, Any]]:
    return [{"x": RANDOM.random((1, 3, 16, 16), np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """The network as it is, and with fp8."""
    model = network()
    return model, to_fp8(model, fed())


def test_layers_that_have_kernels_get_it(pair: tuple[Any, Any]) -> None:
    _, small = pair
    through = {
        node.name
        for node in small.graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm") and node.input[1].endswith(".back")
    }
    assert through == {"mid", "twice", "dense", "product"}
    kinds = {tensor.name: tensor.data_type for tensor in small.graph.initializer}
    weights = {name for name, kind in kinds.items() if name.endswith(".fp8")}
    assert {kinds[name] for name in weights} == {onnx.TensorProto.FLOAT8E4M3FN}
    assert len(weights) == 4
    assert not {"w_mid", "w_mid2", "w_dense", "w_product"} & kinds.keys()  # replaced
    pairs = [node for node in small.graph.node if node.op_type == "QuantizeLinear"]
    assert len(pairs) == 4


def test_it_computes_nearly_the_same(pair: tuple[Any, Any]) -> None:
    model, small = pair
    expected, got = (
        np.concatenate([run(each, feeds)["y"] for feeds in fed()]) for each in (model, small)
    )
    apart = np.abs(got - expected).max() / np.abs(expected).max()
    assert 0 < apart < 0.1


def test_scales_are_those_of_the_largest_values(pair: tuple[Any, Any]) -> None:
    model, small = pair
    constants = {tensor.name: tensor for tensor in small.graph.initializer}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    scale = numpy_helper.to_array(constants["w_dense.0.fp8.scale"]).astype(np.float32)
    value = numpy_helper.to_array(weights["w_dense"]).astype(np.float32)
    assert scale.shape == (24,)
    np.testing.assert_allclose(scale * LARGEST, np.abs(value).max(axis=1), rtol=1e-2)
    kept = numpy_helper.to_array(constants["w_dense.0.fp8"]).astype(np.float32)
    np.testing.assert_allclose(kept * scale[:, None], value, atol=np.abs(value).max() / 16)


def test_a_network_without_such_layers_is_refused() -> None:
    text = '<ir_version: 9, opset_import: ["" : 19]> net (float[1,3] x) => (float[1,3] y) {'
    model = parser.parse_model(f"{text} y = Relu (x) }}")
    with pytest.raises(BuildError, match="fp8: the network has none of Conv, MatMul, Gemm with a"):
        to_fp8(model, fed())


def test_values_that_are_not_finite_set_no_scales() -> None:
    feeds = fed()
    feeds[1]["x"][0, 0, 0, 0] = np.inf
    with pytest.raises(BuildError, match="fp8: values inside the network are not finite"):
        to_fp8(network(), feeds)


def test_tensorrt_builds_it(pair: tuple[Any, Any], tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    onnx.save(pair[1], tmp_path / "net.onnx")
    out, silent = tmp_path / "net.rtx", lambda share, words: None
    builder_of("tensorrt-rtx").build(
        tmp_path / "net.onnx", out, Options(target="sm89,sm120"), silent
    )
    assert read_plan(out).architectures == ("sm89", "sm120")


@pytest.mark.parametrize(
    ("target", "got"),
    [("sm86", "sm86"), ("sm89,sm80", "sm80"), ("ampere+", "ampere\\+")],
)
def test_gpus_without_it_are_refused(target: str, got: str) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    request = ask("face", "tensorrt-rtx", precision="fp8", target=target, calibrate="clip.mp4")
    with pytest.raises(
        BuildError, match=rf"precision: fp8 — GPUs have it from sm89 on .*got {got};"
    ):
        wanted(request)
