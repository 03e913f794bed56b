"""The costs of continuing tracks by boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plugins.track.motion import AT, VARIANCE, Rows, centred, cornered
from plugins.track.overlap import overlap

LIMIT = 7.0  # half a squared distance in standard deviations, and what is added to it
_SPREAD = np.array([0.12, 0.12, 0.2, 0.2])  # of boxes of one object, in sizes
_APART = 8.0  # of boxes that do not overlap
_WIDEST = 4.0  # of an area however wide, so that who comes back after long is still known
_OTHER_CLASS = 3.0
_WEAK = 2.0  # against a score of 1


def costs(states: Rows, xyxy: Rows, scores: Rows) -> Rows:
    """Return what it costs to say that a box continues a track: (n, m), the better the less.

    It is the negative logarithm of the likelihood of the box where the track is expected. Tracks
    that were not seen for a time are expected in a wider area, and so less anywhere in it. The box
    of somebody half hidden ends where they are hidden, and so is unlikely and yet theirs: where
    boxes overlap the cost is no more than what they do not share.

    Args:
        states: (n, ...), predicted to the time of the boxes.
        xyxy: (m, 4).
        scores: (m,).
    """
    boxes = centred(xyxy)
    size = np.maximum(states[:, 2:3] * states[:, 3:4], 1.0)
    least = _SPREAD**2 * size
    spread = states[:, VARIANCE] + least
    off = states[:, None, AT] - boxes[None]
    distance = 0.5 * (off * off / spread[:, None]).sum(axis=2)
    apart = _APART * (1 - overlap(cornered(states[:, AT]), xyxy))
    wider = np.minimum(0.5 * np.log(spread / least).sum(axis=1), _WIDEST)
    return np.asarray(np.minimum(distance, apart) + wider[:, None] + _WEAK * (1 - scores))


def class_costs(classes: NDArray[np.int32], boxes: NDArray[np.int32], per_class: bool) -> Rows:
    """Return what it costs that a track and a box are of different classes: (n, m)."""
    differ = classes[:, None] != boxes[None]
    return np.where(differ, np.inf if per_class else _OTHER_CLASS, 0.0)
