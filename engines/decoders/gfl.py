"""Heads that give each side of a box as a distribution: PicoDet, NanoDet.

Generalized Focal Loss (Li et al. 2020): a side's distance from the cell's centre is the mean of
the softmax over reg_max + 1 whole steps, times the stride.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders import output as output_of
from engines.decoders.candidates import classify, suppress
from engines.decoders.probabilities import Activation, probabilities
from engines.found import Boxes


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    scores: tuple[str, ...] = (),
    distances: tuple[str, ...] = (),
    strides: tuple[int, ...] = (8, 16, 32, 64),
    steps: int = 8,
    activation: Activation = "none",
    centre: float = 0.5,
    multi_label: bool = False,
) -> Boxes:
    """Boxes of a raw head, of one output or of two for each stride.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        output: name of a (1, cells, classes + 4 * steps) output, NanoDet's; may be left out when
            there is only one.
        scores: names of the (1, cells, classes) or (1, classes, h, w) outputs, one a stride.
        distances: names of the (1, cells, 4 * steps) or (1, 4 * steps, h, w) outputs.
        strides: of the grids, in that order.
        steps: reg_max + 1.
        activation: what is still to be applied to the scores: sigmoid for PicoDet's own head.
        centre: where in its cell a centre is; 0 for NanoDet-Plus.
        multi_label: a box counts for each class whose threshold it reaches, not for one alone.

    Raises:
        OptionError: the outputs have other shapes than strides, size and labels ask for.
    """
    classes = len(spec.labels)
    grids = [(-(-spec.size[0] // s), -(-spec.size[1] // s), s) for s in strides]
    if not scores and not distances:
        table = _rows(sole(outputs, output), sum(w * h for w, h, _ in grids), classes + 4 * steps)
        raw, sides = table[:, :classes], table[:, classes:]
    elif len(scores) == len(distances) == len(strides):
        cells = [w * h for w, h, _ in grids]
        named = (zip(names, cells, strict=True) for names in (scores, distances))
        raw, sides = (
            np.concatenate([_rows(output_of(outputs, name), n, width) for name, n in pairs])
            for pairs, width in zip(named, (classes, 4 * steps), strict=True)
        )
    else:
        counts = f"{len(scores)} and {len(distances)}"
        raise OptionError(
            f"options.scores, distances: expected {len(strides)} names each, one a stride, "
            f"got {counts}"
        )
    rows, score, class_id = classify(probabilities(raw, activation), spec.threshold, multi_label)
    at = np.concatenate(list(_centres(grids, centre)))[rows]
    share = probabilities(sides[rows].reshape(-1, 4, steps), "softmax")
    reach = (share @ np.arange(steps, dtype=np.float32)) * at[:, 2:]
    xyxy = np.hstack([at[:, :2] - reach[:, :2], at[:, :2] + reach[:, 2:]])
    # A distribution reaches far over the edge, which would change the overlaps.
    xyxy = np.clip(xyxy, 0, np.array(spec.size * 2, np.float32))
    return suppress(Boxes(xyxy, score, class_id), spec)


def _rows(tensor: NDArray[np.float32], cells: int, width: int) -> NDArray[np.float32]:
    """(cells, width) of a (1, cells, width) or (1, width, h, w) output."""
    if tensor.shape == (1, cells, width):
        return tensor.reshape(cells, width)
    if tensor.ndim == 4 and tensor.shape[:2] == (1, width) and tensor[0, 0].size == cells:
        return tensor.reshape(width, cells).T
    raise OptionError(
        f"gfl: expected an output (1, {cells}, {width}) or (1, {width}, h, w) of {cells} cells, "
        f"got {tensor.shape}"
    )


def _centres(grids: list[tuple[int, int, int]], centre: float) -> Iterator[NDArray[np.float32]]:
    """(cells, 3) of each grid: x and y in pixels, stride."""
    for columns, lines, stride in grids:
        row, column = np.mgrid[:lines, :columns].reshape(2, -1).astype(np.float32)
        x, y = (column + centre) * stride, (row + centre) * stride
        yield np.stack([x, y, np.full_like(x, stride)], axis=1).astype(np.float32)
