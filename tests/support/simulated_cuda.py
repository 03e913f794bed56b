"""CUDA's runtime in host memory, stricter than a GPU: what goes wrong there at times fails here.

It answers as ``cuda.bindings.runtime`` does: ``engines.runtimes.tensorrt.cuda`` runs on it
unchanged. Work that is queued happens at ``cudaStreamSynchronize`` and not before; memory that was
freed is never given out again, and using it is an illegal address; nothing may be allocated, freed
or waited for while the same thread records a graph; what is done on a GPU that is not the thread's
is a fault, and so is setting a node of a graph that is gone.
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
_KINDS = {
    real.cudaMemcpyKind.cudaMemcpyHostToDevice: ("host", "device"),
    real.cudaMemcpyKind.cudaMemcpyDeviceToHost: ("device", "host"),
    real.cudaMemcpyKind.cudaMemcpyDeviceToDevice: ("device", "device"),
}


class FaultError(Exception):
    """What a GPU answers with an illegal address, or worse, with wrong numbers."""


@dataclass(frozen=True)
class Work:
    """Queued work, and the device pointers that it reads or writes."""

    run: Callable[[], None]
    touches: frozenset[int] = frozenset()


@dataclass
class _Stream:
    gpu: int
    queued: list[Work] = field(default_factory=list)
    recorded: dict[int, Work] | None = None  # by node
    recording_thread: int | None = None
    is_broken: bool = False


@dataclass
class _Event:
    is_timed: bool
    stream: int | None = None  # where it was recorded last
    is_done: bool = True
    at_s: float = 0.0


@dataclass
class _Executable:
    source: int  # the graph that it was made of
    nodes: dict[int, Work]


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
    cudaStreamCaptureStatus = real.cudaStreamCaptureStatus  # noqa: N815
    cudaStreamNonBlocking = real.cudaStreamNonBlocking  # noqa: N815
    cudaEventDefault = real.cudaEventDefault  # noqa: N815
    cudaEventDisableTiming = real.cudaEventDisableTiming  # noqa: N815

    def __init__(
        self,
        architecture: tuple[int, int] = (8, 9),
        name: str = "Simulated L4",
        gpus: int = 1,
        total: int = 8 << 30,
    ) -> None:
        self.gpus, self.total = gpus, total
        self._here = threading.local()
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
        self._graphs: dict[int, dict[int, Work]] = {}
        self._executables: dict[int, _Executable] = {}
        self._events: dict[int, _Event] = {}

    def open(self) -> dict[str, int]:
        """How many of what was made are not given back."""
        kinds = [kind for kind, _ in self._blocks.values()]
        counts = {"device": kinds.count("device"), "host": kinds.count("host")}
        counts |= {"streams": len(self._streams), "graphs": len(self._graphs)}
        counts |= {"executables": len(self._executables), "events": len(self._events)}
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
            if stream.gpu != self.gpu:
                self.faults.append(f"work for GPU {stream.gpu} where {self.gpu} is the thread's")
            if stream.recorded is not None:
                stream.recorded[next(self._handles)] = work
                return
            for other in self._streams.values():
                if other is not stream and any(work.touches & one.touches for one in other.queued):
                    self.faults.append("two streams use the same memory at once")
            stream.queued.append(work)

    @property
    def gpu(self) -> int:
        """The index of the calling thread's GPU."""
        return getattr(self._here, "gpu", 0)

    def set_node(self, executable: int, node: int, work: Work) -> bool:
        """Put other work into a node; False where there is none such, or what it is of is gone."""
        with self._lock:
            found = self._executables[executable]
            if node not in self._graphs.get(found.source, {}):
                return False
            found.nodes[node] = work
            return True

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:  # noqa: N802
        return self._answer("cudaGetDeviceCount", self.gpus)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        found = real.cudaDeviceProp()
        found.name = self._name.encode().ljust(256, b"\0")
        found.major, found.minor = self._architecture
        return self._answer("cudaGetDeviceProperties", found)

    def cudaDriverGetVersion(self) -> tuple[Any, ...]:  # noqa: N802
        return self._answer("cudaDriverGetVersion", 13000)

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
        self._streams[handle] = _Stream(self.gpu)
        return (Code.cudaSuccess, real.cudaStream_t(handle))

    def cudaStreamDestroy(self, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        assert not self._streams.pop(int(stream)).queued, "a stream with work is destroyed"
        return (Code.cudaSuccess,)

    def cudaMemcpyAsync(  # noqa: N802
        self, target: int, source: int, size: int, kind: Any, stream: Any
    ) -> tuple[Any, ...]:
        origin, goal = _KINDS[kind]

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

    def cudaMemcpy2DAsync(  # noqa: N802
        self,
        target: int,
        to_apart: int,
        source: int,
        from_apart: int,
        length: int,
        rows: int,
        kind: Any,
        stream: Any,
    ) -> tuple[Any, ...]:
        assert length <= min(to_apart, from_apart)
        origin, goal = _KINDS[kind]

        def copy() -> None:
            for row in range(rows):
                there = self.memory(target + row * to_apart, length, goal)
                there[:] = self.memory(source + row * from_apart, length, origin)

        pointer = source if origin == "device" else target
        self.enqueue(int(stream), Work(copy, frozenset({pointer})))
        return (Code.cudaSuccess,)

    def cudaMemGetInfo(self) -> tuple[Any, ...]:  # noqa: N802
        with self._lock:
            used = sum(len(block) for kind, block in self._blocks.values() if kind == "device")
        return (Code.cudaSuccess, self.total - used, self.total)

    def cudaEventCreateWithFlags(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        if refused := self._refused("cudaEventCreateWithFlags"):
            return (refused, None)
        handle = next(self._handles)
        self._events[handle] = _Event(is_timed=flags == real.cudaEventDefault)
        return (Code.cudaSuccess, real.cudaEvent_t(handle))

    def cudaEventDestroy(self, event: Any) -> tuple[Any, ...]:  # noqa: N802
        del self._events[int(event)]
        return (Code.cudaSuccess,)

    def cudaEventRecord(self, event: Any, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        marked = self._events[int(event)]
        marked.stream, marked.is_done = int(stream), False

        def pass_by() -> None:
            marked.is_done, marked.at_s = True, time.perf_counter()

        self.enqueue(int(stream), Work(pass_by))
        return (Code.cudaSuccess,)

    def cudaEventSynchronize(self, event: Any) -> tuple[Any, ...]:  # noqa: N802
        return self._reach(self._events[int(event)])

    def cudaEventElapsedTime(self, start: Any, end: Any) -> tuple[Any, ...]:  # noqa: N802
        first, last = (self._events[int(each)] for each in (start, end))
        if not (first.is_timed and last.is_timed):
            return (Code.cudaErrorInvalidResourceHandle, None)
        if not (first.at_s and last.at_s and first.is_done and last.is_done):
            return (Code.cudaErrorNotReady, None)
        return (Code.cudaSuccess, (last.at_s - first.at_s) * 1e3)

    def cudaStreamWaitEvent(  # noqa: N802
        self, stream: Any, event: Any, flags: int
    ) -> tuple[Any, ...]:
        assert flags == 0
        awaited = self._events[int(event)]
        self.enqueue(int(stream), Work(lambda: self._wait_for(awaited)))
        return (Code.cudaSuccess,)

    def cudaSetDevice(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        assert 0 <= device < self.gpus
        self._here.gpu = device
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
        return self._run(waited)

    def cudaStreamBeginCapture(self, stream: Any, mode: Any) -> tuple[Any, ...]:  # noqa: N802
        assert mode == real.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        begun = self._streams[int(stream)]
        begun.recorded, begun.recording_thread = {}, threading.get_ident()
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

    def cudaStreamGetCaptureInfo(self, stream: Any) -> tuple[Any, ...]:  # noqa: N802
        recorded, status = self._streams[int(stream)].recorded, real.cudaStreamCaptureStatus
        if recorded is None:
            none = status.cudaStreamCaptureStatusNone
            return (Code.cudaSuccess, none, 0, real.cudaGraph_t(0), [], [], 0)
        nodes = [real.cudaGraphNode_t(node) for node in list(recorded)[-1:]]
        active = status.cudaStreamCaptureStatusActive
        return (Code.cudaSuccess, active, 1, real.cudaGraph_t(0), nodes, [], len(nodes))

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[Any, ...]:  # noqa: N802
        handle = next(self._handles)
        self._executables[handle] = _Executable(int(graph), dict(self._graphs[int(graph)]))
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
            for work in self._executables[int(executable)].nodes.values():
                self.enqueue(int(stream), work)
        return (Code.cudaSuccess,)

    def _run(self, stream: _Stream, until: _Event | None = None) -> tuple[Any, ...]:
        """Do what is queued, to its end or to an event."""
        try:
            while stream.queued and (until is None or not until.is_done):
                stream.queued[0].run()
                with self._lock:
                    stream.queued.pop(0)
        except FaultError as fault:
            self.faults.append(str(fault))
            with self._lock:
                stream.queued.clear()
            return (Code.cudaErrorIllegalAddress,)
        return (Code.cudaSuccess,)

    def _reach(self, event: _Event) -> tuple[Any, ...]:
        if event.is_done or event.stream is None:
            return (Code.cudaSuccess,)
        return self._run(self._streams[event.stream], event)

    def _wait_for(self, event: _Event) -> None:
        if self._reach(event)[0] != Code.cudaSuccess:
            raise FaultError("what was waited for has failed")

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
