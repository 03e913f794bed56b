"""A camera's open frames and the account of what became of every frame it decoded.

The stages of one frame share nothing but the buffer's PTS, so the ledger is where a frame's result
waits between two elements. It is also where each frame ends in exactly one counter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from mirante.events import Event
from mirante.frame import Counts, FrameResult, TsSource
from plugins.trace import FAILED, Sample, Trace

DAMAGED = "damaged"  # why a damaged frame was dropped
_IDENTITY = ("camera", "seq", "epoch", "captured_ns", "ts_source", "width", "height", "counts")
QUEUED_MOST = 16  # frames that a queue may hold; the longest here holds 4


@dataclass(slots=True)
class _Open:
    seq: int
    result: FrameResult
    mark_ns: int  # monotonic; when the frame last passed a mark, so that stages can be timed
    damaged: bool
    damaged_so_far: int  # frames since the epoch, this one included
    passed: int = 0  # 1 behind the rate limit, 2 behind the queue, 3 before the first stage
    trace: Trace | None = None


class Ledger:
    """Counts and results of one camera, keyed by PTS. Safe between threads.

    A frame passes ``decoded`` → ``admitted`` (rate limit) → ``taken`` (queue) → ``publish`` or
    ``fail``, in order. GStreamer drops in silence, so a frame that was overtaken at a mark is
    known to have been dropped before it: by ``rate``, by ``queue``, or by a ``stage``.

    Args:
        camera: the camera's name.
        on_publish: notified of each published frame, on the camera's own thread; quick.
        sample: begins the trace of each frame that passes the rate limit and is sampled; None
            where none is.
    """

    def __init__(
        self,
        camera: str,
        on_publish: Callable[[FrameResult], None] = lambda result: None,
        sample: Sample | None = None,
    ) -> None:
        self.camera = camera
        self._on_publish = on_publish
        self._sample = sample
        self.epoch = time.time_ns() // 1_000_000
        self._lock = threading.Lock()
        self._open: dict[int, _Open] = {}
        self._next_seq = 0
        self._published = 0
        self._failed = 0
        self._damaged = 0
        self._dropped: dict[str, int] = {"rate": 0, "queue": 0}
        self._skipped: dict[str, int] = {}
        self._ahead: dict[int, str] = {}  # dropped frames later than the last one published
        self._late: list[Event] = []  # of frames that were not published

    def decoded(
        self,
        pts: int,
        captured_ns: int,
        ts_source: TsSource,
        size: tuple[int, int],
        arrived_ns: int | None = None,
        damaged: bool = False,
    ) -> int:
        """A frame of ``size`` (width, height) left the video decoder, which it had reached at
        ``arrived_ns`` (Unix time), where that is known, and which made it up in part if it is
        ``damaged``; returns its number.
        """
        with self._lock:
            seq = self._next_seq
            self._next_seq += 1
            self._damaged += damaged
            if pts in self._open:  # two frames with one PTS
                self._let_go(pts, "duplicate_pts")
            timings = {}
            if arrived_ns is not None:
                timings["video_decode"] = max(0.0, (time.time_ns() - arrived_ns) / 1e6)
            result = FrameResult(
                self.camera,
                seq,
                self.epoch,
                captured_ns,
                ts_source,
                *size,
                timings=timings,
                damaged=damaged,
            )
            self._open[pts] = _Open(seq, result, time.monotonic_ns(), damaged, self._damaged)
            return seq

    def admitted(self, pts: int) -> None:
        """A frame passed the rate limit."""
        with self._lock:
            frame = self._pass(pts, 1, "rate")
            if self._sample is not None and frame is not None:
                frame.trace = self._sample(frame.result, frame.mark_ns)
            waiting = [key for key, frame in self._open.items() if frame.passed == 1]
            for key in waiting[:-QUEUED_MOST]:  # the stages hang, and the queue drops in silence
                self._let_go(key, "queue")

    @property
    def queued(self) -> int:
        """How many frames wait in the queue."""
        with self._lock:
            return sum(frame.passed == 1 for frame in self._open.values())

    def taken(self, pts: int) -> None:
        """A frame left the queue: from here on one thread has it."""
        with self._lock:
            if (frame := self._pass(pts, 2, "queue")) is not None:
                self._time(frame, "queue")

    def get(self, pts: int) -> FrameResult | None:
        """Return what is known so far about an open frame. The first caller is the first stage: the
        time since the queue was scaling and converting.
        """
        with self._lock:
            frame = self._open.get(pts)
            if frame is None:
                return None
            if frame.passed == 2:
                frame.passed = 3
                self._time(frame, "convert")
            return frame.result

    @property
    def is_sampled(self) -> bool:
        """True where some frames have a trace."""
        return self._sample is not None

    def waiting(self, pts: int) -> FrameResult | None:
        """Return what is known of an open frame that is on its way to the first stage."""
        with self._lock:
            frame = self._open.get(pts)
            return None if frame is None else frame.result

    def trace_of(self, pts: int) -> Trace | None:
        """Return the trace of an open frame that is sampled."""
        if self._sample is None:
            return None
        with self._lock:
            frame = self._open.get(pts)
            return None if frame is None else frame.trace

    def put(self, pts: int, result: FrameResult) -> None:
        """Replaces what is known about an open frame; a damaged one stays damaged.

        Raises:
            ValueError: what says which frame it is has been changed.
        """
        with self._lock:
            if (frame := self._open.get(pts)) is None:
                return
            for name in _IDENTITY:
                before, after = getattr(frame.result, name), getattr(result, name)
                if after is not before and after != before:
                    raise ValueError(f"a stage changed {name} to {after!r}; expected {before!r}")
            forgets = frame.damaged and not result.damaged
            frame.result = replace(result, damaged=True) if forgets else result

    def publish(self, pts: int) -> FrameResult | None:
        """Closes a frame as published; its result carries the account as of this frame, and the
        events of frames before that were not.
        """
        with self._lock:
            frame = self._open.pop(pts, None)
            if frame is None:
                return None
            self._published += 1
            if reason := frame.result.skipped:
                self._skipped[reason] = self._skipped.get(reason, 0) + 1
            self._settle(frame.seq)
            counts = Counts(
                frame.seq + 1,
                self._published,
                dict(self._dropped),
                self._failed,
                frame.damaged_so_far,
                dict(self._skipped),
            )
            late, self._late = self._late, []
            result = replace(frame.result, counts=counts, events=(*late, *frame.result.events))
            if frame.trace is not None:
                frame.trace.found(result)
        self._on_publish(result)
        return result

    def take_events(self) -> tuple[Event, ...]:
        """Return the events of frames that were not published, once."""
        with self._lock:
            late, self._late = tuple(self._late), []
            return late

    def unpublish(self) -> None:
        """The frame just published could not be written: it failed instead."""
        with self._lock:
            self._published -= 1
            self._failed += 1

    def fail(self, pts: int, words: str = "") -> None:
        """Closes a frame on which a stage failed, with the reason in ``words``."""
        with self._lock:
            if (frame := self._open.pop(pts, None)) is not None:
                self._failed += 1
                self._settle(frame.seq)
                self._late += frame.result.events
                if frame.trace is not None:
                    frame.trace.end(FAILED, error=words)

    def undecodable(self) -> None:
        """An image came that no frame could be made of: it counts as failed, in its turn."""
        with self._lock:
            self._ahead[self._next_seq] = FAILED
            self._next_seq += 1

    def pass_by(self, most: int) -> None:
        """Close the oldest open frames beyond so many, which left a line that nothing publishes:
        they count as dropped, and nobody gets their events.
        """
        with self._lock:
            while len(self._open) > most:
                frame = self._let_go(next(iter(self._open)), "unpublished")
                self._settle(frame.seq)
                self._late.clear()

    def drop(self, pts: int, reason: str) -> None:
        """Closes a frame that was dropped on purpose."""
        with self._lock:
            if pts in self._open:
                frame = self._let_go(pts, reason)
                if all(other.seq > frame.seq for other in self._open.values()):
                    self._settle(frame.seq)

    def lost(self, frames: int, reason: str = "outbox") -> None:
        """Frames that counted as published never reached Redis."""
        with self._lock:
            self._published -= frames
            self._dropped[reason] = self._dropped.get(reason, 0) + frames

    def interrupt(self, reason: str) -> None:
        """The graph is gone: every open frame was dropped for ``reason``."""
        with self._lock:
            for pts in list(self._open):
                self._let_go(pts, reason)
            self._settle(self._next_seq)

    def finish(self) -> None:
        """The stream came to its end: each frame still open was dropped before its next mark."""
        with self._lock:
            for pts, frame in list(self._open.items()):
                self._let_go(pts, ("rate", "queue", "stage", "stage")[frame.passed])
            self._settle(self._next_seq)

    def counts(self) -> tuple[Counts, int]:
        """The account now, and how many frames are still on their way (in none of its counters)."""
        with self._lock:
            dropped = dict(self._dropped)
            for reason in self._ahead.values():
                dropped[reason] = dropped.get(reason, 0) + 1
            failed = self._failed + dropped.pop(FAILED, 0)
            done = self._published + sum(dropped.values()) + failed
            damaged = self._damaged - sum(frame.damaged for frame in self._open.values())
            skipped = dict(self._skipped)
            counts = Counts(done, self._published, dropped, failed, damaged, skipped)
            return counts, self._next_seq - done

    def busy_s(self) -> float:
        """Return for how many seconds the stages have held their current frame; 0 if they hold
        none.
        """
        with self._lock:
            marks = [frame.mark_ns for frame in self._open.values() if frame.passed >= 2]
        return (time.monotonic_ns() - min(marks)) / 1e9 if marks else 0.0

    def _pass(self, pts: int, mark: int, reason: str) -> _Open | None:
        """Moves a frame behind a mark; open frames it overtook were dropped there."""
        frame = self._open.get(pts)
        if frame is None:
            return None
        frame.passed = mark
        for other_pts, other in list(self._open.items()):
            if other.seq < frame.seq and other.passed < mark:
                self._let_go(other_pts, reason)
        return frame

    def _let_go(self, pts: int, reason: str) -> _Open:
        """Close an open frame as dropped; it is counted in its turn."""
        frame = self._open.pop(pts)
        self._ahead[frame.seq] = reason
        self._late += frame.result.events
        if frame.trace is not None:
            frame.trace.end(reason)
        return frame

    @staticmethod
    def _time(frame: _Open, stage: str) -> None:
        """Before the first stage the timings are the ledger's own, and need not be copied."""
        if frame.trace is not None:
            frame.trace.begin(stage, frame.mark_ns)
            frame.trace.close()
        now_ns = time.monotonic_ns()
        cast(dict[str, float], frame.result.timings)[stage] = (now_ns - frame.mark_ns) / 1e6
        frame.mark_ns = now_ns

    def _settle(self, seq: int) -> None:
        """Folds the drops up to ``seq`` into the totals; a frame still open below it never left
        its stage, and nothing passes a later frame, so a stage swallowed it.
        """
        for pts, frame in list(self._open.items()):
            if frame.seq < seq:
                self._let_go(pts, "stage")
        for dropped in [n for n in self._ahead if n <= seq]:
            reason = self._ahead.pop(dropped)
            if reason == FAILED:
                self._failed += 1
                continue
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
