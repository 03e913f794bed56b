"""Carry events, images, memory, counts and trails of a camera's stages to Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from mirante.counts import Digits, Series
from mirante.events import Event
from mirante.frame import FrameResult
from plugins.ledger import Ledger
from plugins.memory import Memory
from plugins.trails import Trails

if TYPE_CHECKING:
    from plugins.outbox.outbox import Outbox

STEP_S = 1.0  # between two steps without an event: what a killed worker forgets
QUIET_S = 20.0  # … of a camera whose frames change nothing in the memory
IMAGES = 64  # that wait for their event

log = logging.getLogger(__name__)


class Tally(Protocol):
    """Counts over time."""

    @property
    def totals(self) -> Mapping[Series, int]:
        """Return objects counted by this worker so far, by series."""

    def count(self, events: Sequence[Event]) -> None:
        """Count events, each once."""

    def take(self) -> list[Digits]:
        """Return what has to be written since the last call."""


class Carriage:
    """Events with their images, the memory and the counts of one line.

    They go in steps: the events of a frame, and what the stages know once they have seen it. Frames
    come one after the other and all but ``rest`` and ``tell`` is called on their thread, so what is
    saved at the end of one is of that frame and of no later one.

    Args:
        ledger: the account of the line, which has the events of frames that were dropped.
        memory: what the stages know.

    Attributes:
        outbox: the way to Redis; None before there is one.
        tally: counts what is carried, a part of the memory; None where nothing is counted.
        carried: number of events so far, by kind.
        is_leaving: another worker is about to go on from here: the memory goes with each frame.
    """

    def __init__(self, ledger: Ledger, memory: Memory) -> None:
        self.outbox: Outbox | None = None
        self.tally: Tally | None = None
        self.carried: Counter[str] = Counter()
        self.is_leaving = False
        self._ledger = ledger
        self._memory = memory
        self._lock = threading.Lock()
        self._trails = Trails()
        self._told: list[Event] = []
        self._images: dict[str, bytes] = {}
        self._carried_s = float("-inf")
        self._captured_ms = 0

    def add_image(self, event_id: str, jpeg: bytes) -> None:
        """Give the image of an event of the frame that a stage works on."""
        self._images[event_id] = jpeg
        while len(self._images) > IMAGES:
            del self._images[next(iter(self._images))]

    def late(self) -> tuple[Event, ...]:
        """Return the events of frames that were not published, once: whoever takes them hands them
        on with the frame at hand.
        """
        return self._ledger.take_events()

    def show(self, with_image: Callable[[Event], Event]) -> None:
        """Let events without a frame, which wait for one, have an image of the one at hand."""
        if self._told:
            with self._lock:
                self._told = [with_image(event) for event in self._told]

    def tell(self, change: Callable[[], Event | None]) -> None:
        """Change a part of the memory from another thread, and tell of it with the next step.

        Args:
            change: makes the change and returns its event, if there is one.
        """
        with self._lock:
            if (event := change()) is not None:
                self._told.append(event)
            self._carried_s = float("-inf")

    def published(self, result: FrameResult) -> None:
        """Carry the events of a frame that is published, or the memory when it is time; and the
        trail that it completes.
        """
        self._captured_ms = result.captured_ns // 1_000_000
        if self.outbox is not None and (trail := self._trails.add(result)) is not None:
            self.outbox.trail(self._ledger.camera, trail)
        self._carry(result.events)

    def dropped(self) -> None:
        """Carry what waits while frame after frame is dropped, when it is time."""
        if self.outbox is not None and self._is_due():
            self._carry(self._ledger.take_events())

    def rest(self) -> None:
        """Carry everything, unless a frame is in a stage, which takes it along."""
        if self.outbox is not None and not self._ledger.busy_s():
            self._carried_s = float("-inf")
            if (trail := self._trails.take()) is not None:
                self.outbox.trail(self._ledger.camera, trail)
            self._carry(self._ledger.take_events())

    def _is_due(self) -> bool:
        if self.is_leaving:
            return True
        pause_s = STEP_S if self._memory.is_moving else QUIET_S
        return time.monotonic() - self._carried_s >= pause_s

    def _carry(self, events: Sequence[Event]) -> None:
        if self.outbox is None or not (events or self._memory.is_used):
            return
        if not events and not self._is_due():
            return
        with self._lock:
            events, self._told = (*self._told, *events), []
            self.carried.update(event.kind for event in events)
            if self.tally is not None:
                self.tally.count(events)
            try:
                saved = self._memory.saved() or None
            except Exception:
                log.exception("camera %s: its memory cannot be saved", self._ledger.camera)
                saved = None
            self._carried_s = time.monotonic()
            counts = [] if self.tally is None else self.tally.take()
        pairs = ((each.id, self._images.pop(each.id, b"")) for each in events)
        images = {event_id: jpeg for event_id, jpeg in pairs if jpeg}
        newest_ms = round(max((each.ts for each in events), default=0.0) * 1000)
        at_ms = self._captured_ms or newest_ms or time.time_ns() // 1_000_000
        self.outbox.events(self._ledger.camera, at_ms, events, images, saved, counts)
