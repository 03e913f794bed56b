"""Keeps the relation meta of a line's buffers as what is known of their frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from engines.placement import Size
from mirante.detections import Detections
from mirante.frame import FrameResult
from mirante.mask import Mask
from plugins.meta.library import Analytics, length_of, meta_of
from plugins.meta.read import Found, read
from plugins.meta.write import Writer

FRAMES = 256  # that may be between two elements: a queue holds 200


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a buffer's meta says of a frame.

    Attributes:
        own: the ids of the entries that stand for ``found`` and ``masks``.
    """

    found: Detections
    masks: tuple[Mask, ...]
    own: range


class Mirror:
    """What the elements of a line have written to the buffers of its frames.

    An entry cannot be taken out of a relation meta, so one that says something else than what is
    known now is replaced as a whole. What others have written is kept: as they wrote it until then,
    and as ``mirmeta`` would read it from then on.
    """

    def __init__(self) -> None:
        self._shown: dict[int, _Shown] = {}
        self._writer = Writer()

    def show(self, buffer: Gst.Buffer, key: int, result: FrameResult, size: Size) -> None:
        """Write what is known of a frame to its buffer, which must be writable.

        Args:
            buffer: of the frame.
            key: of the frame in the ledger.
            result: what is known.
            size: width and height of the buffer's image.
        """
        found, masks = result.detections, result.masks
        shown = self._shown.get(key)
        before = (shown.found, shown.masks) if shown is not None else (None, ())
        if before == (found, masks) or (shown is None and not found and not masks):
            return
        others = _cleared(buffer, shown, result, size)
        meta = Analytics.buffer_add_analytics_relation_meta(buffer)
        for each in others:
            self._writer.write(meta, result, *each, size, buffer.pts)
        start = length_of(meta)
        self._writer.write(meta, result, found, masks, size, buffer.pts)
        self._note(key, _Shown(found, masks, range(start, length_of(meta))))

    def read(self, buffer: Gst.Buffer, key: int, result: FrameResult, size: Size) -> FrameResult:
        """Return what is known of a frame, with what others have written to its buffer.

        Args:
            buffer: of the frame.
            key: of the frame in the ledger.
            result: what is known.
            size: width and height of the buffer's image.

        Raises:
            ValueError: as ``plugins.meta.read.read``.
        """
        if (meta := meta_of(buffer)) is None:
            return result
        found, masks = read(meta, result, size, _own(self._shown.get(key), meta))
        found, masks = result.detections.merge(found), result.masks + masks
        self._note(key, _Shown(found, masks, range(length_of(meta))))
        return replace(result, detections=found, masks=masks)

    def forget(self, key: int) -> None:
        """Forget what an earlier frame of this key was written with."""
        self._shown.pop(key, None)

    def _note(self, key: int, shown: _Shown) -> None:
        self.forget(key)
        self._shown[key] = shown
        if len(self._shown) > FRAMES:
            del self._shown[next(iter(self._shown))]


def _own(shown: _Shown | None, meta: Any) -> range:
    """Return the ids of our entries; none where another element has put its meta in ours' place."""
    return shown.own if shown is not None and shown.own.stop <= length_of(meta) else range(0)


def _cleared(
    buffer: Gst.Buffer, shown: _Shown | None, result: FrameResult, size: Size
) -> list[Found]:
    """Take the meta off a buffer if it says something of ours; return what others say in it."""
    meta = meta_of(buffer)
    if meta is None or not (own := _own(shown, meta)):
        return []
    others = [read(meta, result, size, own)] if len(own) < length_of(meta) else []
    buffer.remove_meta(buffer.get_meta(Analytics.relation_meta_api_get_type()))
    return others
