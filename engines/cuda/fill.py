"""A slot of a model's input tensor, filled on a GPU from a decoded frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.kinds import kind_of
from engines.cuda.launching import Launch, launch_over
from engines.manifest import Input
from engines.placement import Placement, Region, Size, place_region
from engines.preprocess import arithmetic, placements

Content = tuple[int, int, int, int]
Colours = tuple[NDArray[np.float64], int]  # the matrix and black of ``Planes``
_BLOCK = 32, 8  # threads: a warp writes 32 neighbours of a row

# Field by field ``struct Fill`` of frame.cuh.
FILL = np.dtype(
    [
        *((name, np.uint64) for name in ("luma", "u", "v", "tensor")),
        *((name, np.float64) for name in ("luma_step_x", "luma_step_y")),
        *((name, np.float64) for name in ("chroma_step_x", "chroma_step_y")),
        *((name, np.float64) for name in ("origin_x", "origin_y")),
        *((name, np.int32) for name in ("luma_pitch", "chroma_pitch", "chroma_stride", "bits")),
        *((name, np.int32) for name in ("width", "height", "tensor_width", "tensor_height")),
        *((name, np.int32) for name in ("left", "top", "right", "bottom")),
        *((name, np.int32) for name in ("channels", "swap", "black", "kind")),
        *((name, np.int32) for name in ("channel_stride", "row_stride", "column_stride")),
        ("matrix", np.float32, 12),
        *((name, np.float32, 3) for name in ("gain", "bias", "pad")),
    ],
    align=True,
)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """The planes of a frame in a GPU's memory; chroma has half the width and height.

    Attributes:
        size: width and height of the luma.
        luma, u, v: addresses of the first samples.
        luma_pitch, chroma_pitch: bytes from row to row.
        chroma_stride: bytes from one value of U, or of V, to the next.
        matrix: (3, 4), from (Y, U, V, 1) of 8 bits to RGB of 0 to 255.
        black: luma of 8 bits below counts as this.
        bits: of a sample: 8, or of two bytes the highest 10, 12 or 16, as in P010.
    """

    size: Size
    luma: int
    u: int
    v: int
    luma_pitch: int
    chroma_pitch: int
    chroma_stride: int
    matrix: NDArray[np.float64]
    black: int = 0
    bits: int = 8

    @classmethod
    def nv12(
        cls, size: Size, luma: int, chroma: int, pitch: int, colours: Colours, bits: int = 8
    ) -> Planes:
        """Return the planes of a frame whose U and V alternate, as hardware decoders give it.

        Args:
            size, luma: as the attributes.
            chroma: address of the first U.
            pitch: bytes from row to row of both planes.
            colours: matrix and black.
            bits: as the attribute; more than 8 are P010 and its like.
        """
        length = bytes_of(bits)
        return cls(size, luma, chroma, chroma + length, pitch, pitch, 2 * length, *colours, bits)

    def part(self, left: int, top: int, width: int, height: int) -> Planes:
        """Return the planes of a part of the frame.

        Raises:
            ValueError: it is not inside the frame, or begins within a value of chroma.
        """
        if left % 2 or top % 2:
            raise ValueError(f"part: expected even left and top, got {left}, {top}")
        right, bottom = left + width, top + height
        inside = right <= self.size[0] and bottom <= self.size[1]
        if min(left, top) < 0 or min(width, height) < 1 or not inside:
            raise ValueError(f"part: expected one inside {self.size}, got up to {right}, {bottom}")
        chroma = top // 2 * self.chroma_pitch + left // 2 * self.chroma_stride
        luma = self.luma + top * self.luma_pitch + left * bytes_of(self.bits)
        return replace(self, size=(width, height), luma=luma, u=self.u + chroma, v=self.v + chroma)


def bytes_of(bits: int) -> int:
    """Return how many bytes a sample of so many bits takes."""
    return 1 if bits == 8 else 2


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A tensor of one image in a GPU's memory, and what is to be in it.

    Attributes:
        address: of its first element.
        size: width and height.
        content: left, top, right, bottom of the pixels that show the image.
        dtype: float32, float16, uint8 or int32.
        layout: ``nchw`` or ``nhwc``.
        colour: ``rgb``, ``bgr`` or ``grey``.
        gain, bias: (channels,): a level of 0 to 255 becomes level * gain + bias.
        pad: the level around the content.
    """

    address: int
    size: Size
    content: Content
    dtype: np.dtype[Any]
    layout: str
    colour: str
    gain: NDArray[np.float64]
    bias: NDArray[np.float64]
    pad: int = 0

    @classmethod
    def of_pixels(cls, address: int, size: Size) -> Slot:
        """Return the slot of an image as the host has it: (height, width, 3) uint8 RGB."""
        content, kind = (0, 0, *size), np.dtype(np.uint8)
        return cls(address, size, content, kind, "nhwc", "rgb", np.ones(3), np.zeros(3))


def slot_of(spec: Input, dtype: np.dtype[Any], size: Size, address: int) -> tuple[Slot, Placement]:
    """Return the slot for an image of ``size``, and where it lies, as a ``Preprocessor`` does.

    Raises:
        ValueError: ``dtype`` cannot hold what ``spec`` makes.
    """
    fed, at = placements(size, spec)
    return _slot(spec, dtype, fed, address), at


def slot_of_region(
    spec: Input, dtype: np.dtype[Any], size: Size, region: Region, address: int
) -> tuple[Slot, Placement]:
    """Return the slot for a region of an image of ``size``, likewise.

    Raises:
        ValueError: as of ``slot_of``; or the network takes whole frames of one size.
    """
    if spec.frame is not None:
        raise ValueError(f"input.frame: expected none to run on crops, got {list(spec.frame)}")
    at = place_region(size, region, spec.size)
    return _slot(spec, dtype, replace(at, content=(0, 0, *spec.size)), address), at


def _slot(spec: Input, dtype: np.dtype[Any], fed: Placement, address: int) -> Slot:
    gain, bias = arithmetic(spec, dtype)
    return Slot(
        address, fed.size, fed.content, dtype, spec.layout, spec.colour, gain, bias, spec.pad
    )


def fill(planes: Planes, slot: Slot) -> Launch:
    """Return the launch that fills a slot, padding included, with a frame scaled to its content."""
    left, top, right, bottom = slot.content
    content = right - left, bottom - top
    halved = tuple(-(-length // 2) for length in content)
    across, down = (length / source for length, source in zip(content, planes.size, strict=True))
    chroma = tuple(to / -(-source // 2) for to, source in zip(halved, planes.size, strict=True))
    work = _work(planes, slot)
    # One by the other twice, as cv2.resize comes to its steps.
    work["luma_step_x"], work["luma_step_y"] = 1 / across, 1 / down
    work["chroma_step_x"], work["chroma_step_y"] = 1 / chroma[0], 1 / chroma[1]
    return launch_over("fill_slot", *slot.size, _BLOCK, work)


def fill_region(planes: Planes, slot: Slot, region: Region) -> Launch:
    """Return the launch that fills a slot with a region of a frame, in its pixels; what lies
    outside repeats the frame's edge.
    """
    work = _work(planes, slot)
    for axis, name in enumerate("xy"):
        step = (region[axis + 2] - region[axis]) / slot.size[axis]
        work[f"luma_step_{name}"] = step
        work[f"origin_{name}"] = region[axis] + step / 2 - 0.5  # of centres, not of edges
    return launch_over("fill_region", *slot.size, _BLOCK, work)


def _work(planes: Planes, slot: Slot) -> NDArray[np.void]:
    """Return the parameters that both have."""
    channels = 1 if slot.colour == "grey" else 3
    width, height = slot.size
    strides = (width * height, width, 1)
    if slot.layout == "nhwc":
        strides = (1, width * channels, channels)
    work = np.zeros((), FILL)
    for name in ("luma", "u", "v", "luma_pitch", "chroma_pitch", "chroma_stride", "black", "bits"):
        work[name] = getattr(planes, name)
    work["tensor"], work["kind"] = slot.address, kind_of(slot.dtype)
    work["width"], work["height"] = planes.size
    work["tensor_width"], work["tensor_height"] = slot.size
    work["left"], work["top"], work["right"], work["bottom"] = slot.content
    work["channels"], work["swap"] = channels, slot.colour == "bgr"
    work["channel_stride"], work["row_stride"], work["column_stride"] = strides
    work["matrix"] = planes.matrix.reshape(-1)
    work["gain"], work["bias"] = np.resize(slot.gain, 3), np.resize(slot.bias, 3)
    work["pad"] = np.resize((slot.pad * slot.gain + slot.bias).astype(slot.dtype), 3)
    return work
