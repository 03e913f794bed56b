"""Masks as small images made of half blocks: two pixels a character, about square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirante.mask import Mask

COLOURS = ("green", "red", "yellow", "blue", "magenta", "cyan")
_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def shrink(mask: Mask, columns: int) -> NDArray[np.bool_]:
    """The planes at ``columns`` pixels of width and an even number of rows, in the shape of the
    region that they cover: (c, rows, columns) bool. A pixel is set when anything in it is, as a
    lane line is thinner than a pixel.
    """
    left, top, right, bottom = mask.xyxy
    aspect = (bottom - top) / (right - left)
    rows = 2 * max(1, round(columns * aspect / 2))
    planes = _pool(mask.planes, rows, axis=1)
    return _pool(planes, columns, axis=2)


def plain_picture(plane: NDArray[np.bool_]) -> list[str]:
    """Return one plane (rows, columns) as lines of text."""
    return [
        "".join(_BLOCKS[bool(up), bool(down)] for up, down in zip(upper, lower, strict=True))
        for upper, lower in zip(plane[::2], plane[1::2], strict=True)
    ]


def colour_picture(planes: NDArray[np.bool_]) -> list[str]:
    """All planes (c, rows, columns) in one image, in rich's markup; a later plane lies above."""
    top = np.where(planes.any(0), len(planes) - 1 - planes[::-1].argmax(0), -1)
    return [
        "".join(_cell(int(up), int(down)) for up, down in zip(upper, lower, strict=True))
        for upper, lower in zip(top[::2], top[1::2], strict=True)
    ]


def _cell(up: int, down: int) -> str:
    """Return a half block in the colours of two planes; -1 is none."""
    names = [COLOURS[index % len(COLOURS)] for index in (up, down)]
    if up == down:
        return " " if up < 0 else f"[{names[0]}]█[/]"
    if up < 0:
        return f"[{names[1]}]▄[/]"
    if down < 0:
        return f"[{names[0]}]▀[/]"
    return f"[{names[0]} on {names[1]}]▀[/]"


def _pool(planes: NDArray[np.bool_], cells: int, axis: int) -> NDArray[np.bool_]:
    """Logical or over ``cells`` even parts of an axis; repeats where there are fewer pixels."""
    size = planes.shape[axis]
    starts = np.arange(cells) * size // cells
    pooled: NDArray[np.bool_] = (
        planes.take(starts, axis=axis)
        if size < cells
        else np.logical_or.reduceat(planes, starts, axis=axis)
    )
    return pooled
