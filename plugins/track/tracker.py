"""The protocol of an algorithm of tracking."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from plugins.track.appearance import Looks
from plugins.track.options import TrackOptions
from plugins.track.outlook import Outlook

ALGORITHMS = {"bytetrack": "plugins.track.bytetrack.tracker:ByteTrack"}


class Tracked(NamedTuple):
    """Of the objects of one frame, in their order.

    Attributes:
        ids: (n,) int64, 1 or more; ``mirante.detections.UNTRACKED`` of an object without a track.
        still: (n,) bool, the object has not moved for ``still_s`` seconds.
    """

    ids: NDArray[np.int64]
    still: NDArray[np.bool_]


class Ahead(NamedTuple):
    """Where objects should be.

    Attributes:
        ids: (n,) int64, 1 or more.
        xyxy: (n, 4) float32, in pixels of the frame.
    """

    ids: NDArray[np.int64]
    xyxy: NDArray[np.float32]


class Unsettled(NamedTuple):
    """Tracks that were not in the last frame, or are not still yet.

    Attributes:
        xyxy: (n, 4) float32, where they should be, in pixels of the frame.
        stood_since_s: (n,) Unix time of capture since which each stands.
        missed_s: (n,) seconds of watching since each was last found.
    """

    xyxy: NDArray[np.float32]
    stood_since_s: NDArray[np.float64]
    missed_s: NDArray[np.float64]


class Tracker(Protocol):
    """Knows the objects of the frames before: a part of the camera's memory.

    Attributes:
        options: may be changed between two frames.
        unsettled: of the last frame; None before the first.
        outlook: how well it had expected what was found in the last frame.
    """

    options: TrackOptions
    unsettled: Unsettled | None
    outlook: Outlook

    def update(self, result: FrameResult, looks: Looks | None = None) -> Tracked:
        """Return which object is which.

        Args:
            result: of the next frame, not ``damaged``.
            looks: of its objects; None where nobody looks.
        """

    def rest(self, result: FrameResult) -> None:
        """Let the time pass up to a frame that nothing looked at: each object stays where it is.

        Args:
            result: of the next frame.
        """

    def ahead(self, result: FrameResult) -> Ahead:
        """Return where the objects of the last frame should be by now; nothing is learnt of that.

        Args:
            result: of a frame that nothing looked at.
        """

    def saved(self) -> bytes:
        """Return what a tracker of the same class continues from: at most 200 bytes a track."""
