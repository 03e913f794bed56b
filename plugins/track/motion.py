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

# Columns of a state, (n, 20): the box, its speed per second, and their variances and covariance.
AT, SPEED = slice(0, 4), slice(4, 8)
VARIANCE, COVARIANCE, SPEED_VARIANCE = slice(8, 12), slice(12, 16), slice(16, 20)
WIDTH = 20

_NOISE = np.array([0.05, 0.05, 0.07, 0.07])  # of a measured box, in sizes
_FIRST_SPEED = np.array([1.0, 0.7, 0.15, 0.15])  # of an object not yet seen to move, sizes a second
_JERK = np.array([0.7, 0.5, 0.15, 0.15])  # change of speed, sizes a second, in a second
_KEEP_S = np.array([6.0, 6.0, 0.7, 0.7])  # in which speed is forgotten to a third


def states_of(xyxy: Rows) -> Rows:
    """Return the states of objects seen for the first time: (n, 20)."""
    made = np.zeros((len(xyxy), WIDTH))
    made[:, AT] = centred(xyxy)
    size = _size(made)
    made[:, VARIANCE] = (_NOISE * size) ** 2
    made[:, SPEED_VARIANCE] = (_FIRST_SPEED * size) ** 2
    return made


def predict(states: Rows, elapsed_s: float) -> None:
    """Move states on in time, in place; ``elapsed_s`` is 0 or more."""
    kept = np.exp(-elapsed_s / _KEEP_S)
    speed_noise = (_JERK * _size(states)) ** 2 * elapsed_s
    variance, covariance = states[:, VARIANCE], states[:, COVARIANCE]
    speed_variance = states[:, SPEED_VARIANCE]
    states[:, AT] += states[:, SPEED] * elapsed_s
    variance += (2 * covariance + speed_variance * elapsed_s) * elapsed_s
    variance += speed_noise * (elapsed_s**2 / 3)
    covariance += speed_variance * elapsed_s + speed_noise * (elapsed_s / 2)
    covariance *= kept
    speed_variance *= kept**2
    speed_variance += speed_noise
    states[:, SPEED] *= kept
    np.maximum(states[:, 2:4], 1.0, out=states[:, 2:4])


def correct(states: Rows, xyxy: Rows) -> Rows:
    """Return states after a look at their objects.

    Args:
        states: (n, 20), predicted to the time of the look.
        xyxy: (n, 4), the box of each.
    """
    after = np.empty_like(states)
    variance, covariance = states[:, VARIANCE], states[:, COVARIANCE]
    noise = (_NOISE * _size(states)) ** 2
    total = variance + noise
    surprise = centred(xyxy) - states[:, AT]
    gain, speed_gain = variance / total, covariance / total
    after[:, AT] = states[:, AT] + gain * surprise
    after[:, SPEED] = states[:, SPEED] + speed_gain * surprise
    after[:, VARIANCE] = gain * noise
    after[:, COVARIANCE] = speed_gain * noise
    after[:, SPEED_VARIANCE] = states[:, SPEED_VARIANCE] - speed_gain * covariance
    return after


def centred(xyxy: Rows) -> Rows:
    """Return boxes as centre x and y, width and height: (n, 4)."""
    size = xyxy[:, 2:] - xyxy[:, :2]
    return np.concatenate([xyxy[:, :2] + size / 2, size], axis=1)


def cornered(at: Rows) -> Rows:
    """Return boxes of centre, width and height as left, top, right, bottom: (n, 4)."""
    half = at[:, 2:] / 2
    return np.concatenate([at[:, :2] - half, at[:, :2] + half], axis=1)


def _size(states: Rows) -> Rows:
    """Return the side of a square as large as each box: (n, 1)."""
    return np.sqrt(np.maximum(states[:, 2:3] * states[:, 3:4], 1.0))
