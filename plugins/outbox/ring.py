"""The bounded memory between frame threads and the sender."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from mirante.keys import Kind
from plugins.outbox.lane import EVENT_KINDS, FRAME_KINDS, LOST, TRACK_KINDS, Entry, Lane
from plugins.outbox.recall import Recall
from plugins.outbox.step import Step
from plugins.trace import Trace

HELD = 16  # results that wait for one another, where they may
HOLD_S = 0.75  # … and for how long; the sender looks every quarter of a second
_STATUSES = 4096  # of one camera that wait: more than its stream keeps
_EVENTS_SHARE = 2  # events may hold one part in so many of all bytes
_HELD_SHARE = 64  # … and results of one camera that wait for one another


class Ring:
    """All lanes of a worker, bounded by age and bytes. Safe between threads.

    Args:
        keep_s: an entry older than this is forgotten.
        most_bytes: the oldest entries are forgotten when all of them hold more than this.
        span_s: the longest time for which a stream is kept in Redis.
        on_lost: called with camera and frames when frames are forgotten that Redis never took;
            on the thread that puts or sends, so it must be quick.
        on_refused: called instead for frames that it never will, as the camera is another's.
        events_span_s: the longest time for which events are kept in Redis.
        tracks_span_s: … and trails.
    """

    def __init__(
        self,
        keep_s: float,
        most_bytes: int,
        span_s: float,
        on_lost: Callable[[str, int], None],
        on_refused: Callable[[str, int], None] | None = None,
        events_span_s: float = 0.0,
        tracks_span_s: float = 0.0,
    ) -> None:
        self.changed = threading.Condition()
        self.lanes: dict[tuple[str, Kind], Lane] = {}
        self.shared: set[str] = set()  # cameras of which the registry says whose they are
        self.held: set[str] = set()  # … those that are not to be claimed for now
        self.moved: dict[str, str] = {}  # … those that were found to be of this other worker
        self._leaving: set[str] = set()
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._span_s = span_s
        self._spans_s = {EVENT_KINDS: events_span_s, TRACK_KINDS: tracks_span_s}
        self._on_lost = on_lost
        self._on_refused = on_refused or on_lost

    def put(
        self,
        camera: str,
        ms: int,
        seq: int,
        fields: dict[Kind, dict[str, bytes]],
        trace: Trace | None = None,
        epoch: int | None = None,
        holds: bool = False,
    ) -> None:
        """Puts one frame's results. With ``holds`` they may wait for others for ``HOLD_S``, unless
        there are enough of them for an exchange of their own, or they are large.
        """
        now_s = time.monotonic()
        with self.changed:
            lane = self._lane(camera, FRAME_KINDS)
            lane.put(ms, seq, fields, now_s, trace, epoch)
            refused = lane.deny(camera in self.held) if lane.denied else 0
            lost = self._evict([lane], now_s)
            if not holds or self._is_enough(lane):
                lane.held_until_s = 0.0
                self.changed.notify()
            elif len(lane.unsent) == 1:
                lane.held_until_s = now_s + HOLD_S
        self.report(lost)
        self.report_refused(lane, refused)

    def _is_enough(self, lane: Lane) -> bool:
        """Return whether what a lane holds is worth an exchange; the lock is held."""
        if len(lane.unsent) >= HELD:
            return True
        return sum(entry.size for entry in lane.unsent) * _HELD_SHARE >= self._most_bytes

    def put_status(self, camera: str, ms: int, data: bytes) -> None:
        """Puts a status message; the newest wait however long Redis is away."""
        with self.changed:
            lane = self._lane(camera, ("status",))
            lane.put(ms, 0, {"status": {"json": data}}, time.monotonic())
            if lane.denied:
                lane.deny()
            if len(lane.unsent) > _STATUSES:
                lane.size -= lane.unsent.popleft().size
            self.changed.notify()

    def put_trail(self, camera: str, ms: int, data: bytes) -> None:
        """Puts a trail; it waits as long as frames do."""
        now_s = time.monotonic()
        with self.changed:
            lane = self._lane(camera, TRACK_KINDS)
            lane.put(ms, 0, {"tracks": {"msgpack": data}}, now_s)
            if lane.denied:
                lane.deny()
            while lane.oldest_s() < now_s - self._keep_s:
                lane.evict()
            self.changed.notify()

    def put_events(
        self,
        camera: str,
        ms: int,
        events: Sequence[tuple[dict[Kind, dict[str, bytes]], int | None]],
        step: Step,
    ) -> int:
        """Puts events and the step behind them; they wait however long Redis is away, within a part
        of the bytes: beyond it images go first.

        Returns:
            The events forgotten for want of room, of all cameras.
        """
        with self.changed:
            lane = self._lane(camera, EVENT_KINDS)
            lane.put_events(ms, events, step)
            if lane.denied:
                lane.deny()
            lost = self._bound_events()
            self.changed.notify()
        return lost

    def refuse_event(self, camera: str) -> None:
        """Counts an event that cannot be put at all as lost."""
        with self.changed:
            self._lane(camera, EVENT_KINDS).lost += 1

    def recall(self, camera: str, is_kept: bool = False) -> Recall:
        """Asks for the memory that a camera's last worker left. With ``is_kept`` the answer stays
        until ``recalled`` is called, or the claim under which it was read is lost.
        """
        with self.changed:
            lane = self._lane(camera, EVENT_KINDS)
            if lane.recall is None or (lane.recall.saved is not None and not lane.synced):
                lane.recall = Recall(is_kept)
            self.changed.notify()
            return lane.recall

    def recalled(self, camera: str) -> None:
        """Forget an answer that was kept."""
        with self.changed:
            self._lane(camera, EVENT_KINDS).recall = None

    def share(self, camera: str, is_shared: bool, is_held: bool) -> None:
        """Begins a camera: whether the registry says whose it is, and whether it is not to be
        claimed until ``free``.
        """
        with self.changed:
            self.moved.pop(camera, None)
            for cameras, is_one in ((self.shared, is_shared), (self.held, is_held)):
                (cameras.add if is_one else cameras.discard)(camera)
            if is_held:
                for lane in self.of(camera):
                    lane.deny(moved=True)

    def free(self, camera: str) -> None:
        """Let a camera be claimed from now on."""
        with self.changed:
            self.held.discard(camera)
            self.changed.notify()

    def move(self, camera: str, worker: str) -> None:
        """Give up a camera that was found to be another worker's."""
        with self.changed:
            self.held.add(camera)
            self.moved[camera] = worker
            refused = [(lane, lane.deny(moved=True)) for lane in self.of(camera)]
            for lane, _ in refused:
                lane.synced, lane.words = False, ""
        for lane, frames in refused:
            self.report_refused(lane, frames)

    def is_denied(self, camera: str) -> bool:
        """True while the camera is another publisher's."""
        with self.changed:
            return any(lane.denied for lane in self.of(camera))

    def take(self, lane: Lane, most: int, most_bytes: int) -> list[Entry]:
        """Moves entries of a lane into flight, events with the epochs of their frames; the lock is
        held.
        """
        entries = lane.take(most, most_bytes)
        frames = self.lanes.get((lane.camera, FRAME_KINDS[-1]))
        if frames is not None and lane.is_of_events:
            for entry in entries:
                if entry.counted_ms is not None:
                    entry.count_from(frames.published(entry.counted_ms))
        return entries

    def refuse(self, camera: str) -> None:
        """Counts a frame that cannot be put at all as lost."""
        with self.changed:
            self._lane(camera, FRAME_KINDS).lost += 1
        self.report({camera: 1})

    def expire(self) -> None:
        """Forgets what is too old, also of cameras that put nothing."""
        with self.changed:
            now_s = time.monotonic()
            lost = self._evict(self.frame_lanes(), now_s)
            for lane in self.lanes.values():
                lane.forget(now_s - self._keep_s)
        self.report(lost)

    def abandon(self) -> int:
        """Counts everything that was never taken as lost; returns the number of frames."""
        lost: dict[str, int] = {}
        with self.changed:
            for lane in [*self.frame_lanes(), *self.event_lanes()]:
                left = [e for e in chain(lane.flying, lane.unsent) if not e.acked]
                for entry in left:
                    entry.end_trace(LOST)
                lane.flying, lane.unsent = [], deque()
                lane.lost += len(left)
                if lane.is_of_frames:
                    lost[lane.camera] = len(left)
        self.report(lost)
        return sum(lost.values())

    def report_lost(self, lane: Lane, frames: int) -> None:
        """Tells the owner of the account, where the lane's entries are frames."""
        if lane.is_of_frames:
            self.report({lane.camera: frames})

    def report_refused(self, lane: Lane, frames: int) -> None:
        """Tells the owner of the account of frames in whose place another publisher's stand."""
        if frames and lane.is_of_frames:
            self._on_refused(lane.camera, frames)

    def report(self, lost: Mapping[str, int]) -> None:
        """Tells the owner of the account; never called with the lock held."""
        for camera, frames in lost.items():
            if frames:
                self._on_lost(camera, frames)

    def epoch(self, camera: str, epoch: int) -> int:
        """Return the epoch that messages say for one of the camera."""
        with self.changed:
            lane = self.lanes.get((camera, FRAME_KINDS[-1]))
            return lane.published(epoch) if lane else epoch

    def leave(self, camera: str) -> None:
        """Nothing more will be put for a camera for now."""
        with self.changed:
            self._leaving.add(camera)
            for lane in self.of(camera):
                lane.held_until_s = 0.0
            self.changed.notify()

    def left(self) -> set[str]:
        """Return the cameras that were left and have nothing to send any more, once."""
        with self.changed:
            over = {
                camera
                for camera in self._leaving
                if all(lane.denied or not lane.is_waiting for lane in self.of(camera))
            }
            self._leaving -= over
            return over

    def of(self, camera: str) -> list[Lane]:
        """Return the lanes of a camera; the lock is held."""
        return [lane for lane in self.lanes.values() if lane.camera == camera]

    def unclaimed(self) -> set[str]:
        """Return the cameras that have lanes and none that may be written."""
        with self.changed:
            lanes = list(self.lanes.values())
        return {lane.camera for lane in lanes} - {lane.camera for lane in lanes if lane.synced}

    def synced(self, cameras: Iterable[str]) -> list[Lane]:
        """Return a synced lane of each of these cameras that has one; the lock is held."""
        lanes = {lane.camera: lane for lane in self.lanes.values() if lane.synced}
        return [lanes[camera] for camera in cameras if camera in lanes]

    def resign(self, camera: str | None = None) -> int:
        """Gives up all that is held, as refused, and begins as a new publisher would.

        Args:
            camera: of which; None for all.

        Returns:
            The frames that Redis will never take.
        """
        refused = list[tuple[Lane, int]]()
        with self.changed:
            for name, lane in list(self.lanes.items()):
                if camera not in (None, lane.camera):
                    continue
                self.moved.pop(lane.camera, None)
                refused.append((lane, lane.deny(lane.camera in self.held)))
                begun = Lane(lane.camera, lane.kinds, lane.span_s, recall=lane.recall)
                begun.sent, begun.lost, begun.refused = lane.sent, lane.lost, lane.refused
                self.lanes[name] = begun
        for lane, frames in refused:
            self.report_refused(lane, frames)
        return sum(frames for lane, frames in refused if lane.is_of_frames)

    def frame_lanes(self) -> list[Lane]:
        """The lanes that carry frames."""
        return [lane for lane in self.lanes.values() if lane.is_of_frames]

    def event_lanes(self) -> list[Lane]:
        """The lanes that carry events."""
        return [lane for lane in self.lanes.values() if lane.is_of_events]

    @property
    def is_waiting(self) -> bool:
        """True while Redis has yet to take anything."""
        return any(lane.is_waiting for lane in list(self.lanes.values()))

    @property
    def depth(self) -> int:
        """Entries that Redis has yet to take."""
        return sum(lane.depth for lane in list(self.lanes.values()))

    def _lane(self, camera: str, kinds: tuple[Kind, ...]) -> Lane:
        name = (camera, kinds[-1])
        if name not in self.lanes:
            span_s = self._spans_s.get(kinds, self._span_s)
            self.lanes[name] = Lane(camera, kinds, span_s, denied=camera in self.held)
        return self.lanes[name]

    def _bound_events(self) -> int:
        """Forgets the oldest images of events, then the oldest events, above their bound."""
        lost, lanes = 0, self.event_lanes()
        while lanes and sum(lane.size for lane in lanes) > self._most_bytes // _EVENTS_SHARE:
            lane = min(lanes, key=Lane.oldest_s)
            if lane.oldest_s() == float("inf"):
                break
            if lane.kept or not any(each.shed() for each in sorted(lanes, key=Lane.oldest_s)):
                lost += lane.evict()
        return lost

    def _evict(self, aged: list[Lane], now_s: float) -> dict[str, int]:
        """Forgets what is too old in these lanes, and the oldest of all above the bound."""
        lost: dict[str, int] = {}
        for lane in aged:
            while lane.oldest_s() < now_s - self._keep_s:
                lost[lane.camera] = lost.get(lane.camera, 0) + lane.evict()
        while sum(lane.size for lane in self.lanes.values()) > self._most_bytes:
            lane = min(self.frame_lanes(), key=Lane.oldest_s)
            if lane.oldest_s() == float("inf"):
                break
            lost[lane.camera] = lost.get(lane.camera, 0) + lane.evict()
        return lost
