"""Memory, a stream and a clock on a GPU, for measuring kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.launching import Kernels, Launch
from engines.runtimes.tensorrt.cuda import Cuda, DeviceMemory, Event, PinnedMemory, Stream


class OnDevice:
    """A GPU to measure on; to be closed.

    Args:
        cuda: CUDA's runtime.
        kernels: loaded with it; whoever made them closes them.
        times: what is timed runs in each round.
        rounds: medians are over these.
    """

    def __init__(self, cuda: Cuda, kernels: Kernels, times: int, rounds: int) -> None:
        self.cuda = cuda
        self._kernels, self._times, self._rounds = kernels, times, rounds
        self._blocks: dict[int, DeviceMemory] = {}
        self._stream = Stream(cuda)

    def close(self) -> None:
        """Give all back."""
        for block in self._blocks.values():
            block.free()
        self._blocks.clear()
        self._stream.close()

    def room(self, size: int) -> int:
        """Return the address of that many bytes, kept until ``close``."""
        block = DeviceMemory(self.cuda, size)
        self._blocks[block.pointer] = block
        return block.pointer

    def put(self, array: NDArray[Any], address: int | None = None) -> int:
        """Copy an array to the GPU, to what ``room`` gave or to new memory; return the address."""
        at = self.room(array.nbytes) if address is None else address
        host = PinnedMemory(self.cuda, array.nbytes)
        try:
            host.view(array.shape, array.dtype)[...] = array
            self._stream.upload(host, self._blocks[at], array.nbytes)
            self._stream.synchronize()
        finally:
            host.free()
        return at

    def get(self, address: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return what lies at an address that ``room`` or ``put`` gave."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        host = PinnedMemory(self.cuda, size)
        try:
            self._stream.download(self._blocks[address], host, size)
            self._stream.synchronize()
            return host.view(shape, kind).copy()
        finally:
            host.free()

    def copy(self, source: DeviceMemory, target: DeviceMemory, size: int) -> None:
        """Queue a copy within the GPU's memory."""
        kind = self.cuda.api.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        arguments = (target.pointer, source.pointer, size, kind, self._stream.handle)
        self.cuda.call("to copy within its memory", "cudaMemcpyAsync", *arguments)

    def queue(self, launches: Sequence[Launch]) -> None:
        """Queue kernels, in order."""
        for each in launches:
            self._kernels.launch(each, self._stream)

    def run(self, launches: Sequence[Launch]) -> None:
        """Run kernels, in order, to their end."""
        self.queue(launches)
        self._stream.synchronize()

    def us(self, queue: Callable[[], None]) -> float:
        """Return the microseconds that what ``queue`` queues takes, by the GPU's own clock.

        It is recorded many times in one graph, so that no launch from here is waited for.
        """

        def many() -> None:
            for _ in range(self._times):
                queue()

        graph = self._stream.capture(many)
        begin, end = Event(self.cuda, timed=True), Event(self.cuda, timed=True)
        try:
            taken_ms = []
            for _ in range(self._rounds + 1):  # the first brings code and data near
                begin.record(self._stream)
                self._stream.launch(graph)
                end.record(self._stream)
                end.wait()
                taken_ms.append(end.ms_since(begin))
            self._stream.synchronize()
            return 1e3 * median(taken_ms[1:]) / self._times
        finally:
            graph.free()
            begin.close()
            end.close()
