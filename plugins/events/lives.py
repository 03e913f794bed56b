"""The objects of a camera: when they came, what they are, how they went, across restarts."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from mirante.events import Event
from mirante.frame import FrameResult
from plugins.events.life import CANDIDATE, REPORTED, SILENT, Life, Sight, event_of
from plugins.events.options import EventsOptions
from plugins.events.path import longer
from plugins.events.quality import quality
from plugins.events.silences import Silences
from plugins.track.clock import Clock, Passed

_MARGIN_S = 0.5  # behind the tracker's own time: it must have given an object up first
_ENDED = 32  # objects that ended and are remembered, lest one be reported again
_QUALITY = 10_000  # stands for 1
_FAR = 32_767  # pixels; what a path can hold
_JUMP_MS = 2  # between a clock and the time that passed: the clock was set

log = logging.getLogger(__name__)


class _Saved(msgspec.Struct, array_like=True):
    """The memory: up to 200 bytes an object, and its labels.

    Attributes:
        base: Unix ms from which times count.
        captured_ns, ts_source, period_s, here_ns: of the clock.
        labels: classes of objects, in the order in which they were first seen.
        lives: objects that are there, by number.
        ended: numbers of the last objects that went.
        silences: of classes.
    """

    base: int = 0
    captured_ns: int = 0
    ts_source: str = ""
    period_s: float = 0.0
    here_ns: int = 0
    labels: list[str] = []
    lives: dict[int, Life] = {}
    ended: list[int] = []
    silences: Silences = msgspec.field(default_factory=Silences)


_read_saved = msgspec.msgpack.Decoder(_Saved)


class Lives:
    """The objects of one camera: a part of its memory.

    Args:
        saved: by a predecessor; None for the first. What is of another form is logged and ignored.

    Attributes:
        images: a JPEG of the best moment of each object that has one; not saved.
        ended: objects that were seen well enough and went with the last frame, by number.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self.images: dict[int, bytes] = {}
        self.ended: dict[int, Life] = {}
        self._now = _Saved()
        try:
            if saved is not None:
                self._now = _read_saved.decode(saved)
        except msgspec.MsgspecError as error:
            log.warning("objects of an earlier run cannot be read (%s); they are new", error)
        now = self._now
        self._clock = Clock(now.captured_ns, now.ts_source, now.period_s, now.here_ns)
        self._places = {label: place for place, label in enumerate(now.labels)}

    def saved(self) -> bytes:
        """Return what a successor continues from."""
        now, clock = self._now, self._clock
        now.captured_ns, now.ts_source = clock.captured_ns, clock.ts_source
        now.period_s, now.here_ns = clock.period_s, clock.here_ns
        return msgspec.msgpack.encode(now)

    def see(self, result: FrameResult, options: EventsOptions) -> list[Sight]:
        """Take note of a frame, not ``damaged``; return the objects in it that have a number."""
        now, before_ns = self._now, self._clock.captured_ns
        passed = self._clock.tick(result, rests=bool(result.skipped))
        if not now.base:
            now.base = result.captured_ns // 1_000_000
        jump_ms = (result.captured_ns - before_ns) // 1_000_000 - round(passed.elapsed_s * 1000)
        if before_ns and abs(jump_ms) > _JUMP_MS:
            now.base += jump_ms
        sights = list(self._sights(result, options)) if options.tracked else []
        watched_s = passed.elapsed_s if result.is_watched else passed.watched_s
        passed = passed._replace(is_lost=passed.is_lost and not result.is_watched)
        self._miss({sight.track for sight in sights}, passed, options.lost_s)
        if options.nothing_seen or now.silences.of:
            labels = {self.label_of(sight.life) for sight in sights}
            seen = labels if options.tracked else _labels_in(result)
            now.silences.listen(seen, watched_s, options.nothing_seen)
        return sights

    def label_of(self, life: Life) -> str:
        """Return the class of an object, by the votes so far."""
        return self._now.labels[life.label]

    def appeared(self, sight: Sight, camera: str) -> Event:
        """Return the event of an object that is new."""
        sight.life.report()
        return event_of("object-new", camera, sight.track, sight.life, self._now.labels)

    def changed(self, sight: Sight, camera: str, update_s: float) -> Event | None:
        """Return the event of an object that is not as it was last reported; None for most."""
        life = sight.life
        if sight.is_still or not life.has_changed(update_s):
            return None
        life.report()
        life.updates += 1
        return event_of("object-update", camera, sight.track, life, self._now.labels)

    def gone(self, camera: str) -> Iterator[tuple[int, Event]]:
        """Yield each object that went, with its event."""
        for track, life in self.ended.items():
            if life.state == REPORTED:
                yield track, event_of("object-end", camera, track, life, self._now.labels)

    def silent(self, result: FrameResult, options: EventsOptions) -> Iterator[Event]:
        """Yield an event for each class of which nothing was seen for too long, once."""
        return self._now.silences.events(result, options.nothing_seen)

    def _sights(self, result: FrameResult, options: EventsOptions) -> Iterator[Sight]:
        found, lives = result.detections, self._now.lives
        if found.track_id is None or not len(found):
            return
        at = result.captured_ns // 1_000_000 - self._now.base
        captured_us = result.captured_ns // 1000
        boxes = found.xyxy.clip(-_FAR, _FAR).round().astype(int).tolist()
        still = [False] * len(found) if found.still is None else found.still.tolist()
        columns = (found.track_id.tolist(), found.score.tolist(), found.class_id.tolist())
        for track, score, class_id, is_still, box in zip(*columns, still, boxes, strict=True):
            if track <= 0:
                continue
            life = lives.get(track)
            if life is None:
                if track in self._now.ended:
                    continue
                life = Life(result.epoch, 0, 0, 0, at, at, (0, 0, 0, 0))
                lives[track] = life
            place = self._place(found.labels[class_id])
            if not result.skipped or not life.votes:  # what is carried over is no new vote
                life.votes[place] = life.votes.get(place, 0) + 1
            life.since, life.seq = result.epoch - life.birth, result.seq
            life.captured_us, life.last, life.missed = captured_us, at, 0
            life.box, life.score, life.hits = (*box,), int(score * 1000 + 0.5), life.hits + 1
            life.path = longer(life.path, (box[0] + box[2]) // 2, box[3], box[3] - box[1])
            is_new = life.state == CANDIDATE and _is_known(life, options)
            if is_new:
                is_chosen = not options.classes or self.label_of(life) in options.classes
                life.state = REPORTED if is_chosen and options.objects else SILENT
            worth = int(_QUALITY * quality(score, box, result.width, result.height))
            yield Sight(track, life, worth, is_still, is_new)

    def _miss(self, seen: set[int], passed: Passed, lost_s: float) -> None:
        """Note which objects are missing, and end those that the tracker has given up."""
        lives = self._now.lives
        self.ended = {}
        if len(seen) == len(lives):
            return
        missed = round(passed.watched_s * 1000)
        limit = round((lost_s + _MARGIN_S) * 1000)
        for track, life in list(lives.items()):
            if track not in seen:
                life.missed += missed
                if passed.is_lost or life.missed > limit:
                    del lives[track]
                    if life.state != CANDIDATE:
                        self.ended[track] = life
        self._now.ended = [*self._now.ended, *self.ended][-_ENDED:]

    def _place(self, label: str) -> int:
        """Return the place of a label in the memory's list."""
        place = self._places.get(label)
        if place is None:
            place = self._places[label] = len(self._now.labels)
            self._now.labels.append(label)
        return place


def _labels_in(result: FrameResult) -> set[str]:
    found = result.detections
    return {found.labels[class_id] for class_id in set(found.class_id.tolist())}


def _is_known(life: Life, options: EventsOptions) -> bool:
    return life.hits >= options.min_hits and life.last - life.first >= options.min_s * 1000
