"""The little of CUDA that a session needs: memory, a stream, graphs; every error code in words.

All through ``cuda.bindings.runtime``, which loads without a driver and then says so in its answers.
A GPU is named by its index among those that CUDA shows, which ``CUDA_VISIBLE_DEVICES`` chooses.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes.tensorrt.driver import driver_of
from engines.runtimes.tensorrt.held import PINNED, held

log = logging.getLogger(__name__)

_HELP = {
    "cudaErrorInsufficientDriver": "no NVIDIA driver is here, or one too old for CUDA 13: "
    "install driver 580 or newer (nvidia-smi shows it)",
    "cudaErrorNoDevice": "no NVIDIA GPU is here, or CUDA_VISIBLE_DEVICES hides it",
    "cudaErrorMemoryAllocation": "the memory is full: run fewer or smaller models on this GPU, "
    "or build with a smaller largest batch",
    "cudaErrorDevicesUnavailable": "another process has the GPU for itself",
    "cudaErrorSystemNotReady": "the GPU's services are not started yet",
    "cudaErrorIllegalAddress": "the GPU read or wrote where it must not; "
    "this process can use it no more and must be started again",
}


class CudaError(RuntimeError):
    """CUDA refused a call; the message says what was asked, and what to do where that is known.

    Attributes:
        name: of the error, such as ``cudaErrorMemoryAllocation``.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its model's name, its architecture such as ``sm89``, and its driver's version.

    The last is such as ``580.95.05``, or ``of CUDA 13.0`` where NVML does not tell.
    """

    name: str
    architecture: str
    driver: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.architecture})"


class Cuda:
    """The calls, checked.

    Args:
        api: ``cuda.bindings.runtime``, or what behaves like it.
        index: of the GPU, among those that CUDA shows.

    Raises:
        ImportError: cuda-bindings are not installed.
    """

    def __init__(self, api: Any = None, index: int = 0) -> None:
        self.api = _bindings() if api is None else api
        self.index = index

    def here(self) -> None:
        """Make the GPU the calling thread's: streams and memory are made, and work is queued, on
        the one that is.
        """
        self.call("for the GPU", "cudaSetDevice", self.index)

    def call(self, asked: str, function: str, *arguments: Any) -> Any:
        """Call ``function`` of CUDA's runtime and return its result, None where it has none.

        Args:
            asked: what for, in words, for the error.
            function: its name.
            arguments: its arguments.

        Raises:
            CudaError: it did not succeed.
        """
        code, *answers = getattr(self.api, function)(*arguments)
        if code != self.api.cudaError_t.cudaSuccess:
            raise self.error(asked, code)
        return answers[0] if answers else None

    def give_back(self, what: str, function: str, resource: Any) -> None:
        """Frees something; where that fails the GPU is lost to this process anyway, and it is told.

        Args:
            what: it is, in words.
            function: that frees it.
            resource: the thing.
        """
        try:
            self.call(f"to free {what}", function, resource)
        except CudaError as error:
            log.warning("%s", error)

    def gpu(self) -> Gpu:
        """The GPU here, which becomes the calling thread's.

        Raises:
            CudaError: there is none, or none of this index, or no driver.
        """
        count = self.call("to look for a GPU", "cudaGetDeviceCount")
        if not self.index < count:
            words = f"there is no GPU {self.index}; CUDA shows {count}, counted from 0"
            raise CudaError("cudaErrorInvalidDevice", words)
        self.here()
        found = self.call("to look at the GPU", "cudaGetDeviceProperties", self.index)
        name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
        return Gpu(name.rstrip("\0"), f"sm{found.major}{found.minor}", driver_of(self))

    def error(self, asked: str, code: Any) -> CudaError:
        """Return the error that a code stands for; ``asked`` as of ``call``."""
        name = code.name
        words = _HELP.get(name)
        if words is None:
            _, text = self.api.cudaGetErrorString(code)
            words = text.decode() if isinstance(text, bytes) else str(text)
        return CudaError(name, f"CUDA was asked {asked}: {words} ({name})")


class DeviceMemory:
    """A block of the GPU's memory, 256-byte aligned.

    Args:
        cuda: of the GPU, which is the calling thread's.
        capacity: bytes.
        use: what ``held`` counts it as.

    Attributes:
        pointer: its address on the GPU.
        capacity: bytes.

    Raises:
        FullError: this process may not hold so much.
    """

    def __init__(self, cuda: Cuda, capacity: int, use: str = "lanes") -> None:
        self.capacity = max(capacity, 1)
        self._cuda, self._use = cuda, use
        asked = f"for {_mib(self.capacity)} of the GPU's memory"
        with _counted(cuda, use, self.capacity):
            self.pointer = int(cuda.call(asked, "cudaMalloc", self.capacity))

    def free(self) -> None:
        """Gives it back, after whatever uses it is done."""
        self._cuda.give_back("the GPU's memory", "cudaFree", self.pointer)
        held.add(self._cuda.index, self._use, -self.capacity)


class PinnedMemory:
    """A block of page-locked host memory, which the GPU reads and writes by itself.

    Attributes:
        pointer: its address.
        capacity: bytes.
    """

    def __init__(self, cuda: Cuda, capacity: int) -> None:
        self.capacity = max(capacity, 1)
        self._cuda = cuda
        asked = f"for {_mib(self.capacity)} of page-locked memory"
        with _counted(cuda, PINNED, self.capacity):
            self.pointer = int(cuda.call(asked, "cudaMallocHost", self.capacity))
        block = (ctypes.c_uint8 * self.capacity).from_address(self.pointer)
        self._bytes: NDArray[np.uint8] = np.ctypeslib.as_array(block)

    def view(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Its first bytes as an array; not valid after ``free``."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return self._bytes[:size].view(dtype).reshape(shape)

    def free(self) -> None:
        """Gives it back; its views must be used no more."""
        self._cuda.give_back("page-locked memory", "cudaFreeHost", self.pointer)
        held.add(self._cuda.index, PINNED, -self.capacity)


class Stream:
    """A queue of work for the GPU. Nothing is done for sure before ``synchronize`` returns."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        # Blocking streams would wait for what other libraries put into the default one.
        flags = cuda.api.cudaStreamNonBlocking
        self._stream = cuda.call("for a stream", "cudaStreamCreateWithFlags", flags)

    @property
    def handle(self) -> int:
        """Return the integer that TensorRT takes for it."""
        return int(self._stream)

    def upload(self, source: PinnedMemory, target: DeviceMemory, size: int) -> None:
        """Queues a copy of the first ``size`` bytes to the GPU."""
        self.copy(target.pointer, source.pointer, size, "cudaMemcpyHostToDevice")

    def download(self, source: DeviceMemory, target: PinnedMemory, size: int) -> None:
        """Queues a copy of the first ``size`` bytes from the GPU."""
        self.copy(target.pointer, source.pointer, size, "cudaMemcpyDeviceToHost")

    def upload_rows(self, source: PinnedMemory, target: DeviceMemory, rows: Rows) -> None:
        """Queues one copy of a part of each row to the GPU, where rows are as far apart."""
        self._copy_rows(target.pointer, source.pointer, rows, "cudaMemcpyHostToDevice")

    def download_rows(self, source: DeviceMemory, target: PinnedMemory, rows: Rows) -> None:
        """Queues one copy of a part of each row from the GPU, likewise."""
        self._copy_rows(target.pointer, source.pointer, rows, "cudaMemcpyDeviceToHost")

    def wait(self, event: int) -> None:
        """Queues a wait for an event, by its handle: what is queued later comes after it."""
        asked = "to wait for other work"
        self._cuda.call(asked, "cudaStreamWaitEvent", self._stream, event, 0)

    def clear(self, memory: DeviceMemory, size: int) -> None:
        """Queues zeros for the first ``size`` bytes."""
        asked = f"to clear {_mib(size)}"
        self._cuda.call(asked, "cudaMemsetAsync", memory.pointer, 0, size, self._stream)

    def synchronize(self) -> None:
        """Waits until all that was queued is done."""
        self._cuda.call("to finish the work queued", "cudaStreamSynchronize", self._stream)

    def capture(self, work: Callable[[], None], keeps: bool = False) -> Graph:
        """Records what ``work`` queues here instead of doing it; ``keeps``: see ``Graph``.

        Raises:
            CudaError: some of it cannot be recorded; the stream works as before.
        """
        # Thread-local: other sessions may allocate meanwhile in their threads.
        mode = self._cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._cuda.call("to record a graph", "cudaStreamBeginCapture", self._stream, mode)
        try:
            work()
        except BaseException:
            # Takes the stream out of recording; what was wrong is told by the first error.
            _, graph = self._cuda.api.cudaStreamEndCapture(self._stream)
            if graph is not None and int(graph):
                self._cuda.api.cudaGraphDestroy(graph)
            raise
        graph = self._cuda.call("to end a graph", "cudaStreamEndCapture", self._stream)
        return Graph(self._cuda, graph, keeps)

    def last_node(self) -> Any:
        """Return the node of the graph that what was queued last became; None where nothing is
        being recorded.
        """
        asked, active = "for a node", self._cuda.api.cudaStreamCaptureStatus
        code, status, _, _, nodes, *_ = self._cuda.api.cudaStreamGetCaptureInfo(self._stream)
        if code != self._cuda.api.cudaError_t.cudaSuccess:
            raise self._cuda.error(asked, code)
        if status != active.cudaStreamCaptureStatusActive:
            return None
        (node,) = nodes  # the stream is the only one that is recorded: one node after another
        return node

    def launch(self, graph: Graph) -> None:
        """Queues all that a graph recorded, in one call."""
        self._cuda.call("to replay a graph", "cudaGraphLaunch", graph.executable, self._stream)

    def close(self) -> None:
        """Gives it back."""
        self._cuda.give_back("a stream", "cudaStreamDestroy", self._stream)

    def copy(self, target: int, source: int, size: int, kind: str) -> None:
        """Queues a copy from an address to another, whoever allocated there; ``kind``: CUDA's."""
        kind = getattr(self._cuda.api.cudaMemcpyKind, kind)
        asked = f"to copy {_mib(size)}"
        self._cuda.call(asked, "cudaMemcpyAsync", target, source, size, kind, self._stream)

    def _copy_rows(self, target: int, source: int, rows: Rows, kind: str) -> None:
        at, kind = rows.first, getattr(self._cuda.api.cudaMemcpyKind, kind)
        target, source = target + at, source + at
        asked = f"to copy {_mib(rows.length * rows.count)}"
        shape = (target, rows.apart, source, rows.apart, rows.length, rows.count)
        self._cuda.call(asked, "cudaMemcpy2DAsync", *shape, kind, self._stream)


@dataclass(frozen=True, slots=True)
class Rows:
    """The same part of each of several rows, in bytes.

    Attributes:
        first: byte of a row where it begins.
        length: of the part.
        apart: from row to row.
        count: of rows.
    """

    first: int
    length: int
    apart: int
    count: int


class Event:
    """A place in a stream's work, to wait for or to measure from.

    Args:
        cuda: of the GPU, which is the calling thread's.
        timed: ``ms_since`` is asked for.
    """

    def __init__(self, cuda: Cuda, timed: bool = False) -> None:
        self._cuda = cuda
        flags = cuda.api.cudaEventDefault if timed else cuda.api.cudaEventDisableTiming
        self._event = cuda.call("for an event", "cudaEventCreateWithFlags", flags)

    @property
    def handle(self) -> int:
        """Return the integer that ``Stream.wait`` takes, of any GPU."""
        return int(self._event)

    def record(self, stream: Stream) -> None:
        """Queues it behind all that was queued before."""
        self._cuda.call("to mark a place", "cudaEventRecord", self._event, stream.handle)

    def wait(self) -> None:
        """Waits until all before it is done."""
        self._cuda.call("to finish the work queued", "cudaEventSynchronize", self._event)

    def ms_since(self, earlier: Event) -> float:
        """Return the milliseconds between two that are done, both ``timed``."""
        both = earlier._event, self._event
        return float(self._cuda.call("for a time", "cudaEventElapsedTime", *both))

    def close(self) -> None:
        """Gives it back."""
        self._cuda.give_back("an event", "cudaEventDestroy", self._event)


class Graph:
    """Recorded work, replayed by ``Stream.launch`` with the addresses it was recorded with.

    Args:
        cuda: CUDA's runtime.
        graph: as recorded, which is this one's from now on.
        keeps: keep what was recorded, for whoever sets parameters of its nodes.
    """

    def __init__(self, cuda: Cuda, graph: Any, keeps: bool = False) -> None:
        self._cuda = cuda
        self._recorded: Any = None
        try:
            self.executable = cuda.call("to make a graph", "cudaGraphInstantiate", graph, 0)
            if keeps:
                self._recorded, graph = graph, None
        finally:
            if graph is not None:
                cuda.give_back("a graph", "cudaGraphDestroy", graph)

    def free(self) -> None:
        """Gives it back, after its last launch is done."""
        self._cuda.give_back("a graph", "cudaGraphExecDestroy", self.executable)
        if self._recorded is not None:
            self._cuda.give_back("a graph", "cudaGraphDestroy", self._recorded)


def _bindings() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise ImportError(
            'cuda-bindings are missing; pip install "mirante[tensorrt-rtx]" or "mirante[tensorrt]"'
        ) from error
    return runtime


@contextmanager
def _counted(cuda: Cuda, use: str, size: int) -> Iterator[None]:
    """Count memory before it is asked for, and no more where that fails."""
    held.add(cuda.index, use, size)
    try:
        yield
    except BaseException:
        held.add(cuda.index, use, -size)
        raise


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
