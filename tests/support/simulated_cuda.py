"""CUDA's runtime in host memory, stricter than a GPU: what goes wrong there at times fails here.

It answers as ``cuda.bindings.runtime`` does: ``engines.runtimes.tensorrt.cuda`` runs on it
unchanged. Work that is queued happens at ``cudaStreamSynchronize`` and not before; memory that was
freed is never given out again, and using it is an illegal address; nothing may be allocated, freed
or waited for while the same thread records a graph.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

real = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings are not installed")
Code = real.cudaError_t


class FaultError(Exception):
    """What a GPU answers with an illegal address, or worse, with wrong numbers."""


@dataclass(frozen=True)
class Work:
    """Queued work, and the device pointers that it reads or writes."""

    run: Callable[[], None]
    touches: frozenset[int] = frozenset()


@dataclass
class _Stream:
    queued: list[Work] = field(default_factory=list)
    recorded: list[Work] | None = None
    recording_thread: int | None = None
    is_broken: bool = False


@dataclass
class _Event:
    is_timed: bool
    stream: int = 0  # that it was recorded in last
    done_s: float | None = None


class SimulatedCuda:
    """The functions that ``engines.runtimes.tensorrt.cuda`` calls.

    Attributes:
        refuse: codes that a function answers instead of working, by its name.
        launches: how many graphs were launched.
        faults: what was wrong in work that was done.
        before_work: called in the thread that waits for a stream, before its work is done.
    """

    cudaError_t = Code  # noqa: N815
    cudaMemcpyKind = real.cudaMemcpyKind  # noqa: N815
    cudaStreamCaptureMode = real.cudaStreamCaptureMode  # noqa: N815
    cudaStreamNonBlocking = real.cudaStreamNonBlocking  # noqa: N815
    cudaEventDefault = real.cudaEventDefault  # noqa: N815
    cudaEventDisableTiming = real.cudaEventDisableTiming  # noqa: N815

    def __init__(self, architecture: tuple[int, int] = (8, 9), name: str = "Simulated L4") -> None:
        self.refuse: dict[str, Any] = {}
        self.launches = 0
        self.faults: list[str] = []
        self.before_work: Callable[[], None] = lambda: None
        self._architecture, self._name = architecture, name
        self._lock = threading.RLock()
        self._handles = itertools.count(1000)
        self._blocks: dict[int, tuple[str, NDArray[np.uint8]]] = {}
        self._freed: list[NDArray[np.uint8]] = []
        self._streams: dict[int, _Stream] = {}
        self._graphs: dict[int, list[Work]] = {}
        self._executables: dict[int, list[Work]] = {}
        self._events: dict[int, _Event] = {}

    def open(self) -> dict[str, int]:
        """How many of what was made are not given back."""
        kinds = [kind for kind, _ in self._blocks.values()]
        counts = {"device": kinds.count("device"), "host": kinds.count("host")}
        counts |= {"streams": len(self._streams), "graphs": len(self._graphs)}
        counts["executables"] = len(self._executables)
        counts["events"] = len(self._events)
        return {name: count for name, count in counts.items() if count}

    def memory(self, pointer: int, size: int, kind: str = "device") -> NDArray[np.uint8]:
        """The bytes at an address, for work that is done now; FaultError where there are none."""
        with self._lock:
            for start, (found, block) in self._blocks.items():
                if start <= pointer and pointer + size <= start + len(block) and found == kind:
                    return block[pointer - start : pointer - start + size]
        raise FaultError(f"no {size} bytes of {kind} memory at {pointer:#x}")

    def enqueue(self, handle: int, work: Work) -> None:
        """Queues work, or records it."""
        with self._lock:
            stream = self._streams[handle]
            if stream.recorded is not None:
                stream.recorded.append(work)
                return
            for other in self._streams.values():
                if other is not stream and any(work.touches & one.touches for one in other.queued):
                    self.faults.append("two streams use the same memory at once")
            stream.queued.append(work)

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:  # noqa: N802
        return self._answer("cudaGetDeviceCount", 1)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        found = real.cudaDeviceProp()
        found.name = self._name.encode().ljust(256, b"\0")
        found.major, found.minor = self._architecture
        return self._answer("cudaGetDeviceProperties", found)

    def cudaGetErrorString(self, error: Any) -> tuple[Any, ...]:  # noqa: N802
        return real.cudaGetErrorString(error)

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:  # noqa: N802
        return self._allocate("cudaMalloc", "device", size)

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:  # noqa: N802
        return self._allocate("cudaMallocHost", "host", size)

    def cudaFree(self, pointer: int) -> tuple[Any, ...]:  # noqa: N802
        return self._free("device", pointer)

    def cudaFreeHost(self, pointer: int) -> tuple[Any, ...]:  # noqa: N802
        return self._free("host", pointer)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        assert flags == real.cudaStreamNonBlocking
        if refused := self._refused("cudaStreamCreateWithFlags"):
            return (refused, None)
        handle = next(self._handles)
        self._streams[handle] = _Stream()
        return (Code.cudaSuccess, real.cudaStream_t(handle))

    def cudaStreamDestroy(self, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        assert not self._streams.pop(int(stream)).queued, "a stream with work is destroyed"
        return (Code.cudaSuccess,)

    def cudaMemcpyAsync(  # noqa: N802
        self, target: int, source: int, size: int, kind: Any, stream: Any
    ) -> tuple[Any, ...]:
        kinds = {
            real.cudaMemcpyKind.cudaMemcpyHostToDevice: ("host", "device"),
            real.cudaMemcpyKind.cudaMemcpyDeviceToHost: ("device", "host"),
            real.cudaMemcpyKind.cudaMemcpyDeviceToDevice: ("device", "device"),
        }
        origin, goal = kinds[kind]

        def copy() -> None:
            self.memory(target, size, goal)[:] = self.memory(source, size, origin)

        pointers = frozenset({source if origin == "device" else target})
        if origin == goal:
            pointers = frozenset({source, target})
        self.enqueue(int(stream), Work(copy, pointers))
        return (Code.cudaSuccess,)

    def cudaMemsetAsync(  # noqa: N802
        self, target: int, value: int, size: int, stream: Any
    ) -> tuple[Any, ...]:
        def clear() -> None:
            self.memory(target, size)[:] = value

        self.enqueue(int(stream), Work(clear, frozenset({target})))
        return (Code.cudaSuccess,)

    def cudaSetDevice(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        assert device == 0
        return (self.refuse.get("cudaSetDevice", Code.cudaSuccess),)

    def cudaStreamSynchronize(self, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        with self._lock:
            waited = self._streams[int(stream)]
            if refused := self._refused("cudaStreamSynchronize"):
                waited.queued.clear()  # nothing is done any more
                return (refused,)
            if waited.recorded is not None:
                waited.is_broken = True
                return (Code.cudaErrorStreamCaptureUnsupported,)
        self.before_work()
        try:
            for work in waited.queued:
                work.run()
        except FaultError as fault:
            self.faults.append(str(fault))
            return (Code.cudaErrorIllegalAddress,)
        finally:
            with self._lock:
                waited.queued.clear()
        return (Code.cudaSuccess,)

    def cudaEventCreateWithFlags(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        if refused := self._refused("cudaEventCreateWithFlags"):
            return (refused, None)
        handle = next(self._handles)
        self._events[handle] = _Event(is_timed=flags == real.cudaEventDefault)
        return (Code.cudaSuccess, real.cudaEvent_t(handle))

    def cudaEventRecord(self, event: Any, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        noted = self._events[int(event)]
        noted.stream, noted.done_s = int(stream), None

        def done() -> None:
            noted.done_s = time.perf_counter()

        self.enqueue(int(stream), Work(done))
        return (Code.cudaSuccess,)

    def cudaEventSynchronize(self, event: Any) -> tuple[Any, ...]:  # noqa: N802
        waited = self._events[int(event)]
        if waited.done_s is not None or not waited.stream:
            return (Code.cudaSuccess,)
        return self.cudaStreamSynchronize(waited.stream)

    def cudaEventElapsedTime(self, begin: Any, end: Any) -> tuple[Any, ...]:  # noqa: N802
        both = [self._events[int(event)] for event in (begin, end)]
        if not all(each.is_timed for each in both):
            return (Code.cudaErrorInvalidResourceHandle, None)
        first_s, last_s = (each.done_s for each in both)
        if first_s is None or last_s is None:
            return (Code.cudaErrorNotReady, None)
        return (Code.cudaSuccess, (last_s - first_s) * 1e3)

    def cudaEventDestroy(self, event: Any) -> tuple[Any, ...]:  # noqa: N802
        del self._events[int(event)]
        return (Code.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: Any, mode: Any) -> tuple[Any, ...]:  # noqa: N802
        assert mode == real.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        begun = self._streams[int(stream)]
        begun.recorded, begun.recording_thread = [], threading.get_ident()
        return (Code.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        ended = self._streams[int(stream)]
        recorded, is_broken = ended.recorded, ended.is_broken
        assert recorded is not None
        ended.recorded, ended.recording_thread, ended.is_broken = None, None, False
        if is_broken:
            return (Code.cudaErrorStreamCaptureInvalidated, real.cudaGraph_t(0))
        handle = next(self._handles)
        self._graphs[handle] = recorded
        return (Code.cudaSuccess, real.cudaGraph_t(handle))

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any, ...]:  # noqa: N802
        handle = next(self._handles)
        self._executables[handle] = self._graphs[int(graph)]
        return (Code.cudaSuccess, real.cudaGraphExec_t(handle))

    def cudaGraphDestroy(self, graph: Any) -> tuple[Any, ...]:  # noqa: N802
        del self._graphs[int(graph)]
        return (Code.cudaSuccess,)

    def cudaGraphExecDestroy(self, executable: Any) -> tuple[Any, ...]:  # noqa: N802
        del self._executables[int(executable)]
        return (Code.cudaSuccess,)

    def cudaGraphLaunch(self, executable: Any, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        with self._lock:
            self.launches += 1
            for work in self._executables[int(executable)]:
                self.enqueue(int(stream), work)
        return (Code.cudaSuccess,)

    def _allocate(self, function: str, kind: str, size: int) -> tuple[Any, ...]:
        with self._lock:
            if refused := self._refused(function) or self._breaks_a_recording():
                return (refused, None)
            room = np.full(size + 256, 0xCD, np.uint8)
            offset = -room.ctypes.data % 256
            block = room[offset : offset + size]
            self._blocks[block.ctypes.data] = (kind, block)
            return (Code.cudaSuccess, block.ctypes.data)

    def _free(self, kind: str, pointer: int) -> tuple[Any, ...]:
        with self._lock:
            if refused := self._breaks_a_recording():
                return (refused,)
            found, block = self._blocks.pop(pointer)
            assert found == kind, f"{found} memory is freed as {kind}"
            block[:] = 0xDD
            self._freed.append(block)  # so that its address is never used again
            return (Code.cudaSuccess,)

    def _refused(self, function: str) -> Any:
        return self.refuse.get(function)

    def _answer(self, function: str, value: Any) -> tuple[Any, ...]:
        refused = self._refused(function)
        return (refused, None) if refused else (Code.cudaSuccess, value)

    def _breaks_a_recording(self) -> Any:
        for stream in self._streams.values():
            if stream.recording_thread == threading.get_ident():
                stream.is_broken = True
                return Code.cudaErrorStreamCaptureUnsupported
        return None
