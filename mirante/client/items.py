"""The items that a subscription yields, and how loss is reported."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mirante.events import Event
from mirante.frame import FrameResult
from mirante.status import Status


@dataclass(frozen=True, slots=True)
class Frame(FrameResult):
    """A ``FrameResult`` as it was received.

    Attributes:
        entry_id: its ID in the stream, ``<ms>-<seq>``; ``since=frame.entry_id`` resumes there.
        sent: Unix seconds at which the publisher handed it to Redis.
        received: Unix seconds at which this consumer had read it.
        lost_before: frames published between the one before and this one that this consumer (or
            its group) will never see; None when there are some but nothing tells how many.
        masks_lost: masks of this frame that were asked for and had already been trimmed.
    """

    entry_id: str = ""
    sent: float = 0.0
    received: float = 0.0
    lost_before: int | None = 0
    masks_lost: int = 0

    @property
    def captured(self) -> float:
        """Unix seconds of capture."""
        return self.captured_ns / 1e9

    @property
    def latency_s(self) -> float:
        """Seconds from capture until this consumer had read it, by both machines' clocks."""
        return self.received - self.captured


class ReceivedEvent(Event, frozen=True, kw_only=True):
    """An ``Event`` as it was received.

    Attributes:
        entry_id: its ID in the stream, ``<ms>-<seq>``, and that of its image in ``images``;
            ``since=event.entry_id`` resumes there.
        sent: Unix seconds at which the publisher handed it to Redis.
        received: Unix seconds at which this consumer had read it.
    """

    entry_id: str = ""
    sent: float = 0.0
    received: float = 0.0


Item = Frame | ReceivedEvent | Status
"""Any item that a subscription yields."""
FRAME_FIELDS = tuple(field.name for field in fields(FrameResult))
EVENT_FIELDS = Event.__struct_fields__


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames that were published and that this consumer (or its group) will never see.

    Attributes:
        camera: whose.
        frames: how many; None when there are some but nothing tells how many.
        before: ID of the first entry behind the gap, or ``""`` when the lost entries had been
            delivered to a consumer that died, and were trimmed before another took them over.
        reason: in words.
    """

    camera: str
    frames: int | None
    before: str
    reason: str
