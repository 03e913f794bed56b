"""What tracks look like, and what that says about who continues whom.

As in BoT-SORT (Aharon et al., 2022) the look of a track is an exponential average, only boxes of a
high score are looked at, and half a cosine distance takes the place of an overlap that is worse.
Here a look that is clearly another's counts too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from mirante.detections import Detections
from plugins.track.appearance import Looks, Vectors
from plugins.track.bytetrack.matching import APART, HIGH, LIMIT, Pairs
from plugins.track.bytetrack.tracks import MISSED, NO_ID, Tracks
from plugins.track.motion import Rows

_KEPT = 0.9  # of the look of a track, when it is taken once more
_UNLIKE = 3.0  # what it costs to look twice as different as one object may, or more
_CLOSE = 3.0  # a track that costs so much more than another is no rival for the same box
_LONG_S = 0.5  # unseen for so long: whoever is there now may be another
_DUE_S = 1.0  # after which the look of a track is taken again though nothing asks for it
_HIDDEN = 0.3  # share of a box that another covers, from which its look is not its own alone


class _Known(NamedTuple):
    look: Vectors  # (d,), of length 1
    at_s: float  # when it was last taken


class Gallery:
    """The looks of the tracks of one camera. They are kept in memory alone, as they are personal
    data and large; after a restart they are taken again.
    """

    def __init__(self) -> None:
        self._space: object = None
        self._known: dict[int, _Known] = {}  # by the number of the track
        self._looks: Vectors = np.empty((0, 0), np.float32)  # (n, d) of the boxes; 0 without one
        self._clear: NDArray[np.bool_] = np.empty(0, np.bool_)  # (n,), none covers the box

    def costs(
        self,
        looks: Looks,
        distance: float,
        at_s: float,
        tracks: Tracks,
        found: Detections,
        pairs: Pairs,
        place: Rows,
    ) -> Rows:
        """Return the costs of pairs, with what looks say about them: (k,).

        Looks are taken of boxes that may continue more than one track or one that was long unseen,
        and of boxes whose track has no look yet or an old one.

        Args:
            looks: of the boxes.
            distance: cosine distance up to which two looks are of one object.
            at_s: Unix time of capture.
            tracks: predicted to that time.
            found: the boxes.
            pairs: of tracks and boxes.
            place: (k,) the part of their costs that says how far they are apart.
        """
        can = (tracks.ids[pairs.rows] != NO_ID) & (found.score[pairs.columns] >= HIGH)
        can &= pairs.cost - place < LIMIT
        some, place = pairs.of(can), place[can]
        ids = tracks.ids[some.rows].tolist()
        covered = overlaps(found.xyxy, found.xyxy, np.ones(len(found), np.bool_))
        np.fill_diagonal(covered, 0.0)
        self._clear = covered.max(axis=1, initial=0.0) < _HIDDEN
        is_long = tracks.states[some.rows, MISSED] >= _LONG_S
        asked = np.unique(some.columns[self._is_asked(some, ids, is_long, at_s)])
        self._take(looks, asked, len(found))
        far = self._distances(ids, some.columns)
        alike = np.minimum(place, APART * 0.5 * far) - place
        other = _UNLIKE * np.minimum(far / distance - 1, 1.0)
        said = np.where(far < distance, alike, other)
        costs = pairs.cost.copy()
        costs[can] += np.where(np.isnan(far), 0.0, said)
        return costs

    def learn(self, ids: NDArray[np.int64], columns: NDArray[np.intp], at_s: float) -> None:
        """Take the looks of boxes into those of the tracks that they continue.

        Args:
            ids: (k,) of these tracks.
            columns: (k,) the box of each.
            at_s: Unix time of capture.
        """
        for number, column in zip(ids.tolist(), columns.tolist(), strict=True):
            look, known = self._looks[column], self._known.get(number)
            if number == NO_ID or not look.any() or (known and not self._clear[column]):
                continue
            if known is not None:
                look = _KEPT * known.look + (1 - _KEPT) * look
                look /= np.linalg.norm(look)
            self._known[number] = _Known(look, at_s)

    def keep(self, ids: NDArray[np.int64]) -> None:
        """Forget the looks of all tracks but these."""
        there = set(ids.tolist())
        self._known = {number: known for number, known in self._known.items() if number in there}

    def _is_asked(
        self, pairs: Pairs, ids: list[int], is_long: NDArray[np.bool_], at_s: float
    ) -> NDArray[np.bool_]:
        """Return in which pairs a look at the box may tell something: (k,)."""
        best = np.full(len(self._clear), np.inf)
        np.minimum.at(best, pairs.columns, pairs.cost)
        rival = pairs.cost < best[pairs.columns] + _CLOSE
        rows, columns = pairs.rows, pairs.columns
        contested = np.bincount(rows, rival)[rows] > 1
        contested |= np.bincount(columns, rival)[columns] > 1
        known = [self._known.get(number) for number in ids]
        new = np.array([each is None for each in known], np.bool_)
        old = np.array(
            [each is not None and at_s - each.at_s >= _DUE_S for each in known], np.bool_
        )
        return np.asarray(rival & (contested | is_long | new | (old & self._clear[columns])))

    def _take(self, looks: Looks, asked: NDArray[np.intp], count: int) -> None:
        """Look at some of ``count`` boxes; looks of another space are forgotten."""
        self._looks = np.zeros((count, 0), np.float32)
        if not len(asked):
            return
        taken = looks.at(asked)
        if looks.space != self._space:
            self._space, self._known = looks.space, {}
        self._looks = np.zeros((count, taken.shape[1]), np.float32)
        self._looks[asked] = taken

    def _distances(self, ids: list[int], columns: NDArray[np.intp]) -> Rows:
        """Return the cosine distance of each pair: (k,), NaN where one of both has no look."""
        far = np.full(len(ids), np.nan)
        for place, (number, column) in enumerate(zip(ids, columns.tolist(), strict=True)):
            known, look = self._known.get(number), self._looks[column]
            if known is not None and look.any():
                far[place] = 1.0 - float(known.look @ look)
        return far
