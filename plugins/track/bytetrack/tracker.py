"""The tracker: which box of a frame continues which track."""

from __future__ import annotations

import logging
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from plugins.track.appearance import Looks
from plugins.track.bytetrack.gallery import Gallery
from plugins.track.bytetrack.matching import HIGH, LIMIT, Pairs, class_costs, pairs_of
from plugins.track.bytetrack.tracks import (
    COLUMNS,
    EVIDENCE,
    KNOWN,
    MISSED,
    NO_ID,
    STOOD_SINCE_S,
    Saved,
    Tracks,
)
from plugins.track.camera_motion import shift_of
from plugins.track.clock import Clock, Passed
from plugins.track.motion import AT, WIDTH, Rows, centred, correct, predict, states_of
from plugins.track.options import TrackOptions
from plugins.track.outlook import Outlook, corners, outlook_of
from plugins.track.tracker import Ahead, Tracked, Unsettled

_read_saved = msgspec.msgpack.Decoder(Saved)
_MOVED = 0.25  # of its size: less is no movement
_GAP_S = 1.5  # without frames: objects may then have gone farther than they are apart
_RECENT_S = 0.5  # a weak box continues tracks that were found not longer ago

_NO_TRACK = -1
_NOTHING = np.empty(0, np.intp)
_UNSETTLED = Unsettled(np.empty((0, 4), np.float32), np.empty(0), np.empty(0))

log = logging.getLogger(__name__)
Classes = NDArray[np.int32]


class ByteTrack:
    """ByteTrack by capture time.

    Args:
        saved: what a predecessor left; None for the first.

    Attributes:
        options, unsettled, outlook: as in ``Tracker``.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self.options = TrackOptions()
        self.unsettled = _UNSETTLED if saved is None else None
        self.outlook = Outlook()
        self._clock = Clock()
        self._tracks = Tracks.none()
        self._gallery = Gallery()
        self._next_id = 1
        self._since_gap_s = np.inf  # seconds of watching
        self._labels: list[str] = []
        self._table: tuple[tuple[str, ...], Classes] = ((), np.empty(0, np.int32))
        if saved is not None:
            self._restore(saved)

    def update(self, result: FrameResult, looks: Looks | None = None) -> Tracked:
        """Return which object is which."""
        passed = self._clock.tick(result)
        tracks, before = self._moved(passed, result)
        found, options = result.detections, self.options
        boxes, scores = centred(found.xyxy.astype(np.float64)), found.score.astype(np.float64)
        classes = self._classes_of(found)
        if options.camera_motion:
            known, strong = tracks.ids != NO_ID, scores >= HIGH
            shift = shift_of(tracks.states[known, AT], boxes[strong])
            tracks.move(shift)
            before += shift
        pairs, place = self._pairs(tracks, boxes, scores, classes)
        if looks is not None:
            alike, at_s = options.appearance_distance, result.captured_ns / 1e9
            cost = self._gallery.costs(looks, alike, at_s, tracks, found, pairs, place)
            pairs = pairs._replace(cost=cost)
        rows, columns = self._match(tracks, pairs, boxes, scores)
        if looks is not None:
            self._gallery.learn(tracks.ids[rows], columns, at_s)
        strong = scores >= options.new_score
        self.outlook = _outlook(tracks, rows, boxes, columns, strong)
        _continue(tracks, rows, boxes[columns], scores[columns], classes[columns])
        at = np.full(len(found), _NO_TRACK)
        at[columns] = rows
        new = np.flatnonzero((at == _NO_TRACK) & strong)
        if len(new):
            at[new] = np.arange(len(tracks), len(tracks) + len(new))
            tracks = tracks.joined(_begun(boxes[new], scores[new], classes[new]))
        self._number(tracks)
        tracks.learn_pace(before, passed.elapsed_s)
        still = tracks.stand(result.captured_ns / 1e9, _MOVED) >= options.still_s
        self._keep(tracks, still, result)
        if looks is not None:
            self._gallery.keep(self._tracks.ids)
        is_found = (self._tracks.ids != NO_ID) & (self._tracks.states[:, MISSED] == 0)
        is_old = self.outlook.objects == len(self._tracks)
        is_steady = is_old and bool(is_found.all() and (at != _NO_TRACK).all())
        self.outlook = self.outlook._replace(is_steady=is_steady)
        # the last place is of boxes without a track
        ids = np.append(np.where(tracks.ids == NO_ID, UNTRACKED, tracks.ids), UNTRACKED)[at]
        return Tracked(ids, np.append(still, False)[at] & (ids != UNTRACKED))

    def _keep(self, tracks: Tracks, still: NDArray[np.bool_], result: FrameResult) -> None:
        """Keep the tracks that go on, and note those that are to be watched."""
        lives = self._lives(tracks, result)
        watched = tracks.states[lives & ~(still & (tracks.states[:, MISSED] == 0))]
        self.unsettled = _UNSETTLED
        if len(watched):
            xyxy = corners(watched[:, AT]).astype(np.float32)
            self.unsettled = Unsettled(xyxy, watched[:, STOOD_SINCE_S], watched[:, MISSED])
        self._tracks = tracks.kept(lives)

    def rest(self, result: FrameResult) -> None:
        """Let the time pass up to a frame that nothing looked at."""
        if self._clock.tick(result, rests=True).is_lost:
            self._tracks = Tracks.none()

    def ahead(self, result: FrameResult) -> Ahead:
        """Return where the objects that were in the last frame should be by now."""
        tracks = self._tracks
        is_found = (tracks.ids != NO_ID) & (tracks.states[:, MISSED] == 0)
        states = tracks.states[is_found, :WIDTH]
        predict(states, max(0.0, (result.captured_ns - self._clock.captured_ns) / 1e9))
        return Ahead(tracks.ids[is_found], corners(states[:, AT]).astype(np.float32))

    def _moved(self, passed: Passed, result: FrameResult) -> tuple[Tracks, Rows]:
        """Return the tracks where they should be by now, and (n, 2) the centres where they were.
        After a gap these are the tracks inside the image that have a number; and those without
        one, too, if the camera's frames usually come so rarely.
        """
        tracks = Tracks.none() if passed.is_lost else self._tracks.copied()
        is_gap = passed.elapsed_s > _GAP_S
        if is_gap:
            tracks.walk_on()
        before = tracks.states[:, :2].copy()
        predict(tracks.states[:, :WIDTH], passed.elapsed_s)
        tracks.states[:, MISSED] += passed.watched_s
        self._since_gap_s = passed.watched_s + (0.0 if is_gap else self._since_gap_s)
        if is_gap:
            tracks.walk_on()
            stays = ((tracks.ids != NO_ID) | passed.is_usual) & _inside(tracks, result)
            return tracks.kept(stays), before[stays]
        return tracks, before

    def _pairs(
        self, tracks: Tracks, boxes: Rows, scores: Rows, classes: Classes
    ) -> tuple[Pairs, Rows]:
        """Return what ``pairs_of`` does, plus the cost of different classes."""
        pairs, place = pairs_of(tracks.states, boxes, scores)
        if len(self._labels) > 1:
            is_of, is_in = tracks.classes[pairs.rows], classes[pairs.columns]
            differs = class_costs(is_of, is_in, self.options.per_class)
            pairs = pairs._replace(cost=pairs.cost + differs)
        return pairs, place

    def _match(
        self, tracks: Tracks, pairs: Pairs, boxes: Rows, scores: Rows
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the tracks that continue, and the box of each: first the strong ones, and last
        those that were not found since a gap.
        """
        pairs = pairs.of((pairs.cost < LIMIT) & (scores >= self.options.min_score)[pairs.columns])
        rows, columns = pairs.rows, pairs.columns
        missed_s = tracks.states[:, MISSED]
        known, strong = (tracks.ids != NO_ID)[rows], (scores >= HIGH)[columns]
        weak = ~strong & (missed_s < _RECENT_S)[rows]
        before_gap = (missed_s >= self._since_gap_s)[rows]
        steady = known & ~before_gap
        free_rows, free_columns = np.ones(len(tracks), np.bool_), np.ones(len(scores), np.bool_)
        made = []
        turns = (
            (steady & strong, Pairs.assigned),
            (steady & weak, Pairs.assigned),
            (~known & ~before_gap, Pairs.assigned),
            (
                before_gap & (strong | weak | ~known),
                partial(Pairs.clear, states=tracks.states, boxes=boxes),
            ),
        )
        for some, choose in turns:
            if some.any() and (possible := some & free_rows[rows] & free_columns[columns]).any():
                matched, to = choose(pairs.of(possible))
                free_rows[matched] = free_columns[to] = False
                made.append((matched, to))
        if not made:
            return _NOTHING, _NOTHING
        return np.concatenate([each for each, _ in made]), np.concatenate([to for _, to in made])

    def _number(self, tracks: Tracks) -> None:
        """Give numbers to tracks that are known well enough by now."""
        known = np.flatnonzero((tracks.ids == NO_ID) & (tracks.states[:, EVIDENCE] >= KNOWN))
        if len(known):
            tracks.ids[known] = np.arange(self._next_id, self._next_id + len(known))
            self._next_id += len(known)

    def _lives(self, tracks: Tracks, result: FrameResult) -> NDArray[np.bool_]:
        """Return which tracks go on: found, or missing for a short time inside the image."""
        missed_s = tracks.states[:, MISSED]
        is_found = missed_s == 0
        if is_found.all():
            return np.asarray(is_found)
        waits = (tracks.ids != NO_ID) & _inside(tracks, result) & (missed_s <= self.options.lost_s)
        return np.asarray(is_found | waits)

    def _classes_of(self, found: Detections) -> Classes:
        """Return the places of the objects' labels in this tracker's list: (n,)."""
        if self._table[0] is not found.labels:
            for label in found.labels:
                if label not in self._labels:
                    self._labels.append(label)
            places = np.array([self._labels.index(each) for each in found.labels], np.int32)
            self._table = (found.labels, places)
        return self._table[1][found.class_id]

    def saved(self) -> bytes:
        """Return what a successor continues from."""
        tracks, clock = self._tracks, self._clock
        saved = Saved(
            captured_ns=clock.captured_ns,
            ts_source=clock.ts_source,
            period_s=clock.period_s,
            next_id=self._next_id,
            labels=self._labels,
            states=tracks.states.astype("<f4").tobytes(),
            stood_since_s=tracks.states[:, STOOD_SINCE_S].astype("<f8").tobytes(),
            ids=tracks.ids.astype("<i8").tobytes(),
            classes=tracks.classes.astype("<u2").tobytes(),
            here_ns=clock.here_ns,
        )
        return msgspec.msgpack.encode(saved)

    def _restore(self, saved: bytes) -> None:
        try:
            left = _read_saved.decode(saved)
            self._next_id = left.next_id  # also when objects are new
            self._tracks = left.tracks()
        except (msgspec.MsgspecError, ValueError) as error:
            log.warning("tracks of an earlier run cannot be read (%s); objects are new", error)
            return
        self._clock = Clock(left.captured_ns, left.ts_source, left.period_s, left.here_ns)
        self._labels = left.labels


def _outlook(
    tracks: Tracks,
    rows: NDArray[np.intp],
    boxes: Rows,
    columns: NDArray[np.intp],
    strong: NDArray[np.bool_],
) -> Outlook:
    """Return how well the objects with a number were expected, before they take the boxes in."""
    is_known = (tracks.ids != NO_ID) & (tracks.states[:, MISSED] <= _RECENT_S)
    place = np.cumsum(is_known) - 1
    has = is_known[rows]
    return outlook_of(tracks.states[is_known, AT], place[rows[has]], boxes, columns[has], strong)


def _inside(tracks: Tracks, result: FrameResult) -> NDArray[np.bool_]:
    """Return which tracks have their centre in the image."""
    x, y = tracks.states[:, 0], tracks.states[:, 1]
    return np.asarray((x >= 0) & (x <= result.width) & (y >= 0) & (y <= result.height))


def _continue(
    tracks: Tracks, rows: NDArray[np.intp], boxes: Rows, scores: Rows, classes: Classes
) -> None:
    """Take a look at tracks that were found: box, score and class of each of ``rows``."""
    states = tracks.states[rows]
    correct(states[:, :WIDTH], boxes, scores)
    states[:, MISSED] = 0.0
    states[:, EVIDENCE] += scores * scores
    tracks.states[rows] = states
    tracks.classes[rows] = classes


def _begun(boxes: Rows, scores: Rows, classes: Classes) -> Tracks:
    """Return tracks of objects that are seen for the first time."""
    states = np.zeros((len(boxes), COLUMNS))
    states[:, :WIDTH] = states_of(boxes)
    states[:, EVIDENCE] = scores * scores
    states[:, STOOD_SINCE_S] = np.inf  # since now
    return Tracks(states, np.full(len(boxes), NO_ID, np.int64), classes)
