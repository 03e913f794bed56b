"""The counting of a camera's zones and lines, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.detections import UNTRACKED, Detections
from mirante.events import Event, EventKind
from mirante.frame import FrameResult
from mirante.zones import LineCount, ZoneCounts
from mirante.zones.areas import Areas
from mirante.zones.crossing import MOST_FITS, Crossing
from mirante.zones.motion import Motion
from mirante.zones.presence import EPSILON_S, FORGET_S, Presence
from mirante.zones.rules import Rules
from mirante.zones.saving import Saved, Totals, columns_of, ends_of, read, tracks_of, write
from mirante.zones.scale import WHOLE, Edges, Scale
from mirante.zones.tracks import NONE, At, Rows, Tracks, pairs

Bools = NDArray[np.bool_]


class Counted(NamedTuple):
    """The changes that one frame made.

    Attributes:
        counts: as of this frame.
        events: what happened, in order.
    """

    counts: ZoneCounts
    events: tuple[Event, ...]


class UntrackedError(ValueError):
    """The objects of a frame have no tracks, and cannot be counted."""


class Counter:
    """Counts tracked objects. Its memory outlives a change of the rules, and a restart.

    Time is the frames' capture time. A frame that the decoder made up in part shows nothing.

    Args:
        saved: what a counter before it saved; None to begin with nothing.

    Raises:
        ValueError: these bytes are of no counter.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self._lock = threading.Lock()
        self._rules = Rules()
        self._next: Rules | None = None
        self._zones: dict[str, Totals] = {}
        self._lines: dict[str, Totals] = {}
        self._ends: dict[str, list[float]] = {}
        self._tracks = Tracks(0, 0)
        self._labels: list[str] = []
        self._occupied: tuple[list[int], list[int]] | None = None
        self._numbered: tuple[tuple[str, ...], Rows] = ((), NONE)
        self._serial = self._now_ns = 0
        if saved is not None:
            self._restore(read(saved))
        self._scale: Scale | None = None
        self._motion: Motion | None = None
        self._is_queue_known, self._is_any_still = False, bool(self._tracks["still"].any())
        self._use(self._rules)

    def adopt(self, rules: Rules) -> None:
        """Count by other rules from the next frame on. A zone or line that keeps its name keeps its
        totals, and who is in the zone; where a line is moved each object begins on its side anew.
        Whoever is in a zone that is no more leaves it.
        """
        with self._lock:
            self._next = rules

    def saved(self) -> bytes:
        """Return all that its successor needs to continue as if it were this one."""
        with self._lock:
            has_ground = (self._next or self._rules).ground is not None
            return write(
                Saved(
                    serial=self._serial,
                    now_ns=self._now_ns,
                    zones=self._zones,
                    lines=self._lines,
                    ends=self._ends,
                    labels=self._labels,
                    count=len(self._tracks),
                    columns=columns_of(self._tracks, self._now_ns, has_ground),
                )
            )

    def count(self, result: FrameResult, area: Edges = WHOLE) -> Counted:
        """Take a frame in.

        Args:
            result: the frame's, with tracks.
            area: the part of the whole image that the frames show: left, top, right, bottom, 0..1.

        Raises:
            UntrackedError: there are objects, and nothing tracks.
        """
        objects = result.detections
        if objects.track_id is None and len(objects):
            raise UntrackedError(
                "zones: the objects have no tracks; expected a track stage (mirtrack) before"
            )
        with self._lock:
            removed = tuple(self._adopted(result))
            if result.damaged:
                return Counted(self._counts(), removed)
            self._look_at(Scale((result.width, result.height), area))
            ids = [] if objects.track_id is None else objects.track_id.tolist()
            if UNTRACKED in ids:
                objects = objects.select(objects.track_id != UNTRACKED)
                ids = [each for each in ids if each != UNTRACKED]
            events = (*removed, *self._events(result, objects, ids))
            return Counted(self._counts(), events)

    def _restore(self, saved: Saved) -> None:
        self._zones, self._lines, self._ends = saved.zones, saved.lines, saved.ends
        self._serial, self._now_ns, self._labels = saved.serial, saved.now_ns, saved.labels
        self._tracks = tracks_of(saved)

    def _adopted(self, result: FrameResult) -> Iterator[Event]:
        """Begin to count by the next rules; yield who leaves zones that are no more."""
        if (rules := self._next) is None:
            return
        self._next = None
        zones, lines = list(self._zones), list(self._lines)
        for row, index in pairs(self._tracks["inside"]):
            if zones[index] not in rules.zones:
                left = self._left(result, row, index, int(self._tracks["seen"][row]))
                yield msgspec.structs.replace(left, reason=f"{left.reason}: the zone was removed")
        ends = {name: ends_of(line) for name, line in rules.lines.items()}
        places = [zones.index(each) if each in zones else None for each in rules.zones]
        self._tracks.choose(-1, places)
        same = [
            lines.index(name) if self._ends.get(name) == end else None for name, end in ends.items()
        ]
        self._tracks.choose(-2, same)
        self._zones = {name: self._zones.get(name, Totals()) for name in rules.zones}
        self._lines = {name: self._lines.get(name, Totals()) for name in rules.lines}
        self._ends = ends
        self._use(rules)

    def _use(self, rules: Rules) -> None:
        self._rules, self._occupied = rules, None
        self._is_on = np.array([zone.enabled for zone in rules.zones.values()], np.bool_)
        self._presence = Presence(list(rules.zones.values()))
        self._crossing = Crossing(list(rules.lines.values()))
        every = (*rules.zones.values(), *rules.lines.values())
        self._forget_s = max(FORGET_S, *(rule.lost_s for rule in every), 0.0)
        self._scale = None

    def _look_at(self, scale: Scale) -> None:
        if scale == self._scale:
            return
        self._scale, self._areas = scale, Areas(self._rules, scale)
        ground = self._rules.ground
        self._motion = Motion(ground.plane(), scale.sides) if ground is not None else None
        if len(self._tracks):
            distance = self._areas.distance(self._tracks["anchor"])
            self._tracks["distance"][:] = distance
            side = self._tracks["side"]  # 0: a line that is new, or was moved
            side[:] = np.where(side == 0, np.where(distance >= 0, 1, -1), side)

    def _events(self, result: FrameResult, objects: Detections, ids: list[int]) -> Iterator[Event]:
        now_ns, tracks = result.captured_ns, self._tracks
        passed_s = (now_ns - self._now_ns) / 1e9 if self._now_ns else 0.0
        is_long = passed_s > FORGET_S and not result.is_watched
        if passed_s < 0 or (is_long and tracks.knows(ids)):
            tracks.shift(now_ns - self._now_ns)  # the clock was set
            self._occupied, passed_s = None, 0.0
        elif is_long:
            yield from self._ended(result, passed_s)
        self._now_ns = now_ns
        rows, at, new = tracks.rows_of(ids)
        turning, crossing = self._see(result, objects, rows, at, new)
        if turning is not None:
            yield from self._turned(result, rows, turning)
        if crossing is not None:
            for index, line in pairs(crossing):
                yield self._crossed(result, int(rows[index]), line)
        if len(rows) < len(tracks):
            yield from self._missed(result)
        yield from self._crowded(result, max(0.0, passed_s))

    def _see(
        self, result: FrameResult, objects: Detections, rows: Rows, at: At, new: Rows
    ) -> tuple[Bools | None, Bools | None]:
        """Note the objects of a frame; return who turns at which zone, and crosses which line."""
        tracks, areas, now_ns = self._tracks, self._areas, result.captured_ns
        tracks["missed"][:] += 1
        if not len(rows):
            return None, None
        boxes = areas.boxes(objects)
        anchors = np.empty((len(rows), 2, 2))
        anchors[:, 1] = (boxes[:, :2] + boxes[:, 2:]) / 2
        anchors[:, 0] = boxes[:, 2:]
        anchors[:, 0, 0] = anchors[:, 1, 0]
        before = tracks["within"][at]
        fits = areas.fit(objects, boxes)
        within = areas.within(anchors, before, objects, result.masks)
        if fits is not None:
            within &= fits[:, : len(self._zones)]
        if (still := self._still(objects, at, new)) is not None:
            within[still], anchors[still] = before[still], tracks["anchor"][rows[still]]
        if not self._is_on.all():
            within &= self._is_on
        if len(new):
            tracks["seen"][rows[new]], tracks["birth"][rows[new]] = now_ns, result.epoch
        turning = self._presence.see(tracks, at, within, now_ns)
        crossing = None
        if self._lines:
            if fits is not None:
                votes = tracks["fits"][at] + np.where(fits[:, len(self._zones) :], 1, -1)
                tracks["fits"][at] = np.minimum(np.maximum(votes, -MOST_FITS), MOST_FITS)
            crossing = self._crossing.step(tracks, at, new, anchors, areas, now_ns)
        tracks["seen"][at], tracks["missed"][at] = now_ns, 0
        tracks["anchor"][at], tracks["box"][at] = anchors, objects.xyxy
        tracks["label"][at] = self._number(objects)
        if self._motion is not None:
            self._motion.move(tracks, rows, now_ns)
        return turning, crossing

    def _still(self, objects: Detections, rows: At, new: Rows) -> Bools | None:
        """Return the objects that stand: they are where they were, however their boxes tremble."""
        self._is_queue_known = objects.still is not None
        if objects.still is None:
            return None
        is_any = bool(objects.still.any())
        if not (is_any or self._is_any_still):
            return None
        column = self._tracks["still"]
        column[rows] = objects.still
        self._is_any_still = bool(column.any())
        if not is_any:
            return None
        still: Bools = objects.still.copy()
        still[new] = False
        return still

    def _number(self, objects: Detections) -> Rows:
        """Return the place of each object's class in the list of class names."""
        if self._numbered[0] != objects.labels:
            self._labels += [each for each in objects.labels if each not in self._labels]
            numbers = [self._labels.index(label) for label in objects.labels]
            self._numbered = objects.labels, np.array(numbers, np.intp)
        return self._numbered[1][objects.class_id]

    def _turned(self, result: FrameResult, rows: Rows, turning: Bools) -> Iterator[Event]:
        """Yield who enters and who leaves."""
        for index, zone in pairs(turning):
            row = int(rows[index])
            if self._tracks["inside"][row, zone]:
                yield self._entered(result, row, zone)
            else:
                yield self._left(result, row, zone, int(self._tracks["since"][row, zone]))

    def _missed(self, result: FrameResult) -> Iterator[Event]:
        """Yield what objects did that have not been seen for too long, and forget those that are
        gone for good.
        """
        tracks = self._tracks
        unseen_s = (result.captured_ns - tracks["seen"]) / 1e9
        yield from self._lost(result, unseen_s)
        gone = unseen_s > self._forget_s
        if gone.any():
            tracks.keep(~gone)

    def _lost(self, result: FrameResult, unseen_s: NDArray[np.float64]) -> Iterator[Event]:
        tracks = self._tracks
        for row, zone in pairs(self._presence.miss(tracks, unseen_s)):
            yield self._left(result, row, zone, int(tracks["seen"][row]))
        for row, line in pairs(self._crossing.miss(tracks, unseen_s)):
            yield self._crossed(result, row, line)

    def _ended(self, result: FrameResult, outage_s: float) -> Iterator[Event]:
        """Yield what objects did before an outage after which nobody is where they were: at the
        time at which each was seen last, of no frame.
        """
        tracks = self._tracks
        seen_ns = dict(zip(tracks["id"].tolist(), tracks["seen"].tolist(), strict=True))
        for event in self._lost(result, np.full(len(tracks), np.inf)):
            ts = seen_ns[event.track_id] // 1000 / 1e6
            reason = f"{event.reason}, then no frame came for {outage_s:.0f} s"
            yield msgspec.structs.replace(event, ts=ts, seq=None, epoch=None, reason=reason)
        tracks.keep(np.zeros(len(tracks), np.bool_))
        for totals in self._zones.values():
            totals.level, totals.was_over = 0.0, False

    def _crowded(self, result: FrameResult, passed_s: float) -> Iterator[Event]:
        for index, (name, zone) in enumerate(self._rules.zones.items()):
            if zone.crowded is None:
                continue
            totals, inside = self._zones[name], int(self._tracks["inside"][:, index].sum())
            is_over = inside > zone.crowded
            step_s = passed_s if totals.was_over != totals.is_crowded else -passed_s
            totals.level, totals.was_over = max(0.0, totals.level + step_s), is_over
            limit_s = zone.lost_s if totals.is_crowded else zone.crowded_s
            if is_over == totals.is_crowded or totals.level < limit_s - EPSILON_S:
                continue
            totals.is_crowded, totals.level = is_over, 0.0
            if is_over:
                words = f"{inside} objects in {name}, more than {zone.crowded}"
                yield self._event(result, "zone-crowded", name, words, zone=name, count=inside)

    def _entered(self, result: FrameResult, row: int, index: int) -> Event:
        tracks, (name, totals) = self._tracks, list(self._zones.items())[index]
        tracks["entered"][row, index] = tracks["since"][row, index]
        tracks["walked_before"][row, index] = tracks["walked"][row]
        totals.up += 1
        self._occupied = None
        return self._event(result, "zone-entered", name, f"entered {name}", row, zone=name)

    def _left(self, result: FrameResult, row: int, index: int, until_ns: int) -> Event:
        """The event of an object that was last in a zone at ``until_ns``."""
        tracks, (name, totals) = self._tracks, list(self._zones.items())[index]
        totals.down += 1
        self._occupied = None
        dwell_s = max(0.0, round((until_ns - int(tracks["entered"][row, index])) / 1e9, 3))
        facts: dict[str, Any] = {"zone": name, "dwell_s": dwell_s}
        if self._motion is not None:
            walked = float(tracks["walked"][row] - tracks["walked_before"][row, index])
            facts["distance_m"] = round(max(0.0, walked), 2)
        words = f"left {name} after {dwell_s:.1f} s"
        return self._event(result, "zone-left", name, words, row, **facts)

    def _crossed(self, result: FrameResult, row: int, index: int) -> Event:
        name, totals = list(self._lines.items())[index]
        is_in = bool(self._tracks["side"][row, index] > 0)
        direction = "in" if is_in else "out"
        totals.up, totals.down = totals.up + is_in, totals.down + (not is_in)
        words = f"crossed {name} ({direction})"
        return self._event(result, "line-crossed", name, words, row, line=name, direction=direction)

    def _event(
        self,
        result: FrameResult,
        kind: EventKind,
        name: str,
        words: str,
        row: int | None = None,
        **facts: Any,
    ) -> Event:
        """An event of a frame, of a track unless ``row`` is None. Its ID holds the number of all
        events of this counter, and the epoch in which its track, or counting, began.
        """
        self._serial += 1
        tracks, who = self._tracks, str(result.epoch)
        if row is not None:
            track, label = int(tracks["id"][row]), self._labels[int(tracks["label"][row])]
            left, top, right, bottom = tracks["box"][row].round(2).tolist()
            bbox = (left, top, round(right - left, 2), round(bottom - top, 2))
            facts |= {"track_id": track, "label": label, "bbox": bbox}
            who, words = f"{tracks['birth'][row]}-{track}", f"{label} {track} {words}"
            if self._motion is not None and (speed := self._motion.speed_kmh(tracks, row)):
                facts["speed_kmh"], facts["speed_error_kmh"] = (round(each, 2) for each in speed)
        serial = f"{who}-{kind}-{name}-{self._serial}"
        return result.new_event(kind, serial, reason=words, **facts)

    def _counts(self) -> ZoneCounts:
        if self._occupied is None:
            self._occupied = self._occupancy()
        many, first = self._occupied
        queues: list[int | None] = [None] * len(many)
        if self._is_queue_known and not self._is_any_still:
            queues = [0] * len(many)
        elif self._is_queue_known:
            standing = self._tracks["inside"] & self._tracks["still"][:, None]
            queues = np.add.reduce(standing, 0, np.intp).tolist()
        zones = {
            name: totals.zone(number, (self._now_ns - since_ns) / 1e9, queue)
            for (name, totals), number, since_ns, queue in zip(
                self._zones.items(), many, first, queues, strict=True
            )
        }
        lines = {n: LineCount(in_=each.up, out=each.down) for n, each in self._lines.items()}
        return ZoneCounts(zones, lines)

    def _occupancy(self) -> tuple[list[int], list[int]]:
        """Return how many are in each zone, and since when the first of them."""
        inside, now_ns = self._tracks["inside"], self._now_ns
        since = np.where(inside, self._tracks["entered"], now_ns)
        first = np.minimum.reduce(since, 0, initial=now_ns)
        return np.add.reduce(inside, 0, np.intp).tolist(), first.tolist()
