"""The entries of one camera's streams that are written together, with their IDs and epochs."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from mirante.keys import EntryId, Kind
from plugins.outbox.step import Step, joined
from plugins.trace import PUBLISHED, Trace

if TYPE_CHECKING:
    from plugins.outbox.recall import Recall

FRAME_KINDS: tuple[Kind, ...] = ("masks", "detections")  # detections last: they announce the masks
EVENT_KINDS: tuple[Kind, ...] = ("images", "events")
TRACK_KINDS: tuple[Kind, ...] = ("tracks",)

LOST = "outbox"  # why a published frame was dropped
REFUSED = "refused"  # … in whose place another publisher's stands
MOVED = "moved"  # … as the fleet has given the camera to another worker

_NONE = EntryId(0, 0)
_ENTRY_BYTES = 600  # what Python keeps around the payload of one entry
_MARKS = 64  # in the longest time that a stream is kept: how finely trimming knows ages


@dataclass(slots=True, eq=False)
class Entry:
    """One frame's results, one event, one trail, or one status message.

    Attributes:
        id: its ID in each of its streams.
        fields: fields per stream, in the order in which the streams are written.
        put_s: monotonic time at which it was put.
        epoch: Unix ms, as its messages say it; None of a message without.
        acked: Redis has taken it at least once.
        trace: of a sampled frame that is still on its way.
        counted_ms: epoch of the camera in which an event's frame was counted.
        step: what is written with it, an event that is its frame's last.
        is_ahead: others of its frame follow, and are written with it.
        size: bytes that it holds, roughly.
    """

    id: EntryId
    fields: dict[Kind, dict[str, bytes]]
    put_s: float
    epoch: int | None = None
    acked: bool = False
    trace: Trace | None = None
    counted_ms: int | None = None
    step: Step | None = None
    is_ahead: bool = False
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.weigh()

    def weigh(self) -> None:
        """Take note of its size."""
        payload = chain.from_iterable(part.values() for part in self.fields.values())
        self.size = _ENTRY_BYTES + sum(map(len, payload)) + (self.step.size if self.step else 0)

    def end_trace(self, fate: str) -> None:
        """Tell what became of a sampled frame."""
        if self.trace is not None:
            self.trace.end(fate, str(self.id))
            self.trace = None

    def count_from(self, epoch: int) -> None:
        """Writes another epoch into the messages."""
        before, after = f'"epoch":{self.epoch}(?=[,}}])'.encode(), b'"epoch":%d' % epoch
        for part in self.fields.values():
            if "json" in part:
                part["json"] = re.sub(before, after, part["json"], count=1)
        self.epoch = epoch


@dataclass(slots=True, eq=False)
class Lane:
    """Streams of one camera that are written together, and what they have yet to get.

    An entry goes from ``unsent`` to ``flying`` to ``kept``; the tail that Redis took is kept for
    the day that Redis comes back without it. What flies when a connection breaks stays there,
    safe from eviction, until the stream's last ID tells whether it arrived.

    A camera's events have steps: what is written together with the last of them. A step of a
    moment without an event joins that of the newest one that waits, or goes alone.

    Epochs grow even where the clock went back between two runs: one that is not later than the
    stream's newest is published as the millisecond after that.
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
    taken: EntryId = _NONE  # the last ID that its last stream is known to have
    known: bool = False  # its streams' last IDs have been read once
    synced: bool = False  # … and on this connection
    doubted: bool = False  # what was confirmed may be lost: its streams' last IDs are due
    denied: bool = False  # the camera is another publisher's: nothing waits
    epoch: int = -1  # the newest that the stream has or will have
    epochs: dict[int, int] = field(default_factory=dict)  # of the camera → as published
    whole: bool = False  # Redis does not know the script that writes
    expire_s: float = 0.0  # when its keys' time to live is due to be renewed
    retry_s: float = 0.0  # not to be sent before
    held_until_s: float = 0.0  # what waits may wait for more until then
    words: str = ""  # why not
    sent: int = 0
    lost: int = 0
    refused: int = 0
    size: int = 0
    step: Step | None = None  # of no entry that waits
    flying_step: Step | None = None  # … and of none that flies
    recall: Recall | None = None  # somebody waits for the memory that the last worker left

    def put(
        self,
        ms: int,
        seq: int,
        fields: dict[Kind, dict[str, bytes]],
        now_s: float,
        trace: Trace | None = None,
        epoch: int | None = None,
    ) -> None:
        """Appends an entry; its ID never falls and never repeats."""
        if trace is not None:
            trace.close()
            trace.begin("outbox")
        entry = Entry(self._stamp(ms, seq), fields, now_s, epoch, trace=trace)
        if epoch is not None and (published := self.published(epoch)) != epoch:
            entry.count_from(published)
        self._append(entry, now_s)

    def put_events(
        self, ms: int, events: Sequence[tuple[dict[Kind, dict[str, bytes]], int | None]], step: Step
    ) -> None:
        """Appends the events of a frame and its step; or the step alone.

        Args:
            ms: Unix ms of capture.
            events: of each its fields and the camera's epoch.
            step: as of the last of them.
        """
        now_s = time.monotonic()
        for number, (fields, epoch) in enumerate(events):
            entry = Entry(self._stamp(ms, number), fields, now_s, epoch, counted_ms=epoch)
            entry.is_ahead = number + 1 < len(events)
            self._append(entry, now_s)
        if not events:
            self._mark(max(EntryId(ms, 0), EntryId(self.last.ms, self.last.seq + 1)), now_s)
        self.step = joined((self.step, step))
        self._gather_step()

    def _gather_step(self) -> None:
        """Joins a step of no entry to that of the newest that waits, where one does."""
        if self.unsent and self.step is not None:
            self._set_step(self.unsent[-1], joined((self.unsent[-1].step, self.step)))
            self.step = None

    def _precede(self, step: Step | None) -> None:
        """Joins a step, made before all that waits, to the first of it."""
        if not self.unsent:
            self.step = joined((step, self.step))
        elif step is not None:
            self._set_step(self.unsent[0], joined((step, self.unsent[0].step)))

    def _set_step(self, entry: Entry, step: Step | None) -> None:
        self.size -= entry.size
        entry.step = step
        entry.weigh()
        self.size += entry.size

    def _append(self, entry: Entry, now_s: float) -> None:
        self.size += entry.size
        self.unsent.append(entry)
        self._mark(entry.id, now_s)

    def _mark(self, entry_id: EntryId, now_s: float) -> None:
        if not self.marks or now_s - self.marks[-1][0] >= self.span_s / _MARKS:
            self.marks.append((now_s, entry_id))

    def _stamp(self, ms: int, seq: int) -> EntryId:
        stamped = EntryId(max(ms, self.last.ms), seq)
        if stamped <= self.last:
            stamped = EntryId(self.last.ms + 1, seq)
        self.last = stamped
        return stamped

    def published(self, epoch: int) -> int:
        """Return the epoch that messages say for one of the camera."""
        if epoch not in self.epochs:
            self.epochs[epoch] = self.epoch = max(epoch, self.epoch + 1)
        return self.epochs[epoch]

    def _raise_epochs(self, newest: int, held: list[Entry]) -> None:
        """Puts every epoch behind the newest of an earlier run."""
        self.epoch = newest
        for epoch, before in self.epochs.items():
            self.epoch = self.epochs[epoch] = max(before, self.epoch + 1)
            for entry in held:
                if entry.epoch == before != self.epoch:
                    entry.count_from(self.epoch)

    def horizon(self, keep_s: float, now_s: float) -> EntryId:
        """The ID below which entries are older than ``keep_s``."""
        marks = self.marks.copy()  # others put meanwhile
        older = [mark for put_s, mark in marks if put_s <= now_s - keep_s]
        if older:
            return older[-1]
        put_s, first = marks[0] if marks else (now_s, self.last)
        return EntryId(max(0, first.ms - round((keep_s - (now_s - put_s)) * 1000)), 0)

    def oldest_s(self) -> float:
        """Return when the oldest entry that may be evicted was put; infinity if there is none."""
        return min(queue[0].put_s if queue else float("inf") for queue in (self.kept, self.unsent))

    def evict(self) -> int:
        """Forgets that oldest entry; returns the number of frames or events lost by it, 0 or 1."""
        old = self.kept if self.kept else self.unsent
        entry = old.popleft()
        self.size -= entry.size
        if old is self.unsent:
            self._precede(entry.step)
        if entry.acked:
            return 0
        entry.end_trace(LOST)
        self.lost += 1
        return 1

    def forget(self, before_s: float) -> None:
        """Forget what Redis took, of entries put before a monotonic time."""
        while self.kept and self.kept[0].put_s < before_s:
            self.size -= self.kept.popleft().size

    def shed(self) -> bool:
        """Forgets the oldest image that waits; False where none does."""
        for entry in self.unsent:
            if entry.fields.pop("images", None) is not None:
                self.size -= entry.size
                entry.weigh()
                self.size += entry.size
                return True
        return False

    def take(self, most: int, most_bytes: int) -> list[Entry]:
        """Moves up to ``most`` unsent entries into flight; none behind one that fills the bytes,
        but for the rest of the events of a frame.
        """
        self.flying = []
        while self.unsent and (
            (len(self.flying) < most and most_bytes > 0)
            or (self.flying and self.flying[-1].is_ahead)
        ):
            self.flying.append(self.unsent.popleft())
            most_bytes -= self.flying[-1].size
        if not self.unsent:
            self.flying_step, self.step = self.step, None
        return self.flying

    @property
    def depth(self) -> int:
        """Entries that Redis has yet to take."""
        return 0 if self.denied else len(self.unsent) + len(self.flying)

    @property
    def is_waiting(self) -> bool:
        """True while Redis has yet to take anything."""
        return self.depth > 0 or self.step is not None or self.flying_step is not None

    def writes(self, entries: list[Entry]) -> list[tuple[Entry, Kind]]:
        """Return what must still be written: after a reconnect one of two streams may have it."""
        return [
            (entry, kind)
            for entry in entries
            for kind in self.kinds
            if kind in entry.fields and entry.id > self.floors[kind]
        ]

    @property
    def is_of_frames(self) -> bool:
        """True when its entries are frames, which accounts count."""
        return self.kinds is FRAME_KINDS

    @property
    def is_of_events(self) -> bool:
        """True when its entries are events."""
        return self.kinds is EVENT_KINDS

    def land(self, done: list[Entry], refused: list[Entry], stepped: bool = True) -> None:
        """Ends the flight: Redis took ``done`` and never will take ``refused``; ``stepped``: and
        the step with them.
        """
        over = set(map(id, chain(done, refused)))
        self.unsent.extendleft(e for e in reversed(self.flying) if id(e) not in over)
        self.flying = []
        self._gather_step()
        if not stepped:
            self._precede(joined([*(entry.step for entry in done), self.flying_step]))
            self.flying_step = None
        self.kept.extend(done)
        self.taken = max((self.taken, *(entry.id for entry in done)))
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
        if self.flying_step is not None and self.kept:  # to be written again with what is kept
            self._set_step(self.kept[-1], joined((self.kept[-1].step, self.flying_step)))
        self.flying_step = None

    def deny(self, moved: bool = False) -> int:
        """Gives up all that it holds, as the camera is another's; returns the frames refused.

        The newest status message stays, to be told when the camera is this publisher's.

        Args:
            moved: that is as it should be, and nothing is lost.
        """
        held = [*self.flying, *self.unsent]
        last = held[-1:] if "status" in self.kinds else []
        self.step = self.flying_step = None
        fresh = [entry for entry in held if not entry.acked and entry not in last]
        for entry in fresh:
            entry.end_trace(LOST)
        self.refused += 0 if moved else len(fresh)
        self.lost += 0 if moved else len(fresh)
        self.kept, self.flying, self.unsent = deque(), [], deque(last)
        self.size = sum(entry.size for entry in last)
        self.denied = True
        return len(fresh)

    def sync(self, floors: Mapping[Kind, EntryId], epoch: int = -1) -> int:
        """Takes note of the streams' last IDs behind a new claim; returns the frames refused.

        Everything above them is to be sent again, whether it was taken before or not. On the
        first connection of all, what the streams already hold came from an earlier run, and the
        waiting entries are stamped above it.
        """
        main, lost_before = floors[self.kinds[-1]], self.lost
        held = [*self.kept, *self.flying, *self.unsent]
        if self.known:
            self.epoch, self.last = max(self.epoch, epoch), max(self.last, *floors.values())
            if self.denied:
                for entry in held:
                    entry.id = self._stamp(*entry.id)
        else:
            self.last = max(self.last if not held else _NONE, *floors.values())
            for entry in held:
                entry.id = self._stamp(*entry.id)
            self._raise_epochs(epoch, held)
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
        again = [entry for entry in missing if entry.acked]
        if again:
            self._set_step(again[-1], joined((again[-1].step, self.flying_step)))
        else:
            self._precede(self.flying_step)
        self.flying_step = None
        self.land(taken, refused)
        if self.recall is not None and self.recall.saved is not None:
            self.recall = None  # of a claim before
        self.known, self.synced, self.denied = True, True, False
        self.floors, self.taken, self.doubted = dict(floors), main, False
        return self.lost - lost_before

    def is_outdated(self, epoch: int) -> bool:
        """Return whether the newest epoch of its stream is that of a later publisher."""
        return self.is_of_frames and self.known and epoch > self.epoch

    def _foreign(self, floor: EntryId, held: list[Entry]) -> bool:
        """Return whether the stream's last entry is not ours."""
        if not held:
            return floor > self.last
        return floor >= held[0].id and all(entry.id != floor for entry in held)
