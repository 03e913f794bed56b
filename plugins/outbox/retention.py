"""Limit how long results stay in Redis, and how much of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirante.keys import Kind
from plugins.outbox.lane import Lane

_MAX_MIB = {"detections": 32, "masks": 64, "events": 16, "images": 32, "tracks": 4}


@dataclass(frozen=True, slots=True)
class Retention:
    """The time for which each stream keeps its entries.

    By time (``MINID ~``) and not by number: the same seconds for a camera of 5 frames a second and
    one of 60, and memory follows the rate that the cameras really have. The horizon is the ID that
    was current that long ago, so a clock that steps cannot stop the trimming.

    Attributes:
        detections_s: seconds that detections stay.
        masks_s: seconds that masks stay; they are ten times as large.
        events_s: seconds that events stay.
        images_s: seconds that their images stay.
        tracks_s: seconds that trails stay, where tracked objects were.
        status_entries: state changes that stay, whatever their age (``MAXLEN ~``).
        forget_s: the keys of a camera that publishes nothing for so long are removed; its events,
            their images and the memory stay as long as an event does, if that is longer.
        max_mib: by kind, the memory that one camera's stream may take, whatever its age.
    """

    detections_s: float = 60.0
    masks_s: float = 20.0
    events_s: float = 604_800.0
    images_s: float = 604_800.0
    tracks_s: float = 600.0
    status_entries: int = 1000
    forget_s: float = 86_400.0
    max_mib: Mapping[str, int] = field(default_factory=_MAX_MIB.copy)

    @property
    def span_s(self) -> float:
        """The longest time for which frames stay."""
        return max(self.detections_s, self.masks_s)

    @property
    def events_span_s(self) -> float:
        """The longest time for which events or their images stay."""
        return max(self.events_s, self.images_s)

    def keep_s(self, kind: Kind) -> float:
        """The seconds for which entries of a kind stay."""
        by_kind = {
            "masks": self.masks_s,
            "events": self.events_s,
            "images": self.images_s,
            "tracks": self.tracks_s,
        }
        return by_kind.get(kind, self.detections_s)

    def lasting_s(self, kind: Kind) -> float:
        """The seconds for which the keys of a kind stay after they were last written."""
        is_of_events = kind in ("events", "images")
        return max(self.forget_s, self.events_span_s) if is_of_events else self.forget_s

    def trim(self, kind: Kind, lane: Lane, now_s: float) -> tuple[str, str]:
        """Return how XADD holds the stream to its bound: the strategy and its threshold."""
        if kind == "status":
            return "MAXLEN", str(self.status_entries)
        return "MINID", str(lane.horizon(self.keep_s(kind), now_s))
