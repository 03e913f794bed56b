"""An engine of TensorRT or TensorRT-RTX on the GPU, and how its contexts are made."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.runtimes import RefusedError, TensorInfo
from engines.runtimes.tensorrt.cuda import Gpu
from engines.runtimes.tensorrt.library import Library
from engines.runtimes.tensorrt.plan import Plan
from engines.store.engines import how_to_load

log = logging.getLogger(__name__)

Shape = tuple[int, ...]

_DTYPES = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The shapes that an input may have: least, likeliest (what it was made fast for), largest."""

    least: Shape
    likeliest: Shape
    largest: Shape

    def holds(self, shape: Shape) -> bool:
        """Return whether an input of this shape is accepted."""
        bounds = zip(self.least, shape, self.largest, strict=False)
        return len(shape) == len(self.least) and all(low <= n <= high for low, n, high in bounds)

    def __str__(self) -> str:
        axes = zip(self.least, self.largest, strict=True)
        words = [str(low) if low == high else f"{low}..{high}" for low, high in axes]
        return f"({', '.join(words)})"


class Engine:
    """The engine, deserialized.

    Attributes:
        inputs: by name.
        outputs: by name.
        profiles: of each input.

    Raises:
        RefusedError: the library refuses it, or it has what a session cannot feed.
    """

    def __init__(self, library: Library, path: Path, plan: Plan, gpu: Gpu) -> None:
        self.library = library
        self.path = path
        trt = library.trt
        with library.heard() as messages:
            self._runtime = _runtime_for(library, path)
            self.engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self.engine is None:
            raise RefusedError(_refusal(library, path, plan, gpu, messages))
        self.inputs: dict[str, TensorInfo] = {}
        self.outputs: dict[str, TensorInfo] = {}
        for index in range(self.engine.num_io_tensors):
            name = self.engine.get_tensor_name(index)
            is_input = self.engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (self.inputs if is_input else self.outputs)[name] = self._info(name)
        self.profiles = {name: self._profile(name) for name in self.inputs}
        self._cached = b""
        self._config = self._runtime_config() if library.is_rtx else None

    @property
    def scratch_bytes(self) -> int:
        """Memory that a context needs beside inputs and outputs."""
        return int(self.engine.get_device_memory_size_for_profile_v2(0))

    def context(self) -> Any:
        """A new execution context.

        One of TensorRT has no memory of its own: many share it, as one runs at a time. One of
        TensorRT-RTX has, and replays CUDA graphs by itself.

        Raises:
            RuntimeError: the library cannot make one, most often for lack of memory.
        """
        strategy = self.library.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        how = self._config if self._config is not None else strategy
        with self.library.heard() as messages:
            context = self.engine.create_execution_context(how)
        if context is None:
            raise RuntimeError(f"{self.path}: no execution context: {'; '.join(messages)}")
        return context

    def save_cache(self) -> None:
        """Keeps what TensorRT-RTX compiled for this GPU beside the engine, for the next start."""
        if self._config is None:
            return
        compiled = bytes(self._cache.serialize())
        if compiled == self._cached:
            return
        part = self._cache_path.with_name(f".{self._cache_path.name}.{os.getpid()}.part")
        try:
            part.write_bytes(compiled)
            part.replace(self._cache_path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            log.info("%s is not kept, the next start compiles again: %s", self._cache_path, error)
        else:
            self._cached = compiled

    def _info(self, name: str) -> TensorInfo:
        if self.engine.is_shape_inference_io(name):
            raise RefusedError(
                f"{self.path}: {name} holds a shape instead of data; "
                "build it from a graph whose shapes come from its inputs' sizes"
            )
        kind = self.engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise RefusedError(
                f"{self.path}: {name} is {kind}, which NumPy has not: expected one of "
                f"{', '.join(_DTYPES)}; put a Cast to float at that end of the graph"
            )
        axes = tuple(int(axis) for axis in self.engine.get_tensor_shape(name))
        shape = tuple(None if axis < 0 else axis for axis in axes)
        return TensorInfo(shape, np.dtype(_DTYPES[kind]))

    def _profile(self, name: str) -> Profile:
        fixed = tuple(axis for axis in self.inputs[name].shape if axis is not None)
        if len(fixed) == len(self.inputs[name].shape):
            return Profile(fixed, fixed, fixed)
        shapes = self.engine.get_tensor_profile_shape(name, 0)
        return Profile(*(tuple(int(axis) for axis in shape) for shape in shapes))

    def _runtime_config(self) -> Any:
        trt = self.library.trt
        config = self.engine.create_runtime_config()
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache = config.create_runtime_cache()
        self._cache_path = self.path.with_name(f"{self.path.name}.cache")
        if self._cache_path.is_file():
            kept = self._cache_path.read_bytes()
            if self._cache.deserialize(kept):  # not so for another GPU, driver or version
                self._cached = kept
        config.set_runtime_cache(self._cache)
        return config


def _runtime_for(library: Library, path: Path) -> Any:
    """The library's runtime, told what this engine needs.

    Raises:
        RefusedError: the engine is for a DLA core that is not here.
    """
    runtime, how = library.trt.Runtime(library.logger), how_to_load(path)
    if how.holds_code:
        runtime.engine_host_code_allowed = True
    if how.dla is not None:
        if how.dla >= runtime.num_DLA_cores:
            raise RefusedError(
                f"{path}: it was built for DLA core {how.dla}, "
                f"here are {runtime.num_DLA_cores}; build it again without --dla"
            )
        runtime.DLA_core = how.dla
    return runtime


def _refusal(library: Library, path: Path, plan: Plan, gpu: Gpu, messages: list[str]) -> str:
    said = "; ".join(messages) or "without a word"
    words = f"{path}: {library.runtime} {library.version} refuses it: {said}"
    if plan.version != library.version:
        return f"{words}. It was {plan}, here is {library.version}; build it again"
    if plan.architectures and gpu.architecture not in plan.architectures:
        return f"{words}. It was {plan}, here is {gpu}; build it with --target {gpu.architecture}"
    return f"{words}. It was {plan}, here is {gpu}"
