"""Memory of a GPU for decoded frames: a decoder has few surfaces of its own, and waits for them or
overwrites them.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

from engines.runtimes.tensorrt.cuda import Cuda, DeviceMemory, Stream
from plugins.device.surface import Surface

MOST_HELD = 64  # surfaces of one camera; its queues hold fewer, so that more are a leak
KEPT = 4  # that wait to be used again


class Pool:
    """Copies of surfaces, as many as are held at once. Safe between threads.

    Args:
        cuda: CUDA's runtime.

    Raises:
        CudaError: the GPU has no stream left.
    """

    def __init__(self, cuda: Cuda) -> None:
        cuda.here()
        self._cuda, self._stream = cuda, Stream(cuda)
        self._spare: list[DeviceMemory] = []
        self._held = 0
        self._is_closed = False
        self._lock = threading.RLock()  # a surface may be given back inside any step of Python

    def copy(self, surface: Surface) -> Surface:
        """Return a copy of a surface, to be given back; the surface itself need stay no longer.

        Raises:
            CudaError: the memory is full, or the GPU fails.
            RuntimeError: too many are held.
        """
        self._cuda.here()
        memory = self._take(surface.bytes)
        give_back = partial(self._give_back, memory)
        try:
            start, kind = memory.pointer, "cudaMemcpyDeviceToDevice"
            self._stream.copy(start, surface.luma, surface.bytes, kind)
            self._stream.synchronize()
        except BaseException:
            give_back()
            raise
        chroma = start + surface.chroma - surface.luma
        return replace(surface, luma=start, chroma=chroma, give_back=give_back)

    def _give_back(self, memory: DeviceMemory) -> None:
        with self._lock:
            self._held -= 1
            self._spare.append(memory)
            self._trim(0 if self._is_closed else KEPT)

    def close(self) -> None:
        """Free what is not held now, and the rest as it is given back."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._trim(0)
                self._stream.close()

    def _take(self, size: int) -> DeviceMemory:
        with self._lock:
            if self._held >= MOST_HELD:
                raise RuntimeError(
                    f"{self._held} decoded frames are held on the GPU and none is given back; "
                    f"expected fewer than {MOST_HELD}"
                )
            for other in [each for each in self._spare if each.capacity != size]:
                self._spare.remove(other)
                other.free()
            memory = self._spare.pop() if self._spare else self._new(size)
            self._held += 1
            return memory

    def _new(self, size: int) -> DeviceMemory:
        return DeviceMemory(self._cuda, size, "surfaces")

    def _trim(self, kept: int) -> None:
        while len(self._spare) > kept:
            self._spare.pop(0).free()
