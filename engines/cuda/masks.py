"""A segmenter's planes, packed on a GPU: one bit a pixel crosses the bus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.cuda.kinds import FLOATS, kind_of
from engines.cuda.launching import Launch, launch_over

_BLOCK = 32, 4  # threads, each of 8 pixels

# Field by field ``struct Pack`` of masks.cuh.
PACK = np.dtype(
    [
        *((name, np.uint64) for name in ("scores", "bits", "plane_of", "cuts", "bad")),
        *((name, np.int32) for name in ("kind", "channels")),
        *((name, np.int32) for name in ("channel_stride", "row_stride", "column_stride")),
        *((name, np.int32) for name in ("left", "top", "width", "height", "competes")),
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Scores:
    """An output of one image in a GPU's memory.

    Attributes:
        address: of its first element.
        dtype: float32 or float16.
        channels, height, width: its axes.
        channels_last: their order is height, width, channels.
    """

    address: int
    dtype: np.dtype[Any]
    channels: int
    height: int
    width: int
    channels_last: bool = False

    def at(self, address: int) -> Scores:
        """Return those of another image."""
        return replace(self, address=address)

    @property
    def strides(self) -> tuple[int, int, int]:
        """Elements from channel to channel, row to row and column to column."""
        if self.channels_last:
            return 1, self.width * self.channels, self.channels
        return self.height * self.width, self.width, 1


@dataclass(frozen=True, slots=True)
class Packed:
    """The addresses in a GPU's memory that bits are written to.

    Attributes:
        bits: (planes, height, ceil(width / 8)) uint8, the layout of ``mirante.mask.Mask``.
        plane_of: (channels,) int32, the plane that a channel makes, -1 for none.
        cuts: (channels,) float32, the minimum score of each; 0 where channels compete: as the
            decoder ``argmax`` has it, a pixel is of its largest channel, the first of equals.
        bad: uint32, to which is added how many of the scores read are not finite.
    """

    bits: int
    plane_of: int
    cuts: int
    bad: int


def pack(scores: Scores, window: tuple[int, int, int, int], to: Packed) -> Launch:
    """Return the launch that packs the planes of one output.

    Args:
        scores: the output.
        window: left, top, right, bottom of the cells that show the image (``Placement.window``).
        to: where the result goes.

    Raises:
        ValueError: the window is not inside the output, or the output is of another type.
    """
    left, top, right, bottom = window
    if not (0 <= left < right <= scores.width and 0 <= top < bottom <= scores.height):
        size = f"{scores.width}x{scores.height}"
        raise ValueError(f"window: expected one inside {size}, got {window}")
    work = np.zeros((), PACK)
    work["scores"], work["kind"] = scores.address, kind_of(scores.dtype, FLOATS)
    work["channels"] = scores.channels
    work["channel_stride"], work["row_stride"], work["column_stride"] = scores.strides
    work["bits"], work["plane_of"], work["cuts"], work["bad"] = (
        to.bits,
        to.plane_of,
        to.cuts,
        to.bad,
    )
    work["left"], work["top"] = left, top
    work["width"], work["height"] = right - left, bottom - top
    work["competes"] = not to.cuts
    return launch_over("pack_masks", -(-(right - left) // 8), bottom - top, _BLOCK, work)
