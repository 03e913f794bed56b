"""The placement of an image in an input tensor, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
Region = tuple[float, float, float, float]
Resize = Literal["stretch", "letterbox-top-left", "letterbox-centre"]


@dataclass(frozen=True, slots=True)
class Placement:
    """An axis-aligned map: ``tensor = picture * scale + offset``, in pixel edges.

    Attributes:
        size: width and height of the tensor.
        scale: tensor pixels per image pixel, in x and y.
        offset: tensor pixels at the image's left and top edge.
        content: left, top, right, bottom of the tensor's pixels that show the image; the rest is
            padding.
    """

    size: Size
    scale: tuple[float, float]
    offset: tuple[float, float]
    content: tuple[int, int, int, int]

    def to_picture(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 4) boxes in tensor pixels to image pixels."""
        offset = np.array(self.offset * 2, np.float32)
        scale = np.array(self.scale * 2, np.float32)
        boxes: NDArray[np.float32] = (xyxy - offset).astype(np.float32) / scale
        return boxes

    def then(self, following: Placement) -> Placement:
        """Return the placement in the tensor that ``following`` makes of this one."""
        scale = (self.scale[0] * following.scale[0], self.scale[1] * following.scale[1])
        offset = tuple(
            at * step + start
            for at, step, start in zip(self.offset, following.scale, following.offset, strict=True)
        )
        left, top, right, bottom = (
            edge * following.scale[axis % 2] + following.offset[axis % 2]
            for axis, edge in enumerate(self.content)
        )
        # What float arithmetic leaves of a whole number is no further pixel.
        low = (math.floor(left + 1e-6), math.floor(top + 1e-6))
        high = (math.ceil(right - 1e-6), math.ceil(bottom - 1e-6))
        return Placement(following.size, scale, (offset[0], offset[1]), (*low, *high))

    def without_padding(self, planes: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Region]:
        """The cells of (c, h, w) planes that show the image, and the region they cover in it.

        The planes may be coarser than the tensor. A cell that only partly shows the image is
        kept whole, so that the region is exact; it may then reach over the image's edge.
        """
        cells = planes.shape[2], planes.shape[1]
        left, top, right, bottom = self.window(cells)
        return planes[:, top:bottom, left:right], self.shown(cells)

    def shown(self, cells: Size) -> Region:
        """Return the region of the image that ``window`` covers, of planes of a size."""
        left, top, right, bottom = self.window(cells)
        across, down = self.size[0] / cells[0], self.size[1] / cells[1]
        (sx, sy), (ox, oy) = self.scale, self.offset
        return (
            (left * across - ox) / sx,
            (top * down - oy) / sy,
            (right * across - ox) / sx,
            (bottom * down - oy) / sy,
        )

    def window(self, cells: Size) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the cells that show the image, of planes of a size."""
        across, down = (s / n for s, n in zip(self.size, cells, strict=True))
        left, right = math.floor(self.content[0] / across), math.ceil(self.content[2] / across)
        top, bottom = math.floor(self.content[1] / down), math.ceil(self.content[3] / down)
        return left, top, right, bottom


def place(picture: Size, size: Size, resize: Resize, multiple: int | None = None) -> Placement:
    """The placement of a whole image of (width, height) in a tensor of (width, height).

    With ``multiple`` the tensor shrinks to the scaled image, rounded up to that multiple.
    """
    if resize == "stretch":
        scale = (size[0] / picture[0], size[1] / picture[1])
        return Placement(size, scale, (0, 0), (0, 0, *size))
    ratio = min(size[0] / picture[0], size[1] / picture[1])
    width, height = (max(1, min(s, int(p * ratio))) for p, s in zip(picture, size, strict=True))
    if multiple:
        size = (-(-width // multiple) * multiple, -(-height // multiple) * multiple)
    left, top = 0, 0
    if resize == "letterbox-centre":
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
    scale = (width / picture[0], height / picture[1])
    return Placement(size, scale, (left, top), (left, top, left + width, top + height))


def place_region(picture: Size, region: Region, size: Size) -> Placement:
    """The placement when a region of an image fills the tensor; it may reach over the edges."""
    left, top, right, bottom = region
    sx, sy = size[0] / (right - left), size[1] / (bottom - top)
    ox, oy = -left * sx, -top * sy
    content = (
        max(0, math.floor(ox)),
        max(0, math.floor(oy)),
        min(size[0], math.ceil(picture[0] * sx + ox)),
        min(size[1], math.ceil(picture[1] * sy + oy)),
    )
    return Placement(size, (sx, sy), (ox, oy), content)


def around(box: NDArray[np.float32], margin: float, size: Size | None) -> Region:
    """The region about a box, ``margin`` times as long as the box's longer side.

    It has the aspect of the tensor of ``size``, so that nothing is distorted; with None that of the
    box itself.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    width, height = size or (max(right - left, 1e-3), max(bottom - top, 1e-3))
    unit = margin * max((right - left) / width, (bottom - top) / height, 1e-3)
    half_w, half_h = unit * width / 2, unit * height / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - half_w, y - half_h, x + half_w, y + half_h)
