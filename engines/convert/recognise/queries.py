"""Networks that end at finished boxes: DETR's descendants, and NMS in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor, are_boxes, grid_of
from engines.decoders.priors import kind_of_priors

Reading = tuple[dict[str, Any], int, str]  # further options, number of labels, why
MOST_QUERIES = 1000  # of DETR's descendants; 900 at most are published
OF_TENSORFLOW = ("tflite_", "detection_", "statefulpartitionedcall", "raw_detection")
TABLES = {
    6: (
        ("left", "top", "right", "bottom", "score", "class"),
        ("class", "score", "left", "top", "right", "bottom"),  # Paddle's
    ),
    7: (
        ("picture", "class", "score", "left", "top", "right", "bottom"),
        ("picture", "left", "top", "right", "bottom", "class", "score"),
    ),
}


def end_to_end(seen: Seen) -> list[Fit]:
    """Boxes, class ids and scores as three outputs, with or without a count."""
    boxes = [t for t in seen.tensors if t.value.ndim in (2, 3) and t.shape[-1] == 4]
    rows = [t for t in seen.tensors if t.value.ndim == 1 or (t.value.ndim == 2 and t not in boxes)]
    if len(boxes) != 1:
        raise Misfit(f"{len(boxes)} outputs (1, n, 4) or (n, 4); expected one of boxes")
    n, batch = boxes[0].shape[-2], boxes[0].shape[:-2]
    same = [t for t in rows if t.shape == (*batch, n)]
    if len(same) != 2:
        raise Misfit(f"{boxes[0]}, and {len(same)} outputs of {n} numbers; expected two")
    labels, scores = _classes_and_scores(same)
    counts = [t for t in seen.tensors if t.value.size == 1 and t not in same]
    options = _unlike_default({"boxes": boxes[0], "labels": labels, "scores": scores})
    reasons = [f"{t}" for t in (boxes[0], labels, scores)]
    if len(counts) == 1:
        options["count"] = counts[0].name
        reasons.append(f"{counts[0]}: how many of them hold a box")
        n = min(n, int(counts[0].high))
    form, words = _form(boxes[0], n, bool(counts))
    reasons.append(words)
    first, words = _first_class(labels, n, batch, seen)
    if first:
        options["first_class"] = first
    reasons.append(words)
    return [Fit("end_to_end", {**options, **form}, None, tuple(reasons))]


def _classes_and_scores(pair: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Tell which of two outputs holds the class ids."""
    whole = [t for t in pair if t.value.dtype.kind in "iu"]
    whole = whole or [t for t in pair if t.is_whole and t.value.size and t.high > 0]
    if not whole:
        words = ("label", "class")
        whole = [t for t in pair if any(word in t.name.lower() for word in words)]
    if len(whole) != 1:
        raise Misfit(f"{pair[0].name} and {pair[1].name}: cannot tell which holds the class ids")
    scores = pair[0] if whole[0] is pair[1] else pair[1]
    if not scores.is_chance:
        raise Misfit(f"{scores.name} reaches {scores.span}: no scores")
    return whole[0], scores


def _form(boxes: Tensor, n: int, counted: bool) -> tuple[dict[str, Any], str]:
    """Options ``format`` and ``normalised``, and why."""
    table = boxes.value.reshape(-1, 4)[:n].astype(np.float64)
    if not len(table):
        return {}, f"{boxes.name} has no box on this image: taken for corners in pixels"
    parts = float(np.abs(table).max()) <= 2
    options: dict[str, Any] = {"normalised": True} if parts else {}
    unit = "parts of the input" if parts else "pixels"
    if np.mean((table[:, 2] >= table[:, 0]) & (table[:, 3] >= table[:, 1])) < 0.98:
        return {"format": "cxcywh", **options}, f"centre and size in {unit}: {boxes.span}"
    if counted or boxes.name.lower().startswith(OF_TENSORFLOW):
        return {"format": "yxyx", **options}, f"corners in {unit}, top first as TensorFlow has them"
    return options, f"corners in {unit}: {boxes.span}"


def _first_class(labels: Tensor, n: int, batch: tuple[int, ...], seen: Seen) -> tuple[int, str]:
    ids = labels.value.reshape(-1)[:n]
    highest = int(ids.max()) if ids.size else -1
    if ids.size and int(ids.min()) == 0:
        return 0, "classes are counted from 0: there is a 0"
    if seen.count is not None and highest == seen.count:
        return 1, f"classes are counted from 1: there is a {highest} of {seen.count} labels"
    if not batch:
        return 1, "classes are taken to be counted from 1: without a batch axis, as torchvision's"
    if labels.name.lower().startswith("detection_"):
        return 1, f"classes are taken to be counted from 1: {labels.name}, as TensorFlow's API"
    return 0, "classes are taken to be counted from 0"


def _unlike_default(found: dict[str, Tensor]) -> dict[str, Any]:
    return {option: tensor.name for option, tensor in found.items() if tensor.name != option}


def rows(seen: Seen) -> list[Fit]:
    """One table with six or seven columns; beside it may stand how many rows it has."""
    found = [t for t in seen.tensors if t.value.ndim >= 2 and t.shape[-1] in TABLES]
    found = [t for t in found if t.value.size == t.shape[-2] * t.shape[-1]]
    counts = [t for t in seen.tensors if t.value.size == 1 and t.value.dtype.kind in "iu"]
    if len(found) != 1 or len(seen.tensors) - len(counts) != 1:
        raise Misfit("not one output of six or seven columns, and how many rows it has")
    tensor = found[0]
    table = tensor.value.reshape(-1, tensor.shape[-1]).astype(np.float64)
    if tensor.is_share:
        raise Misfit(f"{tensor}: one row that sums to one is a classifier's")
    if not len(table):
        raise Misfit(f"{tensor}: no row on this image, so the order of its columns is unknown")
    for columns in TABLES[tensor.shape[-1]]:
        if is_table(table, columns):
            break
    else:
        raise Misfit(f"{tensor}: no order of corners, score and whole class numbers fits")
    options = seen.sole(tensor)
    if columns != TABLES[6][0]:
        options["columns"] = list(columns)
    corners = table[:, [columns.index(c) for c in ("left", "top", "right", "bottom")]]
    if 0 < np.abs(corners).max() <= 2:
        options["normalised"] = True
    ids = table[:, columns.index("class")]
    if seen.count is not None and ids.max() == seen.count:
        options["first_class"] = 1
    reasons: tuple[str, ...] = (f"{tensor}: rows of {', '.join(columns)}",)
    if grid_of(len(table), seen.size) is None:
        reasons += (f"{len(table)} rows are no cells of a grid",)
    return [Fit("rows", options, None, reasons, "decoder")]


def is_table(table: np.ndarray[Any, Any], columns: tuple[str, ...]) -> bool:
    """Return whether a table's columns hold what their names say."""
    column = {name: table[:, index] for index, name in enumerate(columns)}
    score, ids = column["score"], column["class"]
    ordered = (column["right"] >= column["left"]) & (column["bottom"] >= column["top"])
    whole = bool(np.all(ids == np.round(ids))) and bool(np.all(ids >= -1))
    pictures = column.get("picture", np.zeros(1))
    return bool(
        whole
        and np.all((score >= 0) & (score <= 1))
        and np.mean(ordered) > 0.98
        and np.all(np.isin(pictures, (0, -1)))
        and (np.any(ids > 0) or np.any(score > 0))
    )


def pairs(seen: Seen) -> list[Fit]:
    """``detr`` or ``boxes_scores``, of an output of boxes and one of scores a box."""
    boxes, scores = _pair(seen)
    n = boxes.shape[1]
    grid = grid_of(n, seen.size)
    table = boxes.value.reshape(n, 4).astype(np.float64)
    reasons = [f"{boxes}: boxes, {boxes.span}", f"{scores}: scores of each, {scores.span}"]
    if not are_boxes(table, seen.size):
        raise Misfit(f"{'; '.join(reasons)}; no boxes in the image, as shifts of priors are none")
    parts = float(np.abs(table).max()) <= 2
    placed = grid is not None and grid.followed_by(table[:, 0], table[:, 1])
    if grid is not None and not placed and parts:
        raise Misfit(f"{'; '.join(reasons)}; {grid}, at which its boxes do not lie")
    if grid is None and not parts and not scores.is_chance:
        raise Misfit(f"{'; '.join(reasons)}; boxes in pixels, but scores that are no probabilities")
    if grid is None and parts and (boxes.low < -0.5 or boxes.high > 1.5):
        raise Misfit(f"{'; '.join(reasons)}; boxes neither in 0..1 nor in pixels")
    if grid is not None:
        return [_suppressed(seen, boxes, scores, table, (*reasons, str(grid)))]
    if n > MOST_QUERIES:
        return [_suppressed(seen, boxes, scores, table, (*reasons, f"{n}: too many for queries"))]
    return _queries(seen, boxes, scores, table, (*reasons, f"{n} queries: no grid"))


def _pair(seen: Seen) -> tuple[Tensor, Tensor]:
    three = [t for t in seen.tensors if t.value.ndim == 3 and t.shape[0] == 1]
    boxes = [t for t in three if t.shape[2] == 4]
    if len(three) != 2 or three[0].shape[1] != three[1].shape[1] or not boxes:
        shapes = "; ".join(map(str, seen.tensors))
        raise Misfit(f"not a pair (1, n, 4) and (1, n, classes): {shapes}")
    if len(boxes) == 2:  # four classes, too
        named = [t for t in boxes if "box" in t.name.lower()]
        if len(named) != 1:
            raise Misfit(f"{boxes[0].name} or {boxes[1].name}: which has the boxes is not seen")
        boxes = named
    return boxes[0], three[0] if boxes[0] is three[1] else three[1]


def _suppressed(
    seen: Seen, boxes: Tensor, scores: Tensor, table: Any, reasons: tuple[str, ...]
) -> Fit:
    columns = scores.shape[2]
    options = _unlike_default({"boxes": boxes, "scores": scores})
    if (background := _background(scores)) is not None:
        columns -= 1
        options["background"] = background
        reasons += (f"scores sum to one, most of it in the {background} column: a background",)
    if seen.count not in (None, columns):
        raise Misfit(
            f"{'; '.join(reasons)}; {columns} columns are not {seen.count} labels",
            f"{columns} names in --labels",
        )
    if not scores.is_chance:
        raise Misfit(f"{'; '.join(reasons)}; scores that are no probabilities")
    if np.mean((table[:, 2] >= table[:, 0]) & (table[:, 3] >= table[:, 1])) < 0.98:
        options["format"] = "cxcywh"
    if float(np.abs(table).max()) <= 2:
        options["normalised"] = True
    form = options.get("format", "xyxy")
    kind = kind_of_priors(boxes.shape[1], seen.size)
    family = "" if kind is None else kind
    return Fit("boxes_scores", options, columns, (*reasons, f"boxes are {form}"), family=family)


def _background(scores: Tensor) -> str | None:
    """Which column of scores that sum to one has more than all others, as a background has."""
    if not scores.sums_to_one(2):
        return None
    means = scores.value.astype(np.float64).mean(axis=(0, 1))
    return "first" if means[0] > 0.5 else "last" if means[-1] > 0.5 else None


def _queries(
    seen: Seen, boxes: Tensor, scores: Tensor, table: Any, reasons: tuple[str, ...]
) -> list[Fit]:
    options: dict[str, Any] = {
        option: tensor.name
        for option, tensor in (("boxes", boxes), ("logits", scores))
        if tensor.name != f"pred_{option}"
    }
    if np.mean((table[:, 2] >= table[:, 0]) & (table[:, 3] >= table[:, 1])) >= 0.98:
        options["format"] = "xyxy"
    if float(np.abs(table).max()) > 2:
        options["normalised"] = False
    columns, count = scores.shape[2], seen.count
    readings: list[Reading] = []
    if scores.sums_to_one(2):
        readings.append(({"activation": "none", "background": "last"}, columns - 1, "sum to one"))
    elif scores.is_chance:
        readings.append(({"activation": "none"}, columns, "are probabilities"))
    else:
        readings += _of_logits(scores, columns)
    fits = [
        Fit(
            "detr",
            {**options, **more},
            labels,
            (*reasons, f"scores {why}"),
            "options.activation, options.background, options.first_class",
            _family(more),
        )
        for more, labels, why in readings
        if count in (None, labels)
    ]
    if not fits:
        raise Misfit(f"{'; '.join(reasons)}; {columns} columns do not fit {count} labels")
    return fits


def _family(options: Mapping[str, Any]) -> str:
    """DETR shares out among classes and no object; RF-DETR's first column is of no label."""
    if options.get("activation") == "softmax":
        return "detr"
    return "rf-detr" if options.get("first_class") else ""


def _of_logits(scores: Tensor, columns: int) -> list[Reading]:
    """The readings of logits: each class by itself, or shared out with "no object" as the last."""
    raw = scores.value[0].astype(np.float64)
    shares = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    empty = float(shares[:, -1].mean())
    softmax: Reading = (
        {"activation": "softmax", "background": "last"},
        columns - 1,
        f"are logits, of which the last column is {empty:.0%} of the softmax: no object",
    )
    if empty > 0.5:
        return [softmax]
    unused: Reading = (
        {"first_class": 1},
        columns - 1,
        "are logits, of which the first column is of no label",
    )
    each: Reading = ({}, columns, "are logits of each class by itself")
    if float(raw[:, 0].max()) < float(raw[:, 1:].max(axis=1).min()):
        return [unused]
    return [each, softmax, unused]
