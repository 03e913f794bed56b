"""A flat road seen in perspective, fitted to the strokes of its lines.

On a flat road a line at ``x = d + k/2 z²`` (metres, z ahead) appears at
``u = a + b (v - h) + c / (v - h)``: ``h`` is the row of the horizon, ``a`` and ``c`` are heading
and bend, the same for all lines that run along the road, and ``b`` is the distance ``d`` in heights
of the camera. So a stroke that is too short to be told straight from bent has the shape of its
neighbours. A. Guiducci, "Parametric model of the perspective projection of a road with applications
to lane keeping and 3D road reconstruction", 1999, has the model; the fit is Gauss-Newton over
``h``, ``a`` and ``c`` with each ``b`` eliminated, reweighted against outliers.

Lengths are in units of 1/640 of the frame's width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plugins.lanes.runs import Floats, Ints

NEAREST = 2.0  # to the horizon, that a row is believed to be
_SCALE = 1.5  # of a residual that halves a point's weight
_WORTH = 0.1 / _SCALE**2  # of a row, in a fit: neighbouring rows err alike
_OWN = np.array([1.5, 0.1, 30.0])  # deviations of a line's a, b and c from the road's
FREE = np.array([60.0, 400.0, 1500.0])  # deviations of h, a and c where nothing is known


class Road(NamedTuple):
    """The parameters that all lines of a road share.

    Attributes:
        h: row of the horizon.
        a: column of a straight road's vanishing point.
        c: bend.
    """

    h: float
    a: float
    c: float

    def below(self, y: Floats) -> Floats:
        """Return the distance of rows from the horizon."""
        return np.maximum(y - self.h, NEAREST)

    def distances(self, x: Floats, y: Floats) -> Floats:
        """Return ``b`` of points: their distance to the right in heights of the camera."""
        below = self.below(y)
        distance: Floats = (x - self.a - self.c / below) / below
        return distance


class Fit(NamedTuple):
    """A road and its lines.

    Attributes:
        road: what they share.
        b: (n,) of each line.
        weights: (m,) of each point, in 0..1, low where it does not fit.
        normal: (3, 3) the inverse of the covariance of h, a and c.
    """

    road: Road
    b: Floats
    weights: Floats
    normal: Floats


class Own(NamedTuple):
    """The curve of each line, with what its points tell of it.

    Attributes:
        curves: (n, 3) a, b and c.
        miss: (n,) by how much points miss them.
        covariance: (n, 3, 3) of a, b and c on a road that is known.
        by_road: (n, 3, 3) the products of derivatives by a, b and c with those by the road's h, a
            and c.
    """

    curves: Floats
    miss: Floats
    covariance: Floats
    by_road: Floats


def fit(
    points: tuple[Floats, Floats],
    line: Ints,
    start: Road,
    deviation: NDArray[np.float64] = FREE,
    steps: int = 4,
    worth: Floats | float = 1.0,
) -> Fit:
    """Fit a road and the distance of each line to points on them.

    Args:
        points: x and y, (m,) each.
        line: (m,) of which line a point is, 0..n-1.
        start: where to begin, and what is believed where points do not tell.
        deviation: (3,) of h, a and c from ``start``, as far as known before.
        steps: of Gauss and Newton; in the first ones outliers have more weight.
        worth: (m,) of each point, in 0..1, the inverse of its variance: 1 of one that is whole.
    """
    x, y = points
    believed = np.array(start)
    state = believed.copy()
    highest = y.min() - NEAREST
    trust = 1.0 / deviation**2
    weights, left = np.ones(len(x)), np.diag(trust)
    member = (line == np.arange(int(line.max(initial=-1)) + 1)[:, None]).astype(np.float64)
    columns = np.ones((5, len(x)))
    for step in range(steps + 1):
        state[0] = min(state[0], highest)
        h, a, c = state
        below, inverse = columns[4], columns[2]
        np.subtract(y, h, out=below)
        np.divide(1.0, below, out=inverse)
        rest = x - a - c * inverse
        weighted = weights * worth * below
        b = (member @ (weighted * rest)) / np.maximum(member @ (weighted * below), 1e-9)
        own = b[line]
        residual = rest - own * below
        reach = _SCALE * (1 + max(0, steps - 2 - step))
        weights = 1.0 / (1.0 + worth * (residual / reach) ** 2)
        if step == steps:
            break
        columns[0] = c * inverse * inverse - own
        columns[3] = residual
        # the second power lets far outliers go entirely
        normal = _normal(columns, weights * weights * worth, member) * _WORTH
        left = normal[:3, :3] + np.diag(trust)
        state = state + np.linalg.solve(left, normal[:3, 3] + trust * (believed - state))
    return Fit(Road(*state.tolist()), b, weights, left)


def _normal(columns: Floats, weights: Floats, member: Floats) -> Floats:
    """Products (4, 4) of the columns with each other, without what a line's own ``b`` explains.

    Args:
        columns: (5, m) the derivatives by h, a and c, the residual, and that by ``b``.
        weights: (m,).
        member: (n, m) 1 where a point is on a line.
    """
    weighted = columns * weights
    own = (weighted * columns[4]) @ member.T
    shared: Floats = weighted[:4] @ columns[:4].T
    products: Floats = shared - (own[:4] / np.maximum(own[4], 1e-9)) @ own[:4].T
    return products


def own_curves(points: tuple[Floats, Floats], line: Ints, found: Fit, worth: Floats) -> Own:
    """Return the curve of each line.

    A line has its own a and c only as far as its points tell that it does not run along the road.
    """
    x, y = points
    road, count = found.road, len(found.b)
    below = road.below(y)
    inverse = 1.0 / below
    residual = x - road.a - road.c * inverse - found.b[line] * below
    of_line = (line == np.arange(count)[:, None]) * (found.weights * worth)
    size = np.maximum(of_line.sum(axis=1), 1e-9)
    miss = np.sqrt((of_line @ residual**2) / size)
    base = np.stack([np.ones_like(x), below, inverse])
    weighted = of_line[:, None, :] * base * _WORTH
    by_h = road.c * inverse * inverse - found.b[line]
    right = weighted @ np.stack([*base, by_h, residual], axis=1)
    loose = np.where(miss > _SCALE, 10.0, 1.0)[:, None]
    normal = right[:, :, :3] + np.eye(3) * (1.0 / (_OWN * loose) ** 2)[:, None, :]
    covariance = np.linalg.inv(normal)
    curves = (covariance @ right[:, :, 4:])[:, :, 0]
    curves += np.stack([np.full(count, road.a), found.b, np.full(count, road.c)], axis=1)
    return Own(curves, miss, covariance, right[:, :, [3, 0, 2]])


def deviations(own: Own, found: Fit, below: Floats) -> Floats:
    """Return the standard deviation of each line at rows, (n, k).

    A line errs by what its own points leave open, and by what the road's points do, as far as its
    own do not make up for that.

    Args:
        own: of the lines.
        found: their road.
        below: (k,) distances of the rows from the horizon.
    """
    inverse = 1.0 / below
    base = np.stack([np.ones_like(below), below, inverse])
    by_road = np.repeat(base[None, [0, 0, 2]], len(found.b), axis=0)
    by_road[:, 0] = found.road.c * inverse * inverse - found.b[:, None]
    made_up = own.covariance @ own.by_road
    by_road -= made_up.transpose(0, 2, 1) @ base
    variance = (base * (own.covariance @ base)).sum(axis=1)
    variance += (by_road * (np.linalg.inv(found.normal) @ by_road)).sum(axis=1)
    deviation: Floats = np.sqrt(variance)
    return deviation


def first_guess(points: tuple[Floats, Floats], stroke: Ints, size: tuple[float, float]) -> Road:
    """Return a straight road to begin with: the point at which most long strokes meet.

    Args:
        points: x and y, (m,) each, of strokes alone.
        stroke: (m,) number of each one's stroke.
        size: width and height of the frame.
    """
    (x, y), (width, height) = points, size
    n = np.bincount(stroke).astype(np.float64)
    mean_x, mean_y = np.bincount(stroke, x) / n, np.bincount(stroke, y) / n
    dx, dy = x - mean_x[stroke], y - mean_y[stroke]
    slope = np.bincount(stroke, dx * dy) / np.maximum(np.bincount(stroke, dy * dy), 1e-9)
    long = np.argsort(-n)[:12]
    i, j = np.triu_indices(len(long), 1)
    i, j = long[i], long[j]
    cross = slope[i] - slope[j]
    crossing = np.abs(cross) > 0.25
    i, j, cross = i[crossing], j[crossing], cross[crossing]
    at_zero = mean_x - slope * mean_y
    h = (at_zero[j] - at_zero[i]) / cross
    a = at_zero[i] + slope[i] * h
    there = (h > -0.5 * height) & (h < mean_y[i]) & (h < mean_y[j])
    there &= (a > -0.5 * width) & (a < 1.5 * width)
    top = float(y.min())
    if not there.any():
        return Road(min(0.45 * height, top - 10.0), 0.5 * width, 0.0)
    h, a = h[there], a[there]
    # How far each stroke, made longer, passes by each meeting point, beside its own length.
    miss = np.abs(at_zero[long] + slope[long] * h[:, None] - a[:, None])
    votes = (n[long] / (1.0 + (miss / 12.0) ** 2)).sum(axis=1)
    best = int(votes.argmax())
    return Road(float(min(h[best], top - NEAREST)), float(a[best]), 0.0)
