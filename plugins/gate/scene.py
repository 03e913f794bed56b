"""The frame as the gate sees it: small, grey, as shown, and without what is painted black."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mirante.detections import Detections
from mirante.frame import FrameResult
from plugins.blackout.zones import Blackout, Zone
from plugins.colour.thermal import Window
from plugins.gate.areas import Box
from plugins.gate.gate import STILL, TRACKED
from plugins.gate.motion import Rows, Thumb, thumb_of
from plugins.shown import Shown
from plugins.track.tracker import Ahead


class Scene(Shown):
    """The view of one camera.

    Args:
        zones: as of ``Shown``.

    Attributes:
        window: the part of 16-bit grey that is shown; None for video of other kinds.
    """

    def __init__(self, zones: list[Zone]) -> None:
        super().__init__(zones)
        self.window: Window | None = None
        self._blackout = Blackout(zones)

    def thumb(
        self,
        luma: NDArray[np.uint8] | NDArray[np.uint16],
        bits: int = 8,
        shares: Rows | None = None,
    ) -> Thumb:
        """Return a frame as it is shown, small; arguments as of ``thumb_of``."""
        thumb = np.ascontiguousarray(self.shown(thumb_of(luma, bits, self.window, shares)))
        self._blackout.apply(thumb, self.area)
        return thumb


def moving_in(result: FrameResult | None) -> list[Box]:
    """Return where a frame shows objects that are not still, in 0..1."""
    if result is None or not len(result.detections):
        return []
    boxes = result.detections.xyxy / (result.width, result.height, result.width, result.height)
    still = result.detections.still
    return [*map(tuple, (boxes if still is None else boxes[~still]).tolist())]


def carried(result: FrameResult, before: FrameResult | None) -> FrameResult:
    """Return the result of a frame in which nothing moves: what was found before is still there.

    Args:
        result: of the frame.
        before: of the last frame that models looked at.
    """
    if before is None:
        return replace(result, skipped=STILL)
    found: Detections = before.detections
    still = replace(found, still=np.ones(len(found), np.bool_))
    return replace(result, skipped=STILL, detections=still, masks=before.masks, lanes=before.lanes)


def predicted(result: FrameResult, before: FrameResult, ahead: Ahead) -> FrameResult:
    """Return the result of a frame whose objects move as expected. They keep class, score and
    attributes; masks, key points and angles, of which nobody knows how they move, are left out.

    Args:
        result: of the frame.
        before: of the last frame that models looked at.
        ahead: where its objects should be by now.
    """
    found = before.detections
    ids = [] if found.track_id is None else found.track_id.tolist()
    rows = {each: row for row, each in enumerate(ids)}
    there = [place for place, each in enumerate(ahead.ids.tolist()) if each in rows]
    kept = found.select(np.array([rows[ahead.ids[place].item()] for place in there], np.intp))
    moved = replace(
        kept,
        xyxy=ahead.xyxy[there],
        masks=(),
        keypoints=None,
        skeletons={},
        rotated=None,
        embeddings=(),
    )
    return replace(result, skipped=TRACKED, detections=moved, zones=before.zones)
