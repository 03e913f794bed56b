"""By how much a camera has moved between two frames, from where its objects are: without pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plugins.track.motion import Rows

Shift = NDArray[np.float64]
NONE: Shift = np.zeros(2)

_FAR = 3.0  # sizes by which a movement of the camera may move an object between two frames
_ALIKE = 0.35  # difference of the logarithms of sizes, up to which two boxes may be one object's
_NEAR = 0.2  # sizes off within which a shift explains a box
_TRIED = 128  # shifts at most
_LEAST, _MORE = (
    3,
    0.25,
)  # objects, and share of the objects, that a shift has to explain beyond none


def shift_of(expected: Rows, found: Rows) -> Shift:
    """Return the shift that explains where most objects are now: right and down, in pixels.

    Each pair of an object and a box of about its size is a shift that may be; the one by which most
    objects come to lie on a box wins, where it explains clearly more than no shift at all does.

    Args:
        expected: (n, 4), objects where they would be if the camera stood: centre, width, height.
        found: (m, 4), the boxes of the frame.
    """
    if min(len(expected), len(found)) < _LEAST:
        return NONE
    size = np.sqrt(expected[:, 2:3] * expected[:, 3:])
    off = (found[None, :, :2] - expected[:, None, :2]) / size[:, None]
    alike = np.abs(np.log(found[None, :, 2:] / expected[:, None, 2:])).max(axis=2) < _ALIKE
    rows, columns = np.nonzero(alike & (np.abs(off).max(axis=2) < _FAR))
    if len(rows) < _LEAST:
        return NONE
    pixels = off[rows, columns] * size[rows]
    tried = pixels[:: len(rows) // _TRIED + 1]
    tried = np.concatenate([NONE[None], tried])
    beside = np.abs(pixels[None] - tried[:, None]).max(axis=2) < _NEAR * size[rows, 0]
    votes = np.zeros((len(tried), len(expected)), np.bool_)
    each, pair = np.nonzero(beside)
    votes[each, rows[pair]] = True
    explained = votes.sum(axis=1)
    best = int(explained.argmax())
    if explained[best] < explained[0] + max(_LEAST, _MORE * len(expected)):
        return NONE
    return np.asarray(np.median(pixels[beside[best]], axis=0))
