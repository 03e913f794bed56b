"""The image of a clip: of the moment that shows its object best."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from mirante.clips import Cause
from mirante.wire.errors import UNREADABLE
from plugins.clips.kept import Published
from plugins.clips.shown import AHEAD_NS, REACH_NS, Decoder, Hiding, image_of
from plugins.clips.timeline import DEPTH, Placed
from plugins.events.quality import quality
from plugins.preview.jpeg import jpeg_of

JPEG_QUALITY = 85
_NEAR_NS = REACH_NS + AHEAD_NS  # results that blur an image are at most so far from it


class _Object(msgspec.Struct):
    score: float
    bbox: tuple[float, float, float, float]
    track_id: int | None = None


class _Message(msgspec.Struct):
    size: tuple[int, int]
    objects: list[_Object]
    damaged: bool = False


_read_message = msgspec.json.Decoder(_Message)


class _Worth(NamedTuple):
    """The worth of a moment: how well it shows the object, then how near it is to the event."""

    shown: float
    near_ns: int


class Snapshot:
    """Finds the best moment while a clip is written, and keeps the packets that make its image.

    That is where the event's object is largest and surest. Without an object, or where it is found
    in no frame of the clip, it is the moment of the event.

    Args:
        cause: the event, or the request.
        blur: classes that are made unrecognisable.

    Attributes:
        at_ns: Unix time in ns of the best moment so far.
    """

    def __init__(self, cause: Cause, blur: Sequence[str]) -> None:
        self.at_ns = self._asked_ns = round(cause.ts * 1e9)
        self._track, self._blur = cause.track_id, blur
        self._best = _Worth(0.0, 0)
        self._groups: deque[list[Placed]] = deque()  # of which results may still come
        self._shot: list[Placed] = []  # the group of the best moment among those before
        self._heard: deque[Published] = deque()
        self._around: list[Published] = []  # the results around the best moment

    def place(self, placed: Placed) -> None:
        """Take the next packet of the clip."""
        if placed.packet.is_key or not self._groups:
            self._groups.append([])
        self._groups[-1].append(placed)

    def hear(self, result: Published) -> None:
        """Take the next result, which may be of a moment outside of the clip."""
        if self._blur:
            self._heard.append(result)
            if abs(result.captured_ns - self.at_ns) < _NEAR_NS:
                self._around.append(result)

    def look(self, result: Published) -> None:
        """Take the next result of a moment of the clip whose packet was placed."""
        at_ns = result.captured_ns
        while self._heard and self._heard[0].captured_ns <= at_ns - _NEAR_NS:
            self._heard.popleft()
        is_gone = self._shot and at_ns < self._groups[0][0].packet.captured_ns
        if self._track is None or is_gone:
            return
        worth = _Worth(_shown(result, self._track), -abs(at_ns - self._asked_ns))
        if worth.shown and worth > self._best:
            self._best, self.at_ns = worth, at_ns
            self._around = [r for r in self._heard if abs(r.captured_ns - at_ns) < _NEAR_NS]

    def settle(self, until_ns: int) -> None:
        """Let go of packets of moments up to a time: no better result of theirs will come."""
        while len(self._groups) > 1 and self._groups[1][0].packet.captured_ns <= until_ns:
            self._keep(self._groups.popleft())

    def jpeg(self, decoder: Decoder, began_ns: int) -> bytes | None:
        """Return the image, as the camera shows it; None where there is none. It is the end.

        Args:
            decoder: decodes the packets; it is closed.
            began_ns: Unix time in ns of the clip's time 0.

        Raises:
            VideoError: it cannot be shown as configured.
        """
        while self._groups:
            self._keep(self._groups.popleft())
        hiding = Hiding(self._blur)
        hiding.know(self._around)
        pixels = image_of(decoder, self._until_shown(), hiding, began_ns, self.at_ns)
        if pixels is None:
            return None
        bgr = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
        return jpeg_of(np.asarray(bgr, np.uint8), JPEG_QUALITY)

    def _keep(self, group: list[Placed]) -> None:
        if not self._shot or group[0].packet.captured_ns <= self.at_ns:
            self._shot = group

    def _until_shown(self) -> list[Placed]:
        """Return the packets of the group that a decoder needs to show the moment."""
        later = 0
        for number, placed in enumerate(self._shot, 1):
            later += placed.packet.captured_ns > self.at_ns
            if later == DEPTH:
                return self._shot[:number]
        return self._shot


def _shown(result: Published, track: int) -> float:
    """Return how well a frame shows an object, in 0..1; 0 where it does not, or is damaged."""
    try:
        message = _read_message.decode(result.detections)
    except UNREADABLE:
        return 0.0
    found = [each for each in message.objects if each.track_id == track]
    if not found or message.damaged:
        return 0.0
    (width, height), (left, top, across, down) = message.size, found[0].bbox
    box = (left, top, left + across, top + down)
    return round(quality(found[0].score, box, width, height), 3)
