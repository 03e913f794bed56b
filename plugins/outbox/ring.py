"""The bounded memory between frame threads and the sender, with the IDs of the entries."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from mirante.keys import EntryId, Kind
from plugins.trace import PUBLISHED, Trace

FRAME_KINDS: tuple[Kind, ...] = ("masks", "detections")  # detections last: they announce the masks

LOST = "outbox"  # why a published frame was dropped

_NONE = EntryId(0, 0)
_ENTRY_BYTES = 600  # what Python keeps around the payload of one entry
_STATUSES = 4096  # of one camera that wait: more than its stream keeps
_MARKS = 64  # in the longest time that a stream is kept: how finely trimming knows ages


@dataclass(slots=True, eq=False)
class Entry:
    """One frame's results, or one status message.

    Attributes:
        id: its ID in each of its streams.
        fields: fields per stream, in the order in which the streams are written.
        put_s: monotonic time at which it was put.
        acked: Redis has taken it at least once.
        trace: of a sampled frame that is still on its way.
    """

    id: EntryId
    fields: dict[Kind, dict[str, bytes]]
    put_s: float
    acked: bool = False
    trace: Trace | None = None

    @property
    def size(self) -> int:
        """Bytes that it holds, roughly."""
        payload = chain.from_iterable(part.values() for part in self.fields.values())
        return _ENTRY_BYTES + sum(map(len, payload))

    def end_trace(self, fate: str) -> None:
        """Tell what became of a sampled frame."""
        if self.trace is not None:
            self.trace.end(fate, str(self.id))
            self.trace = None


@dataclass(slots=True, eq=False)
class Lane:
    """Streams of one camera that are written together, and what they have yet to get.

    An entry goes from ``unsent`` to ``flying`` to ``kept``; the tail that Redis took is kept for
    the day that Redis comes back without it. What flies when a connection breaks stays there,
    safe from eviction, until the stream's last ID tells whether it arrived.
    """

    camera: str
    kinds: tuple[Kind, ...]
    span_s: float  # how far back ``horizon`` is asked for
    kept: deque[Entry] = field(default_factory=deque)
    flying: list[Entry] = field(default_factory=list)
    unsent: deque[Entry] = field(default_factory=deque)
    last: EntryId = _NONE
    marks: deque[tuple[float, EntryId]] = field(default_factory=lambda: deque(maxlen=_MARKS + 2))
    floors: dict[Kind, EntryId] = field(default_factory=dict)
    known: bool = False  # its streams' last IDs have been read once
    synced: bool = False  # … and on this connection
    expire_s: float = 0.0  # when its keys' time to live is due to be renewed
    retry_s: float = 0.0  # not to be sent before
    words: str = ""  # why not
    sent: int = 0
    lost: int = 0
    refused: int = 0
    size: int = 0

    def put(
        self,
        ms: int,
        seq: int,
        fields: dict[Kind, dict[str, bytes]],
        now_s: float,
        trace: Trace | None = None,
    ) -> None:
        """Appends an entry; its ID never falls and never repeats."""
        if trace is not None:
            trace.close()
            trace.begin("outbox")
        entry = Entry(self._stamp(ms, seq), fields, now_s, trace=trace)
        self.size += entry.size
        self.unsent.append(entry)
        if not self.marks or now_s - self.marks[-1][0] >= self.span_s / _MARKS:
            self.marks.append((now_s, entry.id))

    def _stamp(self, ms: int, seq: int) -> EntryId:
        stamped = EntryId(max(ms, self.last.ms), seq)
        if stamped <= self.last:
            stamped = EntryId(self.last.ms + 1, seq)
        self.last = stamped
        return stamped

    def horizon(self, keep_s: float, now_s: float) -> EntryId:
        """The ID below which entries are older than ``keep_s``."""
        older = [mark for put_s, mark in self.marks if put_s <= now_s - keep_s]
        if older:
            return older[-1]
        first = self.marks[0][1] if self.marks else self.last
        return EntryId(max(0, first.ms - round(keep_s * 1000)), 0)

    def oldest_s(self) -> float:
        """Return when the oldest entry that may be evicted was put; infinity if there is none."""
        return min(queue[0].put_s if queue else float("inf") for queue in (self.kept, self.unsent))

    def evict(self) -> int:
        """Forgets that oldest entry; returns the number of frames lost by it, 0 or 1."""
        old = self.kept if self.kept else self.unsent
        entry = old.popleft()
        self.size -= entry.size
        if entry.acked:
            return 0
        entry.end_trace(LOST)
        self.lost += 1
        return 1

    def forget(self, before_s: float) -> None:
        """Forget what Redis took, of entries put before a monotonic time."""
        while self.kept and self.kept[0].put_s < before_s:
            self.size -= self.kept.popleft().size

    def take(self, most: int) -> list[Entry]:
        """Moves up to ``most`` unsent entries into flight."""
        self.flying = [self.unsent.popleft() for _ in range(min(most, len(self.unsent)))]
        return self.flying

    def land(self, done: list[Entry], refused: list[Entry]) -> None:
        """Ends the flight: Redis took ``done`` and never will take ``refused``."""
        over = set(map(id, chain(done, refused)))
        self.unsent.extendleft(e for e in reversed(self.flying) if id(e) not in over)
        self.flying = []
        self.kept.extend(done)
        self.sent += sum(not entry.acked for entry in done)
        for entry in done:
            entry.acked = True
            entry.end_trace(PUBLISHED)
        for entry in refused:
            entry.end_trace(LOST)
        fresh = sum(not entry.acked for entry in refused)
        self.size -= sum(entry.size for entry in refused)
        self.refused += fresh
        self.lost += fresh

    def sync(self, floors: dict[Kind, EntryId]) -> int:
        """Takes note of the streams' last IDs on a new connection; returns the frames refused.

        Everything above them is to be sent again, whether it was taken before or not. On the
        first connection of all, what the streams already hold came from an earlier run, and the
        waiting entries are stamped above it.
        """
        main, lost_before = floors[self.kinds[-1]], self.lost
        held = [*self.kept, *self.flying, *self.unsent]
        if not self.known:
            self.last = max(self.last if not held else _NONE, *floors.values())
            for entry in held:
                entry.id = self._stamp(*entry.id)
        foreign = self.known and self._foreign(main, held)
        taken, refused, missing = list[Entry](), list[Entry](), deque[Entry]()
        for entry in held:
            if foreign and entry.id <= main and not entry.acked:
                refused.append(entry)
            elif any(entry.id > floors[kind] for kind in entry.fields):
                missing.append(entry)
            else:
                taken.append(entry)
        self.kept, self.flying, self.unsent = deque(), [], missing
        self.land(taken, refused)
        self.known, self.synced, self.floors = True, True, floors
        return self.lost - lost_before

    def _foreign(self, floor: EntryId, held: list[Entry]) -> bool:
        """Return whether the stream's last entry is not ours."""
        if not held:
            return floor > self.last
        return floor >= held[0].id and all(entry.id != floor for entry in held)


class Ring:
    """All lanes of a worker, bounded by age and bytes. Safe between threads.

    Args:
        keep_s: an entry older than this is forgotten.
        most_bytes: the oldest entries are forgotten when all of them hold more than this.
        span_s: the longest time for which a stream is kept in Redis.
        on_lost: called with camera and frames when frames are forgotten that Redis never took;
            on the thread that puts or sends, so it must be quick.
    """

    def __init__(
        self,
        keep_s: float,
        most_bytes: int,
        span_s: float,
        on_lost: Callable[[str, int], None],
    ) -> None:
        self.changed = threading.Condition()
        self.lanes: dict[tuple[str, Kind], Lane] = {}
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._span_s = span_s
        self._on_lost = on_lost

    def put(
        self,
        camera: str,
        ms: int,
        seq: int,
        fields: dict[Kind, dict[str, bytes]],
        trace: Trace | None = None,
    ) -> None:
        """Puts one frame's results."""
        now_s = time.monotonic()
        with self.changed:
            lane = self._lane(camera, FRAME_KINDS)
            lane.put(ms, seq, fields, now_s, trace)
            lost = self._evict([lane], now_s)
            self.changed.notify()
        self.report(lost)

    def put_status(self, camera: str, ms: int, data: bytes) -> None:
        """Puts a status message; the newest wait however long Redis is away."""
        with self.changed:
            lane = self._lane(camera, ("status",))
            lane.put(ms, 0, {"status": {"json": data}}, time.monotonic())
            if len(lane.unsent) > _STATUSES:
                lane.size -= lane.unsent.popleft().size
            self.changed.notify()

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
            for lane in self.frame_lanes():
                left = [e for e in chain(lane.flying, lane.unsent) if not e.acked]
                for entry in left:
                    entry.end_trace(LOST)
                lane.flying, lane.unsent = [], deque()
                lane.lost += len(left)
                lost[lane.camera] = len(left)
        self.report(lost)
        return sum(lost.values())

    def report(self, lost: Mapping[str, int]) -> None:
        """Tells the owner of the account; never called with the lock held."""
        for camera, frames in lost.items():
            if frames:
                self._on_lost(camera, frames)

    def frame_lanes(self) -> list[Lane]:
        """The lanes that carry frames."""
        return [lane for lane in self.lanes.values() if lane.kinds is FRAME_KINDS]

    @property
    def depth(self) -> int:
        """Entries that Redis has yet to take."""
        return sum(len(lane.unsent) + len(lane.flying) for lane in list(self.lanes.values()))

    def _lane(self, camera: str, kinds: tuple[Kind, ...]) -> Lane:
        name = (camera, kinds[-1])
        if name not in self.lanes:
            self.lanes[name] = Lane(camera, kinds, self._span_s)
        return self.lanes[name]

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
