"""Networks that end at boxes, labels and scores: DETR's descendants, or with NMS in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Format, to_xyxy
from engines.found import Boxes


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    labels: str = "labels",
    scores: str = "scores",
    count: str | None = None,
    format: Format = "xyxy",
    normalised: bool = False,
    first_class: int = 0,
) -> Boxes:
    """Boxes above their thresholds, as the network gives them; nothing is suppressed.

    Args:
        outputs: the network's outputs by name, with or without a first axis of one image.
        spec: labels, thresholds, input size.
        boxes: name of the (1, n, 4) or (n, 4) output.
        labels: name of the (1, n) or (n,) output of class ids.
        scores: name of the (1, n) or (n,) output.
        count: name of an output of one number, how many of the rows hold a box.
        format: corners, in TensorFlow's order top first, or centre and size.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.

    Raises:
        OptionError: the outputs do not fit each other, or a class id has no label.
    """
    found, ids, score = one_image(*(output(outputs, name) for name in (boxes, labels, scores)))
    if count is not None:
        rows = int(output(outputs, count).reshape(-1)[0])
        found, ids, score = found[:rows], ids[:rows], score[:rows]
    kept, class_id = likely(ids, score, spec, first_class)
    xyxy = to_xyxy(found[kept], format, spec.size if normalised else None)
    return Boxes(xyxy, score[kept].astype(np.float32), class_id)


def likely(
    ids: NDArray[Any], score: NDArray[Any], spec: Spec, first_class: int
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Of (n,) class ids and scores those that reach their thresholds: rows, indices of labels.

    Raises:
        OptionError: a class id has no label.
    """
    index = ids.astype(np.int32) - np.int32(first_class)
    rows = np.flatnonzero(score >= spec.threshold.min())
    if len(rows):
        _check(index[rows], len(spec.labels), first_class)
    rows = rows[score[rows] >= spec.threshold[index[rows]]]
    return rows, index[rows]


def one_image(
    boxes: NDArray[Any], labels: NDArray[Any], scores: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the (n, 4) boxes, (n,) labels and (n,) scores of one image.

    Raises:
        OptionError: the outputs do not fit each other.
    """
    n = boxes.shape[-2] if boxes.ndim > 1 else -1
    for batch in ((1,), ()):
        if (boxes.shape, labels.shape, scores.shape) == ((*batch, n, 4), (*batch, n), (*batch, n)):
            return boxes.reshape(n, 4), labels.reshape(n), scores.reshape(n)
    shapes = f"{boxes.shape}, {labels.shape}, {scores.shape}"
    raise OptionError(
        f"end_to_end: expected (1, n, 4), (1, n), (1, n), or all without the 1, got {shapes}"
    )


def _check(ids: NDArray[np.int32], labels: int, first: int) -> None:
    low, high = int(ids.min()) + first, int(ids.max()) + first
    if low < first or high >= first + labels:
        got = low if low < first else high
        raise OptionError(
            f"expected classes {first} to {first + labels - 1}, got {got}; see options.first_class"
        )
