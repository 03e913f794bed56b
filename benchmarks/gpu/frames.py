"""Decoded frames in a GPU's memory, as a decoder leaves them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.cuda.fill import Planes
from engines.image import Pixels
from engines.placement import Size
from engines.runtimes.tensorrt.cuda import Cuda, DeviceMemory, PinnedMemory, Stream
from plugins.colour.planes import on_gpu

BT709 = 0.2126, 0.0722


@dataclass(frozen=True, slots=True)
class DeviceImage:
    """An image for models (``engines.cuda.gpu_work.OnGpu``) whose pixels stay where they are.

    Attributes:
        size, planes, ready, gpu: as of it.
        memory: ``cuda``.
    """

    size: Size
    planes: Planes
    ready: int | None = None
    gpu: int = 0
    memory: str = "cuda"

    @property
    def pixels(self) -> Pixels:
        """Refuse to bring it to the host, which is what is to be avoided.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("the model has a frame brought to the host: its kernels are not there")

    def scaled(self, size: Size, room: Pixels) -> Pixels:
        """Refuse likewise."""
        return self.pixels


class DeviceImages:
    """Noise, NV12 in BT.709, in a GPU's memory; to be closed.

    Args:
        cuda: of the GPU.
        count: how many.
        size: width and height, even.
    """

    def __init__(self, cuda: Cuda, count: int, size: Size) -> None:
        self._blocks: list[DeviceMemory] = []
        width, height = size
        chance = np.random.default_rng(0)
        stream = Stream(cuda)
        sent = PinnedMemory(cuda, width * height * 3 // 2)
        try:
            for _ in range(count):
                noise = chance.integers(0, 256, sent.capacity, np.uint8)
                sent.view(noise.shape, noise.dtype)[:] = noise
                self._blocks.append(DeviceMemory(cuda, sent.capacity))
                stream.upload(sent, self._blocks[-1], sent.capacity)
                stream.synchronize()
        except BaseException:
            self.close()
            raise
        finally:
            sent.free()
            stream.close()
        colours = on_gpu(BT709, False)
        self.all = [
            DeviceImage(size, Planes.nv12(size, at, at + width * height, width, colours))
            for at in (block.pointer for block in self._blocks)
        ]

    def close(self) -> None:
        """Give their memory back, once nothing reads them."""
        for block in self._blocks:
            block.free()
        self._blocks.clear()
