"""The costs of continuing tracks by boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plugins.track.assignment import assign_pairs
from plugins.track.bytetrack.tracks import EVIDENCE, KNOWN
from plugins.track.motion import AT, VARIANCE, Rows, area_of

HIGH = 0.5  # score from which a box is matched before the others
LIMIT = 7.0  # half a squared distance in standard deviations, and what is added to it
_SPREAD = np.square([0.12, 0.12, 0.2, 0.2])  # variance of boxes of one object, in sizes
_HALF = np.full(4, 0.5)  # of each deviation
APART = 8.0  # of boxes that do not overlap
_WIDEST = 4.0  # of an area however wide, so that who comes back after long is still known
_REACH = 2.0  # sizes from where it is expected, within which an object is after a gap
_CLEAR = 0.7  # of the distance of any other one, below which it is clear who is who
_ALIKE = 1.0  # squared deviation of width and height, up to which they say nothing
_OTHER_CLASS = 3.0
_WEAK = 2.0  # against a score of 1
_YOUNG = 2.0  # of an object with a number, over 1 and the evidence that there is one


class Pairs(NamedTuple):
    """Tracks and boxes of which it is possible that they are of one object.

    Attributes:
        rows: (k,) of the tracks, ascending.
        columns: (k,) of the boxes.
        cost: (k,) of saying so, below ``LIMIT``: the better the less.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    cost: Rows

    def of(self, some: NDArray[np.bool_]) -> Pairs:
        """Return those of these pairs."""
        return Pairs(self.rows[some], self.columns[some], self.cost[some])

    def assigned(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the tracks that continue, and the box of each."""
        return assign_pairs(self.rows, self.columns, self.cost, LIMIT)

    def clear(self, states: Rows, boxes: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the tracks that continue, and the box of each, where objects may have gone farther
        than they are apart: those that are far nearer to each other than to any other one. Where
        several could be who was expected, or nobody is near, somebody new is likelier.
        """
        at = states[self.rows, AT]
        area = area_of(at)
        off = np.square(at - boxes[self.columns])
        deviations = off / (states[self.rows, VARIANCE] + _SPREAD * area)
        unlike = np.maximum(deviations[:, 2:].sum(axis=1) - _ALIKE, 0.0)
        # one more row and column, so that there is always a next one
        distance = np.full((len(states) + 1, len(boxes) + 1), np.inf)
        distance[self.rows, self.columns] = deviations[:, :2].sum(axis=1) + unlike
        next_box = np.partition(distance, 1, axis=1)[:, 1]
        next_track = np.partition(distance, 1, axis=0)[1]
        others = np.minimum(next_box[self.rows], next_track[self.columns])
        is_clear = distance[self.rows, self.columns] < _CLEAR**2 * others
        some = self.of(is_clear & (off[:, :2].sum(axis=1) < _REACH**2 * area[:, 0]))
        return some.rows, some.columns


def pairs_of(states: Rows, boxes: Rows, scores: Rows) -> tuple[Pairs, Rows]:
    """Return which boxes may continue which tracks, and what it costs to say so; and (k,) the part
    of these costs that says how far they are apart.

    It is the negative logarithm of the likelihood of the box where the track is expected. Tracks
    that were not seen for a time are expected in a wider area, and so less anywhere in it. The box
    of somebody half hidden ends where they are hidden, and so is unlikely and yet theirs: where
    boxes overlap the cost is no more than what they do not share. A number that was given to few
    boxes may be that of a part of somebody who has one: it is less likely to go on.

    Args:
        states: (n, COLUMNS) of tracks, predicted to the time of the boxes.
        boxes: (m, 4), centre, width, height.
        scores: (m,).
    """
    at = states[:, AT]
    least = _SPREAD * area_of(states)
    spread = states[:, VARIANCE] + least
    rows, columns = _near(at, spread, boxes)
    track, box, spread, least = at[rows], boxes[columns], spread[rows], least[rows]
    off = np.abs(track - box)
    distance = (off * off / spread) @ _HALF
    apart = APART * (1 - _overlap(off[:, :2], track[:, 2:], box[:, 2:]))
    wider = np.minimum(0.5 * np.log((spread / least).prod(axis=1)), _WIDEST)
    evidence = states[:, EVIDENCE]
    young = np.where(evidence < KNOWN, 0.0, _YOUNG / (1 + evidence))[rows]
    place = np.minimum(distance, apart)
    cost = place + wider + young + _WEAK * (1 - scores[columns])
    return Pairs(rows, columns, cost), place


def class_costs(classes: NDArray[np.int32], boxes: NDArray[np.int32], per_class: bool) -> Rows:
    """Return what it costs that a track and a box are of different classes: (k,)."""
    return np.where(classes != boxes, np.inf if per_class else _OTHER_CLASS, 0.0)


def _near(at: Rows, spread: Rows, boxes: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs that overlap, or whose centres are not too far off."""
    reach = np.maximum(np.sqrt(spread[:, :2] * (2 * LIMIT)), at[:, 2:] * 0.5)
    half = boxes[:, 2:] * 0.5
    near = np.abs(at[:, :1] - boxes[:, 0]) < reach[:, :1] + half[:, 0]
    near &= np.abs(at[:, 1:2] - boxes[:, 1]) < reach[:, 1:] + half[:, 1]
    rows, columns = np.nonzero(near)
    return rows, columns


def _overlap(off: Rows, one: Rows, other: Rows) -> Rows:
    """Return the intersection over the union of boxes whose centres are so far off: (k,)."""
    shared = np.maximum(np.minimum(np.minimum(one, other), (one + other) / 2 - off), 0.0)
    both = shared[:, 0] * shared[:, 1]
    return np.asarray(both / (one[:, 0] * one[:, 1] + other[:, 0] * other[:, 1] - both))
