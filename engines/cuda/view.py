"""Frames in a GPU's memory, brought to the host for whoever asks for their pixels."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.fill import Planes, Slot, fill
from engines.cuda.jpeg import JpegEncoder, library
from engines.cuda.launching import Kernels
from engines.placement import Size
from engines.runtimes.tensorrt.cuda import Cuda, CudaError, DeviceMemory, PinnedMemory, Stream

log = logging.getLogger(__name__)
_UINT8 = np.dtype(np.uint8)
_LUMA = np.repeat([[1.0, 0.0, 0.0, 0.0]], 3, axis=0)  # red, green and blue as luma, grey so too


class Viewer:
    """Scales and converts on the GPU, then copies. Belongs to one thread; to be closed.

    Args:
        cuda: CUDA's runtime.
        kernels: loaded with it; whoever made them closes them.
        nvjpeg: nvJPEG's library, or what behaves like it; None for the one installed, if one is.
    """

    def __init__(self, cuda: Cuda, kernels: Kernels, nvjpeg: Any = None) -> None:
        self._cuda, self._kernels = cuda, kernels
        cuda.here()
        self._stream = Stream(cuda)
        self._nvjpeg = library() if nvjpeg is None else nvjpeg
        self._jpegs: JpegEncoder | None = None
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

    def luma(self, planes: Planes, size: Size) -> NDArray[np.uint8]:
        """Return its luma at a size: (height, width) uint8, overwritten by the next call.

        Raises:
            CudaError: the GPU fails.
        """
        room = size[0] * size[1]
        device, host = self._rooms(room)
        content, one, none = (0, 0, *size), np.ones(1), np.zeros(1)
        slot = Slot(device.pointer, size, content, _UINT8, "nhwc", "grey", one, none)
        self._kernels.launch(fill(replace(planes, matrix=_LUMA, black=0), slot), self._stream)
        self._stream.download(device, host, room)
        self._stream.synchronize()
        return host.view((size[1], size[0]), _UINT8)

    def jpeg(self, planes: Planes, size: Size, quality: int) -> bytes | None:
        """Return it as a JPEG of a size, made on the GPU; None where nvJPEG is not or fails, which
        is said once.

        Raises:
            CudaError: the GPU fails.
        """
        encoder = self._encoder()
        if encoder is None:
            return None
        device, _ = self._rooms(size[0] * size[1] * 3)
        self._kernels.launch(fill(planes, Slot.of_pixels(device.pointer, size)), self._stream)
        try:
            return encoder.encode(device.pointer, size, quality)
        except CudaError as error:
            self._stream.synchronize()
            self._give_up(error)
            return None

    def _encoder(self) -> JpegEncoder | None:
        if self._jpegs is None and self._nvjpeg is not None:
            try:
                self._jpegs = JpegEncoder(self._nvjpeg, self._stream)
            except CudaError as error:
                self._give_up(error)
        return self._jpegs

    def _give_up(self, error: CudaError) -> None:
        log.warning("JPEG files are made on the host: %s", error)
        if self._jpegs is not None:
            self._jpegs.close()
        self._jpegs = self._nvjpeg = None

    def rows(self, address: int, pitch: int, count: int) -> NDArray[np.uint8]:
        """Return rows as they lie on the GPU: (count, pitch) uint8, overwritten by the next call.

        Raises:
            CudaError: the GPU fails.
        """
        _, host = self._rooms(pitch * count)
        self._stream.copy(host.pointer, address, pitch * count, "cudaMemcpyDeviceToHost")
        self._stream.synchronize()
        return host.view((count, pitch), _UINT8)

    def close(self) -> None:
        """Give its memory back; what was returned must be used no more."""
        if self._jpegs is not None:
            self._jpegs.close()
        for memory in (self._device, self._host):
            if memory is not None:
                memory.free()
        self._device = self._host = None
        self._stream.close()

    def _rooms(self, size: int) -> tuple[DeviceMemory, PinnedMemory]:
        """Return memory on either side, which grows, and make the GPU the calling thread's."""
        self._cuda.here()
        if self._device is None or self._host is None or self._device.capacity < size:
            for memory in (self._device, self._host):
                if memory is not None:
                    memory.free()
            self._device = self._host = None
            device = DeviceMemory(self._cuda, size, "views")
            try:
                self._host = PinnedMemory(self._cuda, size)
            except CudaError:
                device.free()
                raise
            self._device = device
        return self._device, self._host
