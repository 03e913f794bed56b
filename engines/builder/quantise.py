"""Int8, made in the graph: quantize-dequantize pairs in the form that every runtime takes.

TensorRT takes symmetric int8 only, and no int32 bias: ONNX Runtime's defaults are refused there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, with_names
from engines.builder.onnx_file import load_onnx
from engines.builder.quiet import quiet

OPERATORS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def to_int8(model: Any, feeds: Iterable[Feeds]) -> Any:
    """The network with its convolutions and matrix products in int8, the rest in float32.

    The first of them, the last before each output, and depthwise convolutions stay in float32: they
    are a small part of the work, and yolox-nano finds nothing any more with all in int8.

    Args:
        model: of fixed sizes but for the batch.
        feeds: what it is fed for the images whose values set the scales, batch 1.

    Raises:
        ImportError: onnx or onnxruntime is missing.
        BuildError: it cannot be quantised.
    """
    onnx = load_onnx()
    if not any(node.op_type in OPERATORS for node in model.graph.node):
        raise BuildError(f"int8: the network has none of {', '.join(OPERATORS)}, nothing to gain")
    model = with_names(model)
    with tempfile.TemporaryDirectory(prefix="mirante-int8-") as folder:
        source, made = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        try:
            _quantise(source, made, feeds, sensitive(model))
        except Exception as error:  # onnxruntime raises what its many parts raise
            said = " ".join(str(error).split()) or type(error).__name__
            raise BuildError(f"int8: the network cannot be quantised: {said:.400}") from error
        return onnx.load(made)


def sensitive(model: Any) -> list[str]:
    """Names of the layers that lose most by int8: the first, the last, and depthwise ones."""
    layers = [node for node in model.graph.node if node.op_type in OPERATORS]
    feeding: set[str] = set()  # tensors that some layer is behind of
    last = []
    for node in reversed(model.graph.node):
        is_before = any(name in feeding for name in node.output)
        if node.op_type in OPERATORS and not is_before:
            last.append(node.name)
        if is_before or node.op_type in OPERATORS:
            feeding.update(node.input)
    depthwise = [
        node.name for node in layers if any(a.name == "group" and a.i > 1 for a in node.attribute)
    ]
    return list(dict.fromkeys([layers[0].name, *last, *depthwise]))


def _quantise(source: Path, made: Path, feeds: Iterable[Feeds], kept: list[str]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[Feeds] = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            each = next(self._feeds, None)
            return None if each is None else dict(each)

    with quiet():  # it logs that a model should be pre-processed, which it is
        quantize_static(
            source,
            made,
            Reader(),
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=kept,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                # What follows them is most often an activation, behind which fewer bits lose
                # less: the next one's input is quantised there.
                "OpTypesToExcludeOutputQuantization": list(OPERATORS),
            },
        )
