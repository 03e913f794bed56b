"""YOLACT (Bolya et al. 2019, https://arxiv.org/abs/1904.02689): moved priors and prototypes."""

from __future__ import annotations

import numpy as np

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Candidates, classify, suppress
from engines.decoders.probabilities import Activation, Background, of_labels
from engines.decoders.prototypes import Finer, planar, with_masks
from engines.decoders.ssd import moved_priors
from engines.found import Instances


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    scores: str = "scores",
    coefficients: str = "coefficients",
    prototypes: str = "prototypes",
    priors: str | None = "priors",
    factors: tuple[float, float, float, float] = (10, 10, 5, 5),
    activation: Activation = "none",
    background: Background = "first",
    finer: Finer = 2,
) -> Instances:
    """Boxes with masks of raw heads and (1, h, w, p) prototypes.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        boxes: name of the (1, n, 4) output: shifts of the priors, or with ``priors: null`` corners
            in 0..1 of the input.
        scores: name of the (1, n, classes) output.
        coefficients: name of the (1, n, p) output, tanh applied.
        prototypes: name of the prototypes, (1, h, w, p) or (1, p, h, w).
        priors: name of the (n, 4) or (1, n, 4) output of centres and sizes in 0..1.
        factors: of x, y, width and height: 1 by the variances of others.
        activation: what is still to be applied to the scores.
        background: whether the first or last column of the scores is of no label.
        finer: pixels of a mask along each side of a prototype's cell, interpolated.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    shifts, raw, mixes, planes = (
        output(outputs, name) for name in (boxes, scores, coefficients, prototypes)
    )
    n = shifts.shape[1] if shifts.ndim == 3 else -1
    if shifts.shape != (1, n, 4) or raw.shape[:2] != (1, n) or mixes.shape[:2] != (1, n):
        raise OptionError(
            "yolact: expected boxes (1, n, 4), scores (1, n, classes) and coefficients (1, n, p), "
            f"got {shifts.shape}, {raw.shape}, {mixes.shape}"
        )
    count = mixes.shape[2]
    if planes.ndim != 4 or planes.shape[0] != 1 or count not in (planes.shape[1], planes.shape[3]):
        raise OptionError(
            f"yolact: expected prototypes (1, h, w, {count}) or (1, {count}, h, w), "
            f"got {planes.shape}"
        )
    chances = of_labels(raw[0], activation, background, len(spec.labels))
    rows, score, class_id = classify(chances, spec.threshold)
    if priors is None:
        xyxy = shifts[0, rows].astype(np.float32)
    else:
        given = output(outputs, priors)
        if given.size != n * 4 or given.shape[-1] != 4:
            raise OptionError(f"options.priors: expected an output ({n}, 4), got {given.shape}")
        at = given.reshape(n, 4)[rows].astype(np.float32)
        xyxy = moved_priors(shifts[0, rows].astype(np.float32), at, factors)
    xyxy = np.clip(xyxy, 0, 1) * np.array(spec.size * 2, np.float32)
    found = Candidates(xyxy, score, class_id, mixes[0, rows].astype(np.float32))
    protos = planar(planes, first=planes.shape[3] != count)
    return with_masks(suppress(found, spec), protos, spec, finer)
