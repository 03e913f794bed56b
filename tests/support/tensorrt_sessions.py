"""Sessions on simulated CUDA and TensorRT, and the networks that they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import parser

from engines.runtimes.tensorrt.cuda import Cuda
from engines.runtimes.tensorrt.library import Library
from engines.runtimes.tensorrt.session import TensorrtSession
from tests.support.onnx_networks import run_by
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_tensorrt import Library as SimulatedLibrary
from tests.support.simulated_tensorrt import Shapes, engine_bytes

VERSIONS = {"10": "10.13.3.9", "11": "11.4.0.106", "rtx": "1.7.1.116"}
BATCHES: dict[str, Shapes] = {"x": ((1, 3, 6, 6), (2, 3, 6, 6), (8, 3, 6, 6))}
HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
# Outputs of four types, one of which no input has the size of.
MIXED = (
    HEAD
    + """net (float[n,3,6,6] x) => (float[n,3,6,6] scaled, int64[n,6,6] best, bool[n,3,6,6] above,
                               float16[n,3,1,1] mean) {
    gain = Constant <value_float=1.7> ()
    zero = Constant <value_float=0.0> ()
    scaled = Mul (x, gain)
    best = ArgMax <axis=1, keepdims=0> (x)
    above = Greater (x, zero)
    pooled = GlobalAveragePool (x)
    mean = Cast <to=10> (pooled)
}"""
)


def write_network(path: Path, text: str) -> Path:
    """Writes a network given in ONNX's textual form."""
    model = parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def expected(network: Path, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What ONNX Runtime gives."""
    session = run_by(str(network))
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def random_x(batch: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """An input for ``MIXED``."""
    values = np.random.default_rng(seed * 100 + batch).normal(size=(batch, 3, 6, 6))
    return {"x": values.astype(np.float32)}


@dataclass
class Bench:
    """One kind of TensorRT with a network, on a GPU of its own.

    Attributes:
        kind: a key of ``VERSIONS``.
        network: the ONNX file.
        path: the engine.
        cuda: the GPU.
        trt: the library's module.
    """

    kind: str
    network: Path
    path: Path
    cuda: SimulatedCuda
    trt: SimulatedLibrary

    @property
    def is_rtx(self) -> bool:
        return self.kind == "rtx"

    @property
    def library(self) -> Library:
        return Library("tensorrt-rtx" if self.is_rtx else "tensorrt", self.trt)

    def open(self, driver: Any = None, index: int = 0) -> TensorrtSession:
        """Opens the engine; with ``driver``, a ``SimulatedDriver``, kernels run around it."""
        return TensorrtSession(self.library, Cuda(self.cuda, index), self.path, driver)


def bench(
    folder: Path,
    kind: str,
    text: str = MIXED,
    profiles: Mapping[str, Shapes] = BATCHES,
    network: Path | None = None,
    **oddities: Any,
) -> Bench:
    """Writes the network, unless it is there, and its engine."""
    network = network or write_network(folder / "net.onnx", text)
    is_rtx = kind == "rtx"
    path = folder / ("engine.rtx" if is_rtx else "engine.plan")
    version = VERSIONS[kind]
    path.write_bytes(engine_bytes(network, version, profiles, is_rtx=is_rtx, **oddities))
    cuda = SimulatedCuda()
    return Bench(kind, network, path, cuda, SimulatedLibrary(cuda, version, is_rtx=is_rtx))
