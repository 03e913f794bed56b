"""The motion of boxes: a Kalman filter of constant speed, all tracks at once, in seconds.

The four numbers of a box (centre, width, height) move independently, so the covariance of each is
2 x 2 and stands in three columns: no matrix is inverted, and n tracks cost as many calls of NumPy
as one. Noise is a share of the box's size, so it is the same for objects near and far, and the
uncertainty grows with time (white noise of acceleration), so it is the same at any frame rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

# A state, (20,): the box, its speed per second, their variances and covariance, four numbers each.
WIDTH = 20
AT, SPEED, VARIANCE, SPEED_VARIANCE = slice(0, 4), slice(4, 8), slice(8, 12), slice(16, 20)
_PARTS = (5, 4)
_AT, _SPEED, _VARIANCE, _COVARIANCE, _SPEED_VARIANCE = range(5)

# Squares of standard deviations.
_NOISE = np.square([0.05, 0.05, 0.07, 0.07])  # of a measured box, in sizes
_BEST, _WORSE = 0.5, 2.0  # share of it of a box of score 1, and how much it is more at score 0
_PART = 2.0  # standard deviations off, from which a box is that of a part of somebody
_FIRST_SPEED = np.square([1.0, 0.7, 0.15, 0.15])  # before it was seen to move, sizes a second
_JERK = np.square([0.7, 0.5, 0.15, 0.15])  # change of speed, sizes a second, in a second
_KEEP_S = np.array([6.0, 6.0, 0.7, 0.7])  # in which speed is forgotten to a third

# The way of a state through time, rows to columns: what stays, what comes with time and with its
# square; how fast what has come is forgotten, and how fast that part of the noise is.
_STAYS = np.eye(WIDTH)
_COMES, _COMES_SQUARED = np.zeros((2, WIDTH, WIDTH))
_COMES[4:8, 0:4] = _COMES[16:20, 12:16] = np.eye(4)
_COMES[12:16, 8:12] = 2 * np.eye(4)
_COMES_SQUARED[16:20, 8:12] = np.eye(4)
_FORGOTTEN = np.outer([[0, 1, 0, 1, 2], [0, 0, 0, 1, 0]], 1 / _KEEP_S).reshape(2, WIDTH)


def states_of(boxes: Rows) -> Rows:
    """Return the states of objects seen for the first time: (n, 20).

    Args:
        boxes: (n, 4), centre, width, height.
    """
    made = np.zeros((len(boxes), *_PARTS))
    area = area_of(boxes)
    made[:, _AT] = boxes
    made[:, _VARIANCE] = _NOISE * area
    made[:, _SPEED_VARIANCE] = _FIRST_SPEED * area
    return made.reshape(-1, WIDTH)


def predict(states: Rows, elapsed_s: float) -> None:
    """Move states on in time, in place; ``elapsed_s`` is 0 or more."""
    kept, noise_kept = np.exp(_FORGOTTEN * -elapsed_s)
    step = (_STAYS + _COMES * elapsed_s + _COMES_SQUARED * elapsed_s**2) * kept
    grown = np.array([0.0, 0.0, elapsed_s**3 / 3, elapsed_s**2 / 2, elapsed_s])
    noise = (grown[:, None] * _JERK).reshape(WIDTH) * noise_kept
    added = area_of(states) * noise
    np.add(states @ step, added, out=states)
    np.maximum(states[:, 2:4], 1.0, out=states[:, 2:4])


def correct(states: Rows, boxes: Rows, scores: Rows) -> None:
    """Take a look at objects, in place.

    A box of a low score is less exact (Du et al., 2021). One far from where it was expected is that
    of a part of somebody, or of two together, and counts the less the farther off it is (Huber,
    1964); otherwise somebody half hidden would seem to move and to shrink.

    Args:
        states: (n, 20), predicted to the time of the look.
        boxes: (n, 4), the box of each: centre, width, height.
        scores: (n,) of the boxes.
    """
    parts, noise = states.reshape(-1, *_PARTS), _NOISE * area_of(states)
    of_box, covariances = parts[:, : _SPEED + 1], parts[:, _VARIANCE : _COVARIANCE + 1]
    off, variance = boxes - parts[:, _AT], parts[:, _VARIANCE]
    noise *= (_BEST + _WORSE * (1 - scores))[:, None]
    noise *= np.maximum(np.abs(off) / (_PART * np.sqrt(variance + noise)), 1.0)
    gains = covariances / (variance + noise)[:, None]
    of_box += gains * off[:, None]
    parts[:, _SPEED_VARIANCE] -= gains[:, 1] * parts[:, _COVARIANCE]
    np.multiply(gains, noise[:, None], out=covariances)


def centred(xyxy: Rows) -> Rows:
    """Return boxes as centre x and y, width and height: (n, 4)."""
    made = np.empty(xyxy.shape)
    size = np.subtract(xyxy[:, 2:], xyxy[:, :2], out=made[:, 2:])
    np.add(xyxy[:, :2], size * 0.5, out=made[:, :2])
    return made


def area_of(boxes: Rows) -> Rows:
    """Return the area of each box, 1 or more: (n, 1); ``boxes`` is (n, 4 or more)."""
    return np.maximum(boxes[:, 2:3] * boxes[:, 3:4], 1.0)
