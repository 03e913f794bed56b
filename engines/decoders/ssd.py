"""SSD's raw heads (Liu et al. 2016): boxes as shifts of priors; and MobileNet-SSD's.

A shift is (t * prior size / 10 + prior centre, prior size * exp(t / 5)), with the factors as an
option; where NMS is in the graph, ``end_to_end`` or ``rows`` reads its outputs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import classify, corners, suppress
from engines.decoders.priors import MADE, Level, priors
from engines.decoders.probabilities import Activation, Background, of_labels
from engines.found import Boxes

LARGEST = float(np.log(1000 / 16))  # of a size's logarithm; the image's edges cut off more


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    scores: str = "scores",
    anchors: str | tuple[Level, ...],
    order: Literal["xywh", "yxhw"] = "xywh",
    factors: tuple[float, float, float, float] = (10, 10, 5, 5),
    activation: Activation = "sigmoid",
    background: Background = "first",
    multi_label: bool = True,
) -> Boxes:
    """Boxes of a (1, n, 4) and a (1, n, classes) output and n priors.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        boxes: name of the output of shifts; (1, n, 1, 4) is taken too.
        scores: name of the output of scores.
        anchors: the priors: ``tensorflow``, ``ssd300``, ``ultraface``, ``facemask`` or
            ``retinaface``, made from the input's size; or the list of levels; or the name of an
            output (n, 4) or (1, n, 4) of centres and sizes in 0..1.
        order: of a shift, and of an output of priors; TensorFlow has y first.
        factors: of x, y, width and height: 1 by the variances of others.
        activation: what is still to be applied to the scores.
        background: whether the first or last column of the scores is of no label.
        multi_label: a box counts for each class whose threshold it reaches, not for one alone.

    Raises:
        OptionError: the outputs do not fit each other, the priors or the labels.
    """
    shifts, raw = output(outputs, boxes), output(outputs, scores)
    if shifts.ndim == 4 and shifts.shape[2] == 1:
        shifts = shifts[:, :, 0]
    given = _priors(outputs, anchors, order, spec)
    n = len(given)
    if shifts.shape != (1, n, 4) or raw.ndim != 3 or raw.shape[:2] != (1, n):
        raise OptionError(
            f"ssd: expected (1, {n}, 4) and (1, {n}, classes) for {n} anchors, "
            f"got {shifts.shape}, {raw.shape}"
        )
    chances = of_labels(raw[0], activation, background, len(spec.labels))
    rows, score, class_id = classify(chances, spec.threshold, multi_label)
    moved = shifts[0, rows].astype(np.float32)[:, [1, 0, 3, 2] if order == "yxhw" else slice(None)]
    xyxy = moved_priors(moved, given[rows], factors)
    xyxy = np.clip(xyxy, 0, 1) * np.array(spec.size * 2, np.float32)
    return suppress(Boxes(xyxy, score, class_id), spec)


def moved_priors(
    shifts: NDArray[np.float32],
    at: NDArray[np.float32],
    factors: tuple[float, float, float, float],
) -> NDArray[np.float32]:
    """Return the (n, 4) corners of priors, centre and size, that (n, 4) shifts move and scale."""
    moved = shifts / np.array(factors, np.float32)
    centre = moved[:, :2] * at[:, 2:] + at[:, :2]
    size = np.exp(np.minimum(moved[:, 2:], np.float32(LARGEST))) * at[:, 2:]
    return corners(np.hstack([centre, size]))


def _priors(
    outputs: Outputs, anchors: str | tuple[Level, ...], order: str, spec: Spec
) -> NDArray[np.float32]:
    if not isinstance(anchors, str) or anchors in MADE:
        return priors(anchors, spec.size)
    given = output(outputs, anchors)
    if given.ndim not in (2, 3) or given.shape[-1] != 4 or given.size != given.shape[-2] * 4:
        raise OptionError(f"options.anchors: expected an output (n, 4), got {given.shape}")
    found = given.reshape(-1, 4).astype(np.float32)
    return found[:, [1, 0, 3, 2]] if order == "yxhw" else found
