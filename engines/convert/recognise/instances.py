"""Instance segmenters: prototypes beside a table of boxes, YOLACT's heads, a mask for each box."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor, grid_of
from engines.convert.recognise.grids import dense
from engines.convert.recognise.planes import LEAST_SIDE
from engines.convert.recognise.queries import TABLES, end_to_end, is_table

_WITH_MASKS = ("yolov5", "yolov8")  # families of detectors that have segmenters
_BOX = 6  # columns of a finished box: corners, score, class


def instances(seen: Seen) -> list[Fit]:
    """Return the readings of masks, by what is beside the boxes."""
    protos = [t for t in seen.tensors if _prototypes(t, seen)]
    tables = [t for t in seen.tensors if t.value.ndim == 3 and t.shape[0] == 1]
    if len(protos) == 1 and len(tables) == 1 == len(seen.tensors) - 1:
        return _of_prototypes(seen, tables[0], protos[0])
    if len(protos) == 1 and len(tables) >= 3:
        return [_yolact(seen, tables, protos[0])]
    return _mask_rcnn(seen)


def _prototypes(tensor: Tensor, seen: Seen) -> int:
    """How many prototypes an output has, by its proportions, (1, p, h, w) or (1, h, w, p); or 0."""
    if tensor.value.ndim != 4 or tensor.shape[0] != 1 or tensor.value.dtype.kind != "f":
        return 0
    _, a, b, c = tensor.shape
    for count, height, width in ((a, b, c), (c, a, b)):
        down, across = seen.size[1] / height, seen.size[0] / width
        is_grid = min(height, width) >= LEAST_SIDE and down >= 1
        if count > 1 and is_grid and np.isclose(down, across, rtol=0.1):
            return count
    return 0


def _of_prototypes(seen: Seen, table: Tensor, protos: Tensor) -> list[Fit]:
    """A table with as many further columns as there are prototypes."""
    count = _prototypes(protos, seen)
    said = f"{protos}: {count} prototypes of masks"
    if table.shape[2] == _BOX + count and grid_of(table.shape[1], seen.size) is None:
        return [_finished(seen, table, count, said)]
    axis = 1 if grid_of(table.shape[2], seen.size) is not None else 2
    if table.shape[axis] <= 4 + count:
        raise Misfit(f"{table}; {said}; expected 4 + labels + {count} channels, or 6 + {count}")
    value = table.value[:, :-count] if axis == 1 else table.value[..., :-count]
    boxes = Tensor(f"{table.name} without {count} coefficients", value)
    fits = [fit for fit in dense(replace(seen, tensors=(boxes,))) if fit.decoder in _WITH_MASKS]
    if not fits:
        raise Misfit(f"{said}; {boxes}: neither YOLOv8's boxes nor YOLOv5's")
    return [
        replace(fit, decoder=f"{fit.decoder}_seg", reasons=(said, *fit.reasons), family="yolo")
        for fit in fits
    ]


def _finished(seen: Seen, table: Tensor, count: int, said: str) -> Fit:
    rows = table.value[0].astype(float)
    if not is_table(rows[:, :_BOX], TABLES[_BOX][0]):
        raise Misfit(f"{table}; {said}; but no corners, score and class in the first six columns")
    options: dict[str, Any] = {"normalised": True} if 0 < abs(rows[:, :4]).max() <= 2 else {}
    if seen.count is not None and rows[:, 5].max() == seen.count:
        options["first_class"] = 1
    why = f"{table}: rows of corners, score, class and {count} coefficients; no cells of a grid"
    return Fit("rows_seg", options, None, (said, why), family="yolo")


def _yolact(seen: Seen, tables: list[Tensor], protos: Tensor) -> Fit:
    """Boxes, scores and coefficients as outputs of their own; priors perhaps."""
    count, n = _prototypes(protos, seen), tables[0].shape[1]
    mixes = [t for t in tables if t.shape[2] == count and not t.is_chance]
    others = [t for t in tables if t not in mixes]
    scores = [t for t in others if t.shape[2] != 4 or t.sums_to_one(2) or "conf" in t.name.lower()]
    fours = [t for t in seen.tensors if t.value.size == n * 4 and t.shape[-1] == 4]
    fours = [t for t in fours if t not in scores]
    priors = [t for t in fours if t.is_chance and ("prior" in t.name or "anchor" in t.name)]
    boxes = [t for t in fours if t not in priors]
    if not len(mixes) == len(scores) == len(boxes) == 1 or len(priors) > 1:
        shapes = "; ".join(map(str, seen.tensors))
        raise Misfit(f"not boxes, scores and {count} coefficients of each: {shapes}")
    columns = scores[0].shape[2]
    if seen.count not in (None, columns - 1):
        raise Misfit(f"{scores[0]}: {columns} columns are not a background and {seen.count} labels")
    named = {
        "boxes": boxes[0].name,
        "scores": scores[0].name,
        "coefficients": mixes[0].name,
        "prototypes": protos.name,
        "priors": priors[0].name if priors else None,
    }
    options: dict[str, Any] = {key: name for key, name in named.items() if name != key}
    if not scores[0].is_chance:
        options["activation"] = "softmax"
    reasons = (
        f"{protos}: {count} prototypes of masks, and {mixes[0]}: as many coefficients of each box",
        f"{columns} = background + {columns - 1} labels",
        f"{boxes[0]}: " + (f"shifts of the priors {priors[0].name}" if priors else "corners"),
    )
    return Fit("yolact", options, columns - 1, reasons, family="yolact")


def _mask_rcnn(seen: Seen) -> list[Fit]:
    """Finished boxes, and probabilities of pixels for each of them."""
    masks = [t for t in seen.tensors if t.value.ndim in (3, 4) and t.shape[-1] > 4 and t.is_chance]
    masks = [t for t in masks if t.value.ndim == 3 or t.shape[1] == 1 or t.shape[0] == 1]
    if len(masks) != 1:
        raise Misfit("neither prototypes (1, p, h, w) nor a mask (n, 1, h, w) for each box")
    rest = tuple(t for t in seen.tensors if t is not masks[0])
    fits = end_to_end(replace(seen, tensors=rest))
    sides = masks[0].shape[-2] * masks[0].shape[-1]
    found = []
    for fit in fits:
        names = {t.name: t for t in rest}
        boxes = names[fit.options.get("boxes", "boxes")]
        if masks[0].value.size != boxes.value.size // 4 * sides:
            raise Misfit(f"{masks[0]}: not a mask for each of {boxes}")
        options = fit.options | ({} if masks[0].name == "masks" else {"masks": masks[0].name})
        why = f"{masks[0]}: the probabilities of each box's pixels"
        found.append(
            replace(fit, decoder="mask_rcnn", options=options, reasons=(why, *fit.reasons))
        )
    return found
