"""Limit how long results stay in Redis, and how much of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirante.keys import Kind
from plugins.outbox.lane import Lane

_MAX_MIB = {"detections": 32, "masks": 64}


@dataclass(frozen=True, slots=True)
class Retention:
    """The time for which each stream keeps its entries.

    By time (``MINID ~``) and not by number: the same seconds for a camera of 5 frames a second and
    one of 60, and memory follows the rate that the cameras really have. The horizon is the ID that
    was current that long ago, so a clock that steps cannot stop the trimming.

    Attributes:
        detections_s: seconds that detections stay.
        masks_s: seconds that masks stay; they are ten times as large.
        status_entries: state changes that stay, whatever their age (``MAXLEN ~``).
        forget_s: the keys of a camera that publishes nothing for so long are removed.
        max_mib: by kind, the memory that one camera's stream may take, whatever its age.
    """

    detections_s: float = 60.0
    masks_s: float = 20.0
    status_entries: int = 1000
    forget_s: float = 86_400.0
    max_mib: Mapping[str, int] = field(default_factory=_MAX_MIB.copy)

    @property
    def span_s(self) -> float:
        """The longest time for which frames stay."""
        return max(self.detections_s, self.masks_s)

    def keep_s(self, kind: Kind) -> float:
        """The seconds for which entries of a kind stay."""
        return self.masks_s if kind == "masks" else self.detections_s

    def trim(self, kind: Kind, lane: Lane, now_s: float) -> tuple[str, str]:
        """Return how XADD holds the stream to its bound: the strategy and its threshold."""
        if kind == "status":
            return "MAXLEN", str(self.status_entries)
        return "MINID", str(lane.horizon(self.keep_s(kind), now_s))
