"""Class planes of one segmenter over one region of a frame, one bit a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirante.shapes import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Named bit planes at the model's resolution. Planes may overlap.

    Attributes:
        labels: one name per plane.
        bits: (len(labels), height, ceil(width / 8)) uint8, packed as ``np.packbits`` does
            (the leftmost pixel is the highest bit; the bits behind ``width`` are 0).
        width: pixels per row of a plane.
        xyxy: the region of the source frame that the planes cover, in source pixels.
        model: the name of the model that made it.
        object_index: the object whose crop this is, in what a model returns (by its place among
            the detections that the model was given) and in a ``masks`` message that is read
            without its detections. None for the whole frame, and in ``Detections.masks``, whose
            place says it.

    Raises:
        ShapeError: ``bits`` does not fit ``labels`` and ``width``.
    """

    labels: tuple[str, ...]
    bits: NDArray[np.uint8]
    width: int
    xyxy: tuple[float, float, float, float]
    model: str = ""
    object_index: int | None = None

    def __post_init__(self) -> None:
        rows = self.bits.shape[1] if self.bits.ndim == 3 else 0
        expected = (len(self.labels), rows, (self.width + 7) // 8)
        if self.bits.shape != expected or self.bits.dtype != np.uint8 or self.width < 1 or not rows:
            raise ShapeError(
                f"bits: expected ({len(self.labels)}, height >= 1, {expected[2]}) uint8 for "
                f"width {self.width}, got {self.bits.shape} {self.bits.dtype}"
            )

    @classmethod
    def from_planes(
        cls,
        labels: tuple[str, ...],
        planes: NDArray[np.bool_],
        xyxy: tuple[float, float, float, float],
        model: str = "",
        object_index: int | None = None,
    ) -> Mask:
        """Packs (c, h, w) bool planes."""
        return cls(
            labels, np.packbits(planes, axis=-1), planes.shape[-1], xyxy, model, object_index
        )

    @property
    def height(self) -> int:
        """Rows of a plane."""
        return int(self.bits.shape[1])

    @property
    def planes(self) -> NDArray[np.bool_]:
        """(c, height, width) bool."""
        return np.unpackbits(self.bits, axis=-1, count=self.width).view(np.bool_)

    def plane(self, label: str) -> NDArray[np.bool_]:
        """(height, width) bool.

        Raises:
            KeyError: no plane has that name.
        """
        if label not in self.labels:
            raise KeyError(f"no plane {label!r}; there are {', '.join(self.labels)}")
        row = self.bits[self.labels.index(label)]
        return np.unpackbits(row, axis=-1, count=self.width).view(np.bool_)

    def on_frame(self, label: str, width: int, height: int) -> NDArray[np.bool_]:
        """Place one plane in the source frame by nearest neighbour: (height, width) bool.

        ``width`` and ``height`` are the source frame's. Pixels outside ``xyxy`` are False.
        """
        plane = self.plane(label)
        left, top, right, bottom = self.xyxy
        cols, cols_in = _sample(width, left, right, self.width)
        rows, rows_in = _sample(height, top, bottom, self.height)
        out = np.zeros((height, width), np.bool_)
        out[np.ix_(rows_in, cols_in)] = plane[np.ix_(rows, cols)]
        return out


def _sample(
    size: int, start: float, end: float, cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cells of a plane seen from the frame pixels whose centres lie in start..end."""
    centres = np.arange(size) + 0.5
    inside = np.flatnonzero((centres >= start) & (centres < end))
    index = np.floor((centres[inside] - start) * (cells / (end - start))).astype(np.intp)
    return np.clip(index, 0, cells - 1), inside
