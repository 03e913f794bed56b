"""What the library refuses is told in words: the node, what was wrong, what helps.

Each graph here is refused by the real builder of TensorRT-RTX.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from engines.builder.builders import BuildError, Options
from engines.builder.tensorrt import TENSORRT_RTX
from engines.builder.tensorrt_words import Problem, explain

pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

SM89 = Options(target="sm89")
HEAD = '<ir_version: 8, opset_import: ["" : 17, "site" : 1, "trt" : 1]>\ngraph '
INT8 = "What helps: quantize with int8 only, symmetric (zero point 0)"
SELECTS = "What helps: end the graph at boxes + scores"
F32 = np.float32

REFUSED: list[tuple[str, Mapping[str, Any], tuple[str, ...]]] = [
    (
        "(float[1,6,4] boxes, float[1,2,6] scores) => (int64[n,3] kept) "
        "{ [pick] kept = NonMaxSuppression (boxes, scores, most, iou, least) }",
        {"most": np.array([5]), "iou": np.array([0.5], F32), "least": np.array([0.1], F32)},
        ("node pick", "(NMS): ", "has no runners that implement it", SELECTS),
    ),
    (
        "(float[1,6,4] boxes, float[1,6,2] scores) => (int32[1,1] count) "
        "{ count, box, score, label = trt.EfficientNMS_TRT (boxes, scores) }",
        {},
        ('node that makes "count" (EfficientNMS_TRT)', "Plugin not found", SELECTS),
    ),
    (
        "(float[1,8] x) => (int64[2,n] y) { y = NonZero (x) }",
        {},
        ('node that makes "y" (NonZero)', SELECTS),
    ),
    (
        "(float[1,3,8,8] x, float[5,4] r, int64[5] b) => (float[5,3,2,2] y) "
        "{ [crop] y = RoiAlign <output_height=2, output_width=2> (x, r, b) }",
        {},
        ("node crop (RoiAlign)", SELECTS),
    ),
    (
        "(uint8[1,8,8,3] x) => (float[1,3,8,8] y) "
        "{ [turn] t = Transpose <perm=[0,3,1,2]> (x)\n y = Cast <to=1> (t) }",
        {},
        ("node turn (Transpose)", "has type UInt8", "put the Cast to float first"),
    ),
    (
        "(float[1,3,8,8] x) => (float[1,3,8,8] y) { [sum] y = Add (x, half) }",
        {"half": np.ones((1, 3, 8, 8), np.float16)},
        ("node sum (Add)", "of types Float and Half", "put a Cast there", "--precision fp16"),
    ),
    (
        "(float[1,3,8,8] x) => (float[1,3,8,8] y) { [shine] y = site.Sparkle (x) }",
        {},
        ("node shine (Sparkle)", "Plugin not found", "TensorRT does not know this operation"),
    ),
    (
        "(float[1,8,8] x) => (float[1] y) { [d] y = Det (x) }",
        {},
        ("node d (Det): not supported", "replace it, or end the graph before it"),
    ),
    (
        "(float[1,3,8,8] x) => (float[1,3,16,16] y) "
        '{ y = Resize <mode="cubic", antialias=1> (x, , s) }',
        {"s": np.array([1, 1, 2, 2], F32)},
        ("(Resize): Antialiasing is not supported", "export the Resize without antialias"),
    ),
    (
        "(float[1,9000] x) => (float[1,5000] y, int64[1,5000] i) { [best] y, i = TopK (x, k) }",
        {"k": np.array([5000])},
        ("node best (TOPK)", "K exceeds the maximum value allowed (3840)", "request fewer"),
    ),
    (
        "(float[1,3,8,8] x) => (float[1,3,4,4] y, int64[1,3,4,4] i) "
        "{ y, i = MaxPool <kernel_shape=[2,2], strides=[2,2]> (x) }",
        {},
        ('node that makes "y" (MaxPool)', "without its indices"),
    ),
    (
        "(string[1] x) => (string[1] y) { y = Identity (x) }",
        {},
        ("Failed to convert", "feed float, int or bool"),
    ),
    (
        "(float[1,8] x, int64[2] s) => (float[a,b] y) { y = Reshape (x, s) }",
        {},
        ("input s is a shape and no data; make it a constant of the graph",),
    ),
]


def write(path: Path, text: str, constants: Mapping[str, NDArray[Any]]) -> Path:
    model = parser.parse_model(HEAD + text)
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path: Path, options: Options = SM89) -> str:
    out = path.with_suffix(".rtx")
    with pytest.raises(BuildError) as raised:
        TENSORRT_RTX.build(path, out, options, lambda share, words: None)
    assert not out.exists()
    return str(raised.value)


@pytest.mark.parametrize(("text", "constants", "said"), REFUSED)
def test_a_refused_node(
    tmp_path: Path, text: str, constants: Mapping[str, Any], said: tuple[str, ...]
) -> None:
    got = refusal(write(tmp_path / "odd.onnx", text, constants))
    for part in said:
        assert part in got
    assert "_src" not in got
    assert ".cpp" not in got


@pytest.mark.parametrize(
    ("zero", "weights", "bias", "node"),
    [
        (np.int8(3), np.int8, False, '"xq" (QuantizeLinear)'),
        (np.uint8(128), np.int8, False, '"xq" (QuantizeLinear)'),
        (np.int8(0), np.uint8, False, '"wd" (DequantizeLinear)'),
        (np.int8(0), np.int8, True, '"bd" (DequantizeLinear)'),
    ],
    ids=["zero point", "uint8 activations", "uint8 weights", "int32 bias"],
)
def test_a_quantization_that_is_refused(
    tmp_path: Path, zero: Any, weights: type, bias: bool, node: str
) -> None:
    text = f"""(float[1,3,8,8] x) => (float[1,4,6,6] y) {{
        xq = QuantizeLinear (x, xs, xz)
        xd = DequantizeLinear (xq, xs, xz)
        wd = DequantizeLinear (wq, ws, wz)
        {"bd = DequantizeLinear (bq, bs, bz)" if bias else ""}
        y = Conv (xd, wd{", bd" if bias else ""})
    }}"""
    constants = {
        "xs": np.array(0.05, F32),
        "xz": np.array(zero),
        "wq": np.full((4, 3, 3, 3), 7, weights),
        "ws": np.array(0.01, F32),
        "wz": np.array(0, weights),
    }
    if bias:
        constants |= {
            "bq": np.arange(4, dtype=np.int32),
            "bs": np.array(0.0005, F32),
            "bz": np.array(0, np.int32),
        }
    got = refusal(write(tmp_path / "odd.onnx", text, constants))
    assert node in got
    assert INT8 in got


@pytest.mark.parametrize("content", [b"", b"no model at all\n" * 20])
def test_what_is_no_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    assert "no ONNX model" in refusal(path)


def test_half_a_file_and_no_file(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.onnx", "(float[1,8] x) => (float[1,8] y) { y = Relu (x) }", {})
    path.write_bytes(path.read_bytes()[:40])
    assert "the file is damaged or no ONNX model" in refusal(path)
    path.unlink()
    assert "file not found" in refusal(path)


def test_weights_that_were_left_behind(tmp_path: Path) -> None:
    text = "(float[1,8] x) => (float[1,8] y) { y = Add (x, w) }"
    path = write(tmp_path / "odd.onnx", text, {"w": np.ones((1, 8), F32)})
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    assert "w.bin. What helps: the weights lie in that file beside the graph" in refusal(path)


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ({}, "input x has a dynamic shape, (any, 3, 8, 8): expected its least, likeliest and"),
        ({"z": ((1,), (1,), (1,))}, "no input z; the graph has x"),
        ({"x": ((4, 3, 8, 8), (2, 3, 8, 8), (8, 3, 8, 8))}, "expected least <= likeliest"),
        ({"x": ((1, 4, 8, 8), (2, 4, 8, 8), (8, 4, 8, 8))}, "shapes that fit it, got (1, 4, 8"),
        ({"x": ((1, 8, 8), (2, 8, 8), (8, 8, 8))}, "shapes that fit it, got (1, 8, 8)"),
        ({"x": ((0, 3, 8, 8), (2, 3, 8, 8), (8, 3, 8, 8))}, "shapes that fit it, got (0, 3"),
    ],
)
def test_profiles_that_do_not_fit(tmp_path: Path, profiles: Any, said: str) -> None:
    text = "(float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Relu (x) }"
    path = write(tmp_path / "net.onnx", text, {})
    assert said in refusal(path, Options(profiles=profiles, target="sm89"))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "IBuilder::buildSerializedNetwork: Error Code 1: Cuda Runtime (In generateForCurrent at"
            " /_src/runtime/core/cudaDeviceProfile.cpp:221 (cudaError 35: CUDA driver version is "
            "insufficient for CUDA runtime version))",
            "--runtime tensorrt-rtx --target sm89 takes none",
        ),
        (
            "Error Code 10: Internal Error (Could not find any implementation for node "
            "/model/Conv_3 + /model/Relu_3. In computeCosts at /_src/optimizer/x.cpp:1)",
            "node /model/Conv_3 + /model/Relu_3 (CONVOLUTION): ",
        ),
        (
            "Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)",
            "the GPU's memory is full",
        ),
        ("Error Code 9: New (something new In do at /_src/a.cpp:1)", "net.onnx: something new"),
    ],
)
def test_messages_that_take_a_gpu_or_are_unknown(message: str, said: str) -> None:
    layers = {"/model/Conv_3": "CONVOLUTION", "/model/Conv": "ACTIVATION"}
    assert said in explain(Path("net.onnx"), [], ["a warning", message], layers)


def test_no_reason_is_said_too() -> None:
    assert explain(Path("a.onnx"), [], [], {}) == "a.onnx: the library gives no reason"
    problem = Problem(-1, "", "", "Invalid Node - x")
    assert explain(Path("a.onnx"), [problem], [], {}) == "a.onnx: not supported"
