"""One object from its first frame to its last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mirante.events import Event, EventKind
from plugins.events.path import longer, points_of

CANDIDATE, SILENT, REPORTED = 0, 1, 2  # not seen well enough yet; without events; with events
BETTER = 1.25  # times the quality of the best moment, to be a better one
_MOVED = 0.5  # an object whose box overlaps the reported one by less is elsewhere
_WORDS = {"object-new": "appeared", "object-update": "moved", "object-end": "left"}

Corners = tuple[int, int, int, int]  # left, top, right, bottom in source pixels


class Life(msgspec.Struct, array_like=True):
    """One object. Times in ms count from a moment that the memory knows.

    Attributes:
        birth: epoch in which it was first seen.
        since: epoch of the frame that showed it last, as ms after ``birth``.
        seq, captured_us: number of that frame, and Unix µs of its capture.
        first, last: times of its first and last frame, ms.
        box: where it was last.
        score: its score then, in thousandths.
        hits: frames that showed it.
        missed: ms for which it has been missing.
        votes: frames by class, as a place in the memory's list of labels.
        path: see ``plugins.events.path``.
        state: ``CANDIDATE``, ``SILENT`` or ``REPORTED``.
        updates: number of its events ``object-update``.
        reported, reported_label, reported_box, reported_best: as of its last event.
        best: quality of its best moment; 0 before there is one.
        best_us: Unix µs of capture of the frame that shows it.
    """

    birth: int
    since: int
    seq: int
    captured_us: int
    first: int
    last: int
    box: Corners
    score: int = 0
    hits: int = 0
    missed: int = 0
    votes: dict[int, int] = {}
    path: bytes = b""
    state: int = CANDIDATE
    updates: int = 0
    reported: int = 0
    reported_label: int = -1
    reported_box: Corners = (0, 0, 0, 0)
    reported_best: int = 0
    best: int = 0
    best_us: int = 0

    @property
    def label(self) -> int:
        """The class that most frames gave it, as a place in the memory's list."""
        votes = self.votes
        return max(votes, key=votes.__getitem__) if len(votes) > 1 else next(iter(votes))

    def has_changed(self, update_s: float) -> bool:
        """Return whether it is time for an update: it is elsewhere, of another class, or was seen
        clearly better than in its last event.
        """
        if self.state != REPORTED or self.last - self.reported < update_s * 1000:
            return False
        return (
            self.label != self.reported_label
            or self.best > BETTER * self.reported_best
            or _overlap(self.box, self.reported_box) < _MOVED
        )

    def report(self) -> None:
        """Note that an event reports it as it is now."""
        self.reported, self.reported_label = self.last, self.label
        self.reported_box, self.reported_best = self.box, self.best


class Sight(NamedTuple):
    """An object in a frame.

    Attributes:
        track: its number.
        life: what is known of it.
        quality: of this moment, before its sharpness.
        is_still: it does not move.
        is_new: it is seen well enough from this frame on.
    """

    track: int
    life: Life
    quality: int
    is_still: bool
    is_new: bool


def event_of(kind: EventKind, camera: str, track: int, life: Life, labels: Sequence[str]) -> Event:
    """Return the event of an object, of the frame that showed it last.

    Args:
        kind: ``object-new``, ``object-update`` or ``object-end``.
        camera: its name.
        track: the object's number.
        life: what is known of it.
        labels: those of the memory.
    """
    label, (left, top, right, bottom) = labels[life.label], life.box
    number = f"-{life.updates}" if kind == "object-update" else ""
    dwell_s = max(0, life.last - life.first) / 1000
    path = life.path
    if kind == "object-end":
        path = longer(path, (left + right) // 2, bottom, 0)
    votes = sum(life.votes.values())
    words = f" after {dwell_s:.1f} s" if kind == "object-end" else ""
    return Event(
        id=f"{life.birth}-{track}-{kind}{number}",
        camera=camera,
        kind=kind,
        ts=life.captured_us / 1e6,
        seq=life.seq,
        epoch=life.birth + life.since,
        track_id=track,
        label=label,
        score=life.score / 1000,
        bbox=(float(left), float(top), float(right - left), float(bottom - top)),
        dwell_s=dwell_s,
        votes={
            labels[place]: round(count / votes, 3)
            for place, count in sorted(life.votes.items(), key=lambda vote: -vote[1])
        },
        path=[] if kind == "object-new" else points_of(path),
        best=life.best_us / 1e6 if life.best else None,
        reason=f"{label} {track} {_WORDS[kind]}{words}",
    )


def _overlap(one: Corners, other: Corners) -> float:
    """Return the intersection of two boxes over their union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / max(1, sum(areas) - shared)
