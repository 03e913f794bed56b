"""Networks of oriented boxes: an angle behind the classes of a grid, or in a finished table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor, are_chances, grid_of

# Of angles by any convention: -90 to 90 degrees, and -45 to 135 as YOLO's heads give.
_ANGLES = (-np.pi / 2 - 1e-3, 3 * np.pi / 4 + 1e-3)


def yolov8_obb(seen: Seen) -> list[Fit]:
    """``yolov8_obb``: cells of a grid, with centre and size, classes, and an angle as the last."""
    for tensor in seen.tensors:
        if tensor.value.ndim != 3 or tensor.shape[0] != 1 or tensor.value.dtype.kind != "f":
            continue
        for axis in (2, 1):
            grid = grid_of(tensor.shape[axis], seen.size)
            if grid is None or grid.anchors > 1 or tensor.shape[3 - axis] < 6:
                continue
            table = tensor.value[0].T if axis == 2 else tensor.value[0]
            labels = table.shape[1] - 5
            where = f"{tensor}: {grid}; {labels + 5} = 4 + {labels} labels + an angle"
            if seen.count not in (None, labels):
                raise Misfit(f"{where}, not with {seen.count} labels")
            # Rows of YOLOv5 have as many columns: objectness, and no angle.
            _check(table, where, known=seen.count is not None and axis == 2)
            if not grid.followed_by(table[:, 0], table[:, 1]):
                raise Misfit(f"{where}; but its boxes do not lie at their cells")
            options = seen.sole(tensor) | ({} if axis == 2 else {"channels": "last"})
            unit, more = _unit(table)
            span = _span(table[:, -1])
            reasons = (where, f"centre and size in {unit}", f"angles {span} in radians")
            return [Fit("yolov8_obb", options | more, labels, reasons, family="yolo")]
    raise Misfit("no output (1, 4 + labels + 1, n) or (1, n, 4 + labels + 1) of a grid's cells")


def _check(table: NDArray[Any], where: str, known: bool) -> None:
    """Raise Misfit where classes are no probabilities, or the last column is none of angles."""
    classes, angle = table[:, 4:-1], table[:, -1]
    if not are_chances(classes):
        raise Misfit(f"{where}; but its scores are no probabilities")
    if angle.min() < _ANGLES[0] or angle.max() > _ANGLES[1]:
        raise Misfit(f"{where}; but {_span(angle)} are no angles in radians")
    if not known and angle.min() >= 0 and angle.max() <= 1:
        raise Misfit(f"{where}; but {_span(angle)} may be a label's scores")


def rows_obb(seen: Seen) -> list[Fit]:
    """``rows_obb``: one table of centre, size, score, class and angle."""
    found = [t for t in seen.tensors if t.value.ndim >= 2 and t.shape[-1] == 7]
    if len(seen.tensors) != 1 or len(found) != 1 or found[0].shape[:-2] not in ((), (1,)):
        raise Misfit("not one output of seven columns")
    tensor: Tensor = found[0]
    table = tensor.value.reshape(-1, 7).astype(np.float64)
    table = table[table.any(axis=1)]  # behind the boxes there may be empty rows
    if not len(table):
        raise Misfit(f"{tensor}: no row on this image, so its columns are unknown")
    if tensor.is_share:
        raise Misfit(f"{tensor}: one row that sums to one is a classifier's")
    score, ids, angle = table[:, 4], table[:, 5], table[:, 6]
    is_table = (
        (table[:, 2:4] >= 0).all()
        and ((score >= 0) & (score <= 1)).all()
        and ((ids >= 0) & (ids == np.round(ids))).all()
        and angle.min() >= _ANGLES[0]
        and angle.max() <= _ANGLES[1]
    )
    if not is_table:
        raise Misfit(f"{tensor}: its columns are not centre, size, score, whole class and angle")
    unit, options = _unit(table)
    if seen.count is not None and ids.max() == seen.count:
        options["first_class"] = 1
    reasons = (
        f"{tensor}: rows of centre, size, score, class, angle",
        f"centre and size in {unit}",
        f"angles {_span(angle)} in radians",
    )
    return [Fit("rows_obb", options, None, reasons, family="yolo")]


def _unit(table: NDArray[Any]) -> tuple[str, dict[str, Any]]:
    """Return the unit of the first four columns in words, and the option that says it."""
    if float(np.abs(table[:, :4]).max()) <= 2:
        return "parts of the input", {"normalised": True}
    return "pixels", {}


def _span(angle: NDArray[Any]) -> str:
    return f"from {angle.min():.3g} to {angle.max():.3g}"
