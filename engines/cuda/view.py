"""Frames in a GPU's memory, brought to the host for whoever asks for their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cuda.fill import Planes, Slot, fill
from engines.cuda.launching import Kernels
from engines.placement import Size
from engines.runtimes.tensorrt.cuda import Cuda, CudaError, DeviceMemory, PinnedMemory, Stream

_UINT8 = np.dtype(np.uint8)


class Viewer:
    """Scales and converts on the GPU, then copies. Belongs to one thread; to be closed.

    Args:
        cuda: CUDA's runtime.
        kernels: loaded with it; whoever made them closes them.
    """

    def __init__(self, cuda: Cuda, kernels: Kernels) -> None:
        self._cuda, self._kernels = cuda, kernels
        self._stream = Stream(cuda)
        self._device: DeviceMemory | None = None
        self._host: PinnedMemory | None = None

    def rgb(self, planes: Planes, size: Size) -> NDArray[np.uint8]:
        """Return a frame at a size: (height, width, 3) uint8 RGB, overwritten by the next call.

        Raises:
            CudaError: the GPU fails.
        """
        shape = size[1], size[0], 3
        room = size[0] * size[1] * 3
        device, host = self._rooms(room)
        self._kernels.launch(fill(planes, Slot.of_pixels(device.pointer, size)), self._stream)
        self._stream.download(device, host, room)
        self._stream.synchronize()
        return host.view(shape, _UINT8)

    def close(self) -> None:
        """Give its memory back; what ``rgb`` returned must be used no more."""
        for memory in (self._device, self._host):
            if memory is not None:
                memory.free()
        self._device = self._host = None
        self._stream.close()

    def _rooms(self, size: int) -> tuple[DeviceMemory, PinnedMemory]:
        """Return memory on either side, which grows."""
        if self._device is None or self._host is None or self._device.capacity < size:
            for memory in (self._device, self._host):
                if memory is not None:
                    memory.free()
            self._device = self._host = None
            device = DeviceMemory(self._cuda, size)
            try:
                self._host = PinnedMemory(self._cuda, size)
            except CudaError:
                device.free()
                raise
            self._device = device
        return self._device, self._host
