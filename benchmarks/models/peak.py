"""The machine's own peak: matrix products, the fastest that a library does here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.builder.onnx_file import load_onnx
from engines.inspect.values import BUILT, built_for
from engines.runtimes import Session, open_session

SIDE, TIMES = 1024, 4  # on a CPU
GPU_SIDE, GPU_TIMES = 4096, 16


class PeakKey(NamedTuple):
    """The key of a peak: variants with equal keys share it."""

    threads: int
    precision: str


@dataclass(frozen=True, slots=True)
class Peak:
    """Matrix products that run.

    Attributes:
        key: what they are the peak of.
        name: what runs them.
        session: of the network of ``benchmarks.models.peak``.
        flops: operations of one call.
    """

    key: PeakKey
    name: str
    session: Session
    flops: int

    def call(self) -> None:
        """All products once."""
        self.session.run({"x": np.zeros((1, 1), np.float32)})


def write_products(path: Path, side: int, times: int, dtype: str = "float32") -> int:
    """Writes a network of ``times`` products of square matrices, one behind the other.

    The input ``x`` (1, 1) is added to the first, so that none can be computed beforehand, and the
    output ``y`` (1, 1) is a sum, so that copying costs nothing.

    Args:
        path: of the ONNX file.
        side: rows and columns.
        times: products.
        dtype: of the matrices, ``float32`` or ``float16``; input and output are float32.

    Returns:
        The floating-point operations of one call.

    Raises:
        ImportError: the library onnx is missing; names the extra.
    """
    onnx = load_onnx()
    node, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    # Of this size a product is as large as what went in, so that nothing overflows.
    matrix = np.random.default_rng(0).standard_normal((side, side)) / np.sqrt(side)
    nodes = [
        node("Cast", ["x"], ["typed"], to=kind),
        node("Add", ["matrix", "typed"], ["product0"]),
        *(node("MatMul", [f"product{i}", "matrix"], [f"product{i + 1}"]) for i in range(times)),
        node("Cast", [f"product{times}"], ["wide"], to=floats),
        node("ReduceSum", ["wide", "axes"], ["y"], keepdims=1),
    ]
    weights = {"matrix": matrix.astype(dtype), "axes": np.array([0, 1], np.int64)}
    graph = onnx.helper.make_graph(
        nodes,
        "products",
        [onnx.helper.make_tensor_value_info("x", floats, [1, 1])],
        [onnx.helper.make_tensor_value_info("y", floats, [1, 1])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return 2 * side**3 * times


def peaks_of(
    runtimes: Sequence[str], threads: Sequence[int], on_gpu: bool, folder: Path
) -> Iterator[Peak]:
    """Products in each of these runtimes that is here: float32 for each number of threads on a CPU,
    float32 and float16 on a GPU.
    """
    side, times = (GPU_SIDE, GPU_TIMES) if on_gpu else (SIDE, TIMES)
    for precision in ("fp32", "fp16") if on_gpu else ("fp32",):
        path = folder / f"products-{precision}.onnx"
        flops = write_products(path, side, times, _DTYPES[precision])
        for runtime in runtimes:
            try:
                file = built_for(runtime, path, folder, {}) if runtime in BUILT else path
                for number in threads:
                    session = open_session(runtime, file, number)
                    yield Peak(PeakKey(number, precision), runtime, session, flops)
            except (ImportError, ValueError, RuntimeError):
                continue  # it is not here, as the table of engines says


_DTYPES = {"fp32": "float32", "fp16": "float16"}
