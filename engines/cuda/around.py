"""What a GPU does around a network's run, for each image of a batch: an input made of a decoded
frame in front of it, and little made of large outputs behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.cuda.launching import Launch
from engines.runtimes import TensorInfo, Tensors

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """An input of one image that a kernel makes of a frame in the GPU's memory.

    Attributes:
        name: of the input.
        shape: of one image, without the axis of the batch.
        launch: returns the launch that fills the slot at an address.
        ready: handle of an event after which the frame may be read; None where it may be already.
    """

    name: str
    shape: tuple[int, ...]
    launch: Callable[[int], Launch]
    ready: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes that a read has for each image, on the GPU and on the host.

    Attributes:
        given: so many are copied to the GPU before the network runs: constants, and zeros.
        back: the first that is copied back.
        first: the one behind those that are copied back at once; what follows only when asked for.
        size: all, with what only the GPU needs.
    """

    given: int
    back: int
    first: int
    size: int


class Places(NamedTuple):
    """Where images of a batch have something: the address of the first, and bytes to the next."""

    address: int
    apart: int

    def of(self, image: int) -> int:
        """Return the address of one."""
        return self.address + image * self.apart


class Read(Protocol):
    """What is made on the GPU of a network's outputs, and copied in their place."""

    @property
    def key(self) -> Hashable:
        """Equal for reads whose images may be in one batch."""

    @property
    def block(self) -> Block:
        """Its bytes; the same for all of one key."""

    @property
    def given(self) -> Bytes:
        """(block.given,) what is copied to the GPU."""

    def launches(
        self, images: Sequence[Read], outputs: Mapping[str, Places], blocks: Places
    ) -> Sequence[Launch]:
        """Return the launches for a batch, as many for all batches of one key and size.

        Args:
            images: the same read of each image, of which this is the first.
            outputs: of the network, by name.
            blocks: of the read.
        """

    def rest(self, kept: Bytes) -> int:
        """Return how many bytes are wanted behind those that were copied back."""


@dataclass(frozen=True, slots=True)
class Around:
    """The work for one image.

    Attributes:
        fill: what makes the image's input; None where the host feeds it.
        reads: what is read of the outputs; empty for the outputs as they are.
    """

    fill: Filled | None = None
    reads: tuple[Read, ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for images that may be in one batch."""
        fill = (self.fill.name, self.fill.shape) if self.fill is not None else None
        return fill, tuple(read.key for read in self.reads)


def whole(feeds: Tensors, arounds: Sequence[Around], inputs: Mapping[str, TensorInfo]) -> Tensors:
    """Return what a network is fed, to be checked: with an array of the right shape, and of no
    memory, in the place of what a kernel fills.
    """
    fill = arounds[0].fill
    if fill is None:
        return feeds
    shape = (len(arounds), *fill.shape)
    return {**feeds, fill.name: np.broadcast_to(inputs[fill.name].dtype.type(0), shape)}


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What came back for one image; arrays of its own.

    Attributes:
        reads: of each read the bytes from ``Block.back`` on.
        outputs: (1, …) by name, where nothing reads them on the GPU.
    """

    reads: tuple[Bytes, ...] = ()
    outputs: Mapping[str, NDArray[Any]] = field(default_factory=dict)
