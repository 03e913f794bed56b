"""TensorRT's runtime on simulated CUDA: networks are run by ONNX Runtime, rules are enforced.

The classes have no public name that the bindings lack; ``test_tensorrt_names.py`` compares them.
What the documents call undefined is a fault here: changing a context that a recorded graph holds,
running one without its memory, or with the memory of one that runs.
"""

from __future__ import annotations

import json
import struct
import weakref
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx

from tests.support.onnx_networks import run_by
from tests.support.simulated_cuda import Code, FaultError, SimulatedCuda, Work

Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
_HEAD_BYTES = 64
_SCRATCH_BYTES = 4096
_DTYPES: dict[str, Any] = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
    "BF16": None,
}

TensorIOMode = Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
DataType = Enum("DataType", ["FLOAT", "HALF", "INT8", "INT32", "INT64", "UINT8", "BOOL", "BF16"])
ExecutionContextAllocationStrategy = Enum(
    "ExecutionContextAllocationStrategy", ["STATIC", "ON_PROFILE_CHANGE", "USER_MANAGED"]
)
CudaGraphStrategy = Enum("CudaGraphStrategy", ["DISABLED", "WHOLE_GRAPH_CAPTURE"])


class ILogger:
    Severity = Enum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"])

    def log(self, severity: Enum, message: str) -> None:
        raise NotImplementedError


def engine_bytes(
    network: Path | bytes,
    version: str,
    profiles: Mapping[str, Shapes],
    *,
    is_rtx: bool,
    **oddities: Any,
) -> bytes:
    """An engine's file: a header as the libraries write it, the profiles, the network.

    ``oddities``: ``unbounded`` outputs, whose size depends on the data; ``shapes`` inputs, which
    hold a shape; ``bf16`` outputs; ``compatible`` with later versions, and ``holds_code`` for them;
    a ``dla`` core; ``refittable``.
    """
    facts = json.dumps({"profiles": profiles, **oddities}).encode()
    content = network if isinstance(network, bytes) else network.read_bytes()
    body = struct.pack("<I", len(facts)) + facts + content
    head = bytearray(_HEAD_BYTES)
    head[:4] = b"vtrt" if is_rtx else b"ftrt"
    struct.pack_into("<Q", head, 16, _HEAD_BYTES + len(body))
    head[24:28] = bytes(int(part) for part in version.split("."))
    struct.pack_into("<I", head, 32, 8 if is_rtx else 0)
    return bytes(head) + body


class Library:
    """The module: what ``engines.runtimes.tensorrt.library.Library`` takes for one.

    Attributes:
        cuda: the simulated CUDA.
        contexts: every context that was made, while it lives.
        enqueued: calls of ``execute_async_v3`` that were accepted.
        allocates: whether every ``execute_async_v3`` allocates, so that none can be recorded.
        breaks: what ``execute_async_v3`` logs while it fails.
        dla_cores: of the accelerator beside the GPU.
        is_lean: it is the small runtime.
    """

    names: ClassVar[tuple[str, ...]] = (
        "CudaGraphStrategy",
        "DataType",
        "ExecutionContextAllocationStrategy",
        "ILogger",
        "Runtime",
        "TensorIOMode",
    )

    def __init__(
        self, cuda: SimulatedCuda, version: str, *, is_rtx: bool = False, is_lean: bool = False
    ) -> None:
        self.__version__ = version
        self.cuda, self.is_rtx, self.is_lean = cuda, is_rtx, is_lean
        self.dla_cores = 0
        self.contexts: weakref.WeakSet[IExecutionContext] = weakref.WeakSet()
        self.enqueued = 0
        self.allocates = False
        self.breaks = ""
        self.ILogger, self.TensorIOMode, self.DataType = ILogger, TensorIOMode, DataType
        self.ExecutionContextAllocationStrategy = ExecutionContextAllocationStrategy
        if is_rtx:
            self.CudaGraphStrategy = CudaGraphStrategy

    def Runtime(self, logger: ILogger) -> Runtime:  # noqa: N802
        return Runtime(self, logger)


class Runtime:
    def __init__(self, library: Library, logger: ILogger) -> None:
        self._library, self._logger = library, logger
        self.engine_host_code_allowed = False
        self.DLA_core = -1
        self.num_DLA_cores = library.dla_cores

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        version = ".".join(str(part) for part in serialized_engine[24:28])
        (length,) = struct.unpack_from("<I", serialized_engine, _HEAD_BYTES)
        start = _HEAD_BYTES + 4
        facts = json.loads(serialized_engine[start : start + length])
        if refused := self._refused(version, facts):
            self._logger.log(
                ILogger.Severity.ERROR,
                f"IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error ({refused})",
            )
            return None
        return ICudaEngine(self._library, self._logger, facts, serialized_engine[start + length :])

    def _refused(self, version: str, facts: dict[str, Any]) -> str:
        """Why not, as the documents say; empty where it is taken."""
        here = self._library.__version__
        if facts.get("dla", -1) != self.DLA_core:
            return f"it is for DLA core {facts.get('dla')}, and core {self.DLA_core} was asked for"
        if self._library.is_lean and not facts.get("compatible"):
            return "unexpected call to stub loadRunner"
        if version == here:
            return ""
        is_older = [int(part) for part in version.split(".")] < [int(p) for p in here.split(".")]
        if not (is_older and facts.get("holds_code")):
            return "The engine plan file is not compatible with this version of TensorRT"
        return "" if self.engine_host_code_allowed else "engines with host code are not allowed"


class ISerializationConfig:
    def __init__(self) -> None:
        self._flags: set[Enum] = set()

    def set_flag(self, flag: Enum) -> bool:
        self._flags.add(flag)
        return True

    def clear_flag(self, flag: Enum) -> bool:
        self._flags.discard(flag)
        return True

    def get_flag(self, flag: Enum) -> bool:
        return flag in self._flags


class ICudaEngine:
    def __init__(
        self, library: Library, logger: ILogger, facts: dict[str, Any], network: bytes
    ) -> None:
        self._library, self._logger, self._facts = library, logger, facts
        self._network = network
        self._session = run_by(network)
        graph = onnx.load_model_from_string(network).graph
        self._tensors: dict[str, tuple[TensorIOMode, tuple[int, ...], DataType]] = {}
        for mode, values in (
            (TensorIOMode.INPUT, graph.input),
            (TensorIOMode.OUTPUT, graph.output),
        ):
            for value in values:
                axes = tuple(axis.dim_value or -1 for axis in value.type.tensor_type.shape.dim)
                self._tensors[value.name] = (mode, axes, _kind(value, facts))

    @property
    def refittable(self) -> bool:
        return bool(self._facts.get("refittable"))

    def create_serialization_config(self) -> ISerializationConfig:
        return ISerializationConfig()

    def serialize_with_config(self, config: ISerializationConfig) -> bytes:
        """With what the flags say; an engine that takes weights again says so."""
        again = any(flag.name == "INCLUDE_REFIT" for flag in config._flags)
        library, facts = self._library, {**self._facts, "refittable": again}
        return engine_bytes(self._network, library.__version__, is_rtx=library.is_rtx, **facts)

    @property
    def num_io_tensors(self) -> int:
        return len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self._tensors)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return self._tensors[name][0]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name][1]

    def get_tensor_dtype(self, name: str) -> DataType:
        return self._tensors[name][2]

    def is_shape_inference_io(self, name: str) -> bool:
        return name in self._facts.get("shapes", ())

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        assert profile_index == 0
        return [tuple(shape) for shape in self._facts["profiles"][name]]

    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        assert profile_index == 0
        return _SCRATCH_BYTES

    def create_runtime_config(self) -> IRuntimeConfig:
        return IRuntimeConfig(self._library)

    def create_execution_context(self, strategy: Any) -> IExecutionContext:
        if self._library.is_rtx:
            assert isinstance(strategy, IRuntimeConfig)
            strategy._compile()
        else:
            assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        context = IExecutionContext(self)
        self._library.contexts.add(context)
        return context


class IRuntimeConfig:
    def __init__(self, library: Library) -> None:
        self._library = library
        self._cache: IRuntimeCache | None = None
        self.cuda_graph_strategy = CudaGraphStrategy.DISABLED

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache(self._library)

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        self._cache = cache
        return True

    def _compile(self) -> None:
        assert self.cuda_graph_strategy is CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        assert self._cache is not None
        self._cache._kernels = b"kernels"


class IRuntimeCache:
    def __init__(self, library: Library) -> None:
        self._mark = f"cache of {library.__version__}:".encode()
        self._kernels = b""

    def serialize(self) -> bytes:
        return self._mark + self._kernels

    def deserialize(self, blob: bytes) -> bool:
        fits = blob.startswith(self._mark)
        if fits:
            self._kernels = blob[len(self._mark) :]
        return fits


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine, self._library = engine, engine._library
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._scratch = 0
        self._state = 0  # changes with what a recorded graph relies on
        self._allocated_for: int | None = None

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        profile = self._engine._facts["profiles"].get(name) or [self._engine._tensors[name][1]] * 3
        inside = len(shape) == len(profile[0]) and all(
            low <= axis <= high
            for low, axis, high in zip(profile[0], shape, profile[2], strict=True)
        )
        if not inside:
            self._engine._logger.log(
                ILogger.Severity.ERROR, f"setInputShape: {name} {shape} satisfies no profile"
            )
            return False
        if self._shapes.get(name) != tuple(shape):
            self._state += 1
        self._shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._engine._facts.get("unbounded", ()):
            return (-1, *self._outputs(None)[name].shape[1:])
        return tuple(self._outputs(None)[name].shape)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if memory % 256:
            return False
        if self._addresses.get(name) != memory:
            self._state += 1
        self._addresses[name] = memory
        return True

    def set_device_memory(self, memory: int, size: int) -> None:
        assert memory % 256 == 0
        assert size >= _SCRATCH_BYTES
        self._state += 1
        self._scratch = memory

    def execute_async_v3(self, stream_handle: int) -> bool:
        if not self._is_ready():
            return False
        if self._library.allocates or self._allocated_for != self._state:
            code, pointer = self._library.cuda.cudaMalloc(16)
            if code != Code.cudaSuccess:
                self._engine._logger.log(ILogger.Severity.ERROR, f"executeAsync: {code.name}")
                return False
            self._library.cuda.cudaFree(pointer)
            self._allocated_for = self._state
        addresses, shapes, state, this = (
            dict(self._addresses),
            dict(self._shapes),
            self._state,
            weakref.ref(self),
        )

        def work() -> None:
            context = this()
            if context is None or context._state != state:
                raise FaultError("a graph runs whose context is gone or was changed")
            context._compute(addresses, shapes)

        touched = {*addresses.values(), self._scratch} - {0}
        self._library.cuda.enqueue(stream_handle, Work(work, frozenset(touched)))
        self._library.enqueued += 1
        return True

    def _is_ready(self) -> bool:
        log = self._engine._logger.log
        names = self._engine._tensors
        inputs = [name for name, tensor in names.items() if tensor[0] == TensorIOMode.INPUT]
        if self._library.breaks:
            log(ILogger.Severity.ERROR, self._library.breaks)
            return False
        if not all(name in self._shapes for name in inputs):
            log(ILogger.Severity.ERROR, "executeAsync: not all shapes are set")
            return False
        if not all(name in self._addresses for name in names):
            log(ILogger.Severity.ERROR, "executeAsync: not all addresses are set")
            return False
        if not self._library.is_rtx and not self._scratch:
            log(ILogger.Severity.ERROR, "executeAsync: no device memory is set")
            return False
        return True

    def _compute(self, addresses: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> None:
        cuda = self._library.cuda
        if self._scratch:
            cuda.memory(self._scratch, _SCRATCH_BYTES)[:] = 0xEE
        feeds = {}
        for name, shape in shapes.items():
            dtype = np.dtype(_DTYPES[self._engine._tensors[name][2].name])
            size = int(np.prod(shape)) * dtype.itemsize
            feeds[name] = cuda.memory(addresses[name], size).view(dtype).reshape(shape).copy()
        for name, value in self._outputs(feeds).items():
            written = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
            cuda.memory(addresses[name], written.size)[:] = written

    def _outputs(self, feeds: dict[str, Any] | None) -> dict[str, Any]:
        if feeds is None:
            feeds = {
                name: np.zeros(shape, _DTYPES[self._engine._tensors[name][2].name])
                for name, shape in self._shapes.items()
            }
        session = self._engine._session
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(names, feeds), strict=True))


def _kind(value: onnx.ValueInfoProto, facts: dict[str, Any]) -> DataType:
    if value.name in facts.get("bf16", ()):
        return DataType["BF16"]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return next(DataType[name] for name, known in _DTYPES.items() if known == dtype)
