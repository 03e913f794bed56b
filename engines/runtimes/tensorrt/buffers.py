"""The memory of a lane on either side: a tensor's or a read's, which grows and then stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from engines.cuda.around import Block, Bytes
from engines.runtimes.tensorrt.cuda import (
    Cuda,
    DeviceMemory,
    PinnedMemory,
    Rows,
    Stream,
)

M = TypeVar("M", DeviceMemory, PinnedMemory)
_ALIGNED = 256  # bytes, of the blocks of images
_UINT8 = np.dtype(np.uint8)


class Buffers:
    """Memory by name.

    Args:
        cuda: of the GPU, which is the calling thread's.
        moves: called before memory that is in use moves: nothing recorded with it holds.
    """

    def __init__(self, cuda: Cuda, moves: Callable[[], None]) -> None:
        self._cuda, self._moves = cuda, moves
        self._device: dict[str, DeviceMemory] = {}
        self._host: dict[str, PinnedMemory] = {}

    def grow(self, sizes: Mapping[str, int], on_host: Iterable[str]) -> None:
        """Make all large enough.

        Args:
            sizes: bytes by name.
            on_host: the names of those that the host has too.

        Raises:
            CudaError: there is no such memory left; the others stay.
            FullError: this process may not hold so much.
        """
        for name, size in sizes.items():
            self._grow(self._device, DeviceMemory, name, size)
        for name in on_host:
            self._grow(self._host, PinnedMemory, name, sizes[name])

    def device(self, name: str) -> DeviceMemory:
        """Return the GPU's."""
        return self._device[name]

    def host(self, name: str) -> PinnedMemory:
        """Return the host's."""
        return self._host[name]

    def blocks(self, index: int, block: Block, count: int) -> Blocks:
        """Return the blocks of a read, by its place among those of an image."""
        name = block_name(index)
        return Blocks(self._device[name], self._host[name], block, count)

    def free(self) -> None:
        """Gives all back."""
        for there in self._device.values():
            there.free()
        for here in self._host.values():
            here.free()
        self._device.clear()
        self._host.clear()

    def _grow(
        self, all_: dict[str, M], kind: Callable[[Cuda, int], M], name: str, size: int
    ) -> None:
        old = all_.get(name)
        if old is not None and old.capacity >= size:
            return
        if old is not None:
            self._moves()
            del all_[name]
            old.free()
        all_[name] = kind(self._cuda, size)


class Blocks:
    """The blocks of a read, one for each image of a batch.

    Attributes:
        address: of the first on the GPU.
        apart: bytes from one to the next, on either side.
    """

    def __init__(self, device: DeviceMemory, host: PinnedMemory, block: Block, count: int) -> None:
        self.address, self.apart = device.pointer, apart(block)
        self._device, self._host, self._block, self._count = device, host, block, count

    def upload(self, stream: Stream) -> None:
        """Queue the copy of what each is given."""
        stream.upload_rows(self._host, self._device, self._rows(0, self._block.given))

    def download(self, stream: Stream) -> None:
        """Queue the copy of what comes back of each at once."""
        back = self._block.back
        stream.download_rows(self._device, self._host, self._rows(back, self._block.first - back))

    def download_rest(self, stream: Stream, image: int, size: int) -> None:
        """Queue the copy of ``size`` bytes more of one."""
        at = image * self.apart + self._block.first
        stream.download_rows(self._device, self._host, Rows(at, size, self.apart, 1))

    @property
    def rows(self) -> Bytes:
        """(count, apart) what the host has."""
        return self._host.view((self._count, self.apart), _UINT8)

    def _rows(self, first: int, length: int) -> Rows:
        return Rows(first, length, self.apart, self._count)


def block_name(index: int) -> str:
    """Return the name of the blocks of a read, by its place among those of an image."""
    return f"\0{index}"  # as no tensor is called


def apart(block: Block) -> int:
    """Return the bytes from one block to the next."""
    return -(-block.size // _ALIGNED) * _ALIGNED
