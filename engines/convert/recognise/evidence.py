"""Evidence of how to read a network: what one run's outputs look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
OUTSIDE = 0.02  # of 0..1: boxes and scores that share a scale of 8 bits reach that
FOLLOWS = 0.8  # correlation above which numbers are places
_SLACK = 5e-3  # that a sum of float probabilities may be off by
_MANY = 20  # boxes that are spread over an image
_LEVELS = 256  # of 8-bit integers
# Operators that leave numbers what they are.
_THROUGH = {
    *("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Cast"),
    *("QuantizeLinear", "DequantizeLinear"),
}
GRIDS = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32))


class Misfit(Exception):  # noqa: N818 - no error: it says why one reading of several does not fit
    """Why a decoder does not fit, in words.

    Args:
        words: why.
        helps: the option that would make it fit, where the outputs are nearly of this layout.
    """

    def __init__(self, words: str, helps: str = "") -> None:
        super().__init__(words)
        self.helps = helps


def are_chances(values: NDArray[Any]) -> bool:
    """Return whether numbers are in 0..1, or outside by no more than rounding to 8 bits.

    Small numbers of both signs are none: what is below 0 is small beside the largest.
    """
    if not values.size:
        return True
    low, high = float(values.min()), float(values.max())
    return low >= -max(1e-4, OUTSIDE * high) and high <= 1 + OUTSIDE


@dataclass(frozen=True)
class Fit:
    """A decoder that fits.

    Attributes:
        decoder, options: as in a manifest.
        labels: how many the outputs have numbers for, or None where they do not tell.
        reasons: what was seen, in words.
        key: of the manifest, that settles it where others fit too.
        family: of networks that alone have this layout, a key of ``engines.convert.families``.
        points: how many key points each object has.
    """

    decoder: str
    options: dict[str, Any]
    labels: int | None
    reasons: tuple[str, ...]
    key: str = "decoder"
    family: str = ""
    points: int = 0


@dataclass(frozen=True)
class Tensor:
    """One output of one run.

    Attributes:
        name: of the output.
        value: its numbers.
        op: the operator that made it, such as Sigmoid; empty where that is not known.
    """

    name: str
    value: NDArray[Any]
    op: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the numbers."""
        return self.value.shape

    def __str__(self) -> str:
        return f"{self.name} is {self.shape}"

    @cached_property
    def low(self) -> float:
        """The smallest number; 0 where there is none."""
        return float(self.value.min()) if self.value.size else 0.0

    @cached_property
    def high(self) -> float:
        """The largest number; 0 where there is none."""
        return float(self.value.max()) if self.value.size else 0.0

    @property
    def span(self) -> str:
        """From where to where, in words."""
        return f"from {self.low:.3g} to {self.high:.3g}"

    @property
    def is_chance(self) -> bool:
        """All in 0..1, with room for what rounding to 8 bits adds."""
        return are_chances(self.value)

    @cached_property
    def is_whole(self) -> bool:
        """All numbers are integers."""
        return self.value.dtype.kind in "iu" or bool(np.all(self.value == np.round(self.value)))

    @cached_property
    def step(self) -> float:
        """The step that all numbers are multiples of, as of 8-bit integers; 0 where there is none.

        A step of more than 1/100 is none: few numbers are multiples of something by chance.
        """
        levels = np.unique(self.value) if self.value.dtype.kind == "f" else np.empty(0)
        if not 2 <= len(levels) <= _LEVELS:
            return 0.0
        step = float(np.diff(levels).min())
        off = np.abs(levels / step - np.round(levels / step)).max()
        return step if 1 / 4096 < step < 1 / 100 and off < 0.02 else 0.0

    @property
    def is_share(self) -> bool:
        """True for one row of numbers that sum to one."""
        return self.value.size == self.shape[-1] and self.sums_to_one(-1)

    def sums_to_one(self, axis: int) -> bool:
        """Return whether the numbers along an axis sum to one, but for what rounding takes.

        Of 8-bit probabilities each is off by up to half a step, and most are rounded to 0.
        """
        if not self.value.size or not self.is_chance or self.shape[axis] < 2:
            return False
        sums = self.value.astype(np.float64).sum(axis=axis)
        most = _SLACK + self.step / 2 * np.count_nonzero(self.value, axis=axis)
        least = _SLACK + self.step / 2 * self.shape[axis]
        return bool(np.all((sums <= 1 + most) & (sums >= 1 - least)))


@dataclass(frozen=True)
class Seen:
    """The evidence collected so far.

    Attributes:
        size: width and height of the input tensor in pixels.
        labels: the names, where they are known.
        tensors: the outputs in the network's order.
        decoder: the one that a user names.
        options: those of it that a user gives.
    """

    size: Size
    labels: tuple[str, ...] | None
    tensors: tuple[Tensor, ...] = field(default=())
    decoder: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """Return the number of labels, if known."""
        return None if self.labels is None else len(self.labels)

    def sole(self, tensor: Tensor) -> dict[str, Any]:
        """The option that names an output, where there are several."""
        return {"output": tensor.name} if len(self.tensors) > 1 else {}


def last_ops(model: Any) -> Mapping[str, str]:
    """The operator that makes the numbers of each output of an ``onnx.ModelProto``.

    Those behind it that only reshape, convert or round are passed over.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for output in model.graph.output:
        node = made.get(output.name)
        while node is not None and node.op_type in _THROUGH and node.input[0] in made:
            node = made[node.input[0]]
        found[output.name] = "" if node is None else node.op_type
    return found


@dataclass(frozen=True)
class Grid:
    """Cells of several strides, ``anchors`` boxes in each."""

    size: Size
    strides: tuple[int, ...]
    anchors: int = 1

    @property
    def cells(self) -> list[Size]:
        """Columns and rows of each."""
        return [(-(-self.size[0] // s), -(-self.size[1] // s)) for s in self.strides]

    @property
    def count(self) -> int:
        """Boxes of all."""
        return self.anchors * sum(columns * rows for columns, rows in self.cells)

    def __str__(self) -> str:
        parts = " + ".join(f"{columns}*{rows}" for columns, rows in self.cells)
        strides = ", ".join(str(stride) for stride in self.strides)
        total = f"{self.anchors} * ({parts})" if self.anchors > 1 else parts
        boxes = f", {self.anchors} boxes each" if self.anchors > 1 else ""
        return f"{self.count} = {total} cells of strides {strides}{boxes}"

    def places(self) -> NDArray[np.float32]:
        """(count, 2) x and y of each box's cell in pixels."""
        found = []
        for (columns, rows), stride in zip(self.cells, self.strides, strict=True):
            row, column = np.mgrid[:rows, :columns].reshape(2, -1)
            found.append(np.tile(np.stack([column, row], axis=1) * stride, (self.anchors, 1)))
        return np.concatenate(found).astype(np.float32)

    def followed_by(self, x: NDArray[Any], y: NDArray[Any]) -> bool:
        """Return whether (count,) numbers each follow the cells' positions within each stride.

        The correlation is taken, after the means of each stride, as boxes grow with the stride.
        """
        places = self.places().astype(np.float64)
        sizes = [columns * rows for columns, rows in self.cells for _ in range(self.anchors)]
        ends = np.cumsum(sizes)[:-1]
        for values, axis in ((x, 0), (y, 1)):
            found, meant = (
                np.concatenate([part - part.mean() for part in np.split(row, ends)])
                for row in (values.astype(np.float64), places[:, axis])
            )
            spread = float(np.sqrt((found**2).sum() * (meant**2).sum()))
            if spread == 0 or float((found * meant).sum()) / spread < FOLLOWS:
                return False
        return True


def grid_of(count: int, size: Size) -> Grid | None:
    """The grid with so many boxes in an input of that size."""
    grids = (Grid(size, strides, anchors) for anchors in (1, 3) for strides in GRIDS)
    return next((grid for grid in grids if grid.count == count), None)


def are_boxes(table: NDArray[Any], size: Size) -> bool:
    """Return whether (n, 4) numbers are boxes in an image of ``size``, in parts of it or pixels.

    Nearly all have a size that is not negative, as corners or as centre and size, and many boxes
    in pixels do not all lie within an eighth of the image.
    """
    x, y, a, b = table.T
    sized = max(np.mean((a >= x) & (b >= y)), np.mean((a >= 0) & (b >= 0)))
    if sized < 0.98:
        return False
    within = len(table) < _MANY or np.ptp(x) >= size[0] / 8 or np.ptp(y) >= size[1] / 8
    return bool(np.abs(table).max(initial=0) <= 2 or within)
