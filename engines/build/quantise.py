"""Int8, made in the graph: quantize-dequantize pairs in the form that every runtime takes.

TensorRT takes symmetric int8 only, and no int32 bias: ONNX Runtime's defaults are refused there.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engines.build.builders import BuildError
from engines.build.shapes import Feeds
from engines.inside.graph import load_onnx

OPERATORS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def to_int8(model: Any, feeds: Iterable[Feeds]) -> Any:
    """The network with its convolutions and matrix products in int8, the rest in float32.

    Args:
        model: of fixed sizes but for the batch.
        feeds: what it is fed for the pictures whose values set the scales, batch 1.

    Raises:
        ImportError: onnx or onnxruntime is missing.
        BuildError: it cannot be quantised.
    """
    onnx = load_onnx()
    if not any(node.op_type in OPERATORS for node in model.graph.node):
        raise BuildError(f"int8: the network has none of {', '.join(OPERATORS)}, nothing to gain")
    with tempfile.TemporaryDirectory(prefix="mirante-int8-") as folder:
        source, made = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        try:
            _quantise(source, made, feeds)
        except Exception as error:  # onnxruntime raises what its many parts raise
            said = " ".join(str(error).split()) or type(error).__name__
            raise BuildError(f"int8: the network cannot be quantised: {said:.400}") from error
        return onnx.load(made)


def _quantise(source: Path, made: Path, feeds: Iterable[Feeds]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[Feeds] = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            each = next(self._feeds, None)
            return None if each is None else dict(each)

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it logs that a model should be pre-processed, which it is
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_static(
                source,
                made,
                Reader(),
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                },
            )
    finally:
        root.setLevel(level)
