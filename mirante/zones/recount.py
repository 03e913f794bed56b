"""Counts kept results again by other rules."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from mirante.terms import Box, Size
from mirante.wire.errors import UNREADABLE, WireError
from mirante.zones import ZoneCounts
from mirante.zones.counter import Counter
from mirante.zones.rules import Rules, Zone
from mirante.zones.scale import WHOLE, Edges


class _Object(msgspec.Struct):
    """The part of an object that counting reads; a message has more."""

    label: str
    score: float
    bbox: Box
    track_id: int = UNTRACKED
    still: bool = False


class _Message(msgspec.Struct):
    seq: int
    epoch: int
    ts: float
    size: Size
    objects: list[_Object]
    damaged: bool = False


_read = msgspec.json.Decoder(_Message)


def needs_masks(zone: Zone) -> bool:
    """Return whether a zone cannot be counted from boxes alone."""
    return bool(zone.mask) or zone.anchor == "mask"


class Recount:
    """Counts what the messages of a ``detections`` stream show. Masks are not read.

    Args:
        rules: zones and lines; those that need masks count nothing.
        area: the part of the whole image that the frames show.

    Attributes:
        frames: how many were counted.
        tracked: objects with a track that they showed, over all.
        first_s, last_s: capture times in Unix seconds; 0 before the first.
        counts: as of the newest; None before the first.
    """

    def __init__(self, rules: Rules, area: Edges = WHOLE) -> None:
        self._counter, self._area = Counter(), area
        self._counter.adopt(rules)
        self.frames = self.tracked = 0
        self.first_s = self.last_s = 0.0
        self.counts: ZoneCounts | None = None

    def take(self, messages: Iterable[bytes]) -> None:
        """Take messages in, in the order of the stream.

        Raises:
            WireError: one is not of format 1.
        """
        for data in messages:
            try:
                message = _read.decode(data)
            except UNREADABLE as error:
                raise WireError(f"not a message of format 1: {error}") from error
            result = _result(message)
            self.counts = self._counter.count(result, self._area).counts
            self.frames += 1
            self.tracked += len(result.detections)
            self.first_s, self.last_s = self.first_s or message.ts, message.ts


def _result(message: _Message) -> FrameResult:
    objects = [each for each in message.objects if each.track_id != UNTRACKED]
    labels = tuple(dict.fromkeys(each.label for each in objects))
    boxes = np.array([each.bbox for each in objects], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    detections = Detections(
        boxes,
        np.array([each.score for each in objects], np.float32),
        np.array([labels.index(each.label) for each in objects], np.int32),
        labels,
        np.array([each.track_id for each in objects], np.int64),
        still=np.array([each.still for each in objects], np.bool_),
    )
    return FrameResult(
        "",
        message.seq,
        message.epoch,
        round(message.ts * 1e6) * 1000,
        "arrival",
        *message.size,
        detections=detections,
        damaged=message.damaged,
    )
