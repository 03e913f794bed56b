"""Objects and masks into a buffer's relation meta.

An object is an ``ODMtd`` of its class. Its track (``TrackingMtd``) and the labels of its attributes
(``ClsMtd``) are related to it; it contains its masks (``SegmentationMtd``) and key points, which
are ``ODMtd`` of one pixel: in GStreamer up to 1.26 nothing else has a place. The names of a mask's
planes are a ``ClsMtd`` that is related to it N to N.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstVideo
from numpy.typing import NDArray

from engines.placement import Size
from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from mirante.mask import Mask
from plugins.meta.library import Analytics, Relation, scale_of

KNOWN_TRACKS = 4096  # of which is known when they were first seen
_REGIONS = 255  # of a mask whose pixels are bytes


class Writer:
    """Writes frames of one line.

    A track is first seen where it is first written.
    """

    def __init__(self) -> None:
        self._first_seen: dict[int, int] = {}

    def write(
        self,
        meta: Any,
        result: FrameResult,
        found: Detections,
        masks: tuple[Mask, ...],
        size: Size,
        time_ns: int,
    ) -> None:
        """Add objects, and masks of the whole frame.

        Args:
            meta: the relation meta.
            result: of the frame, for its size.
            found: the objects, in pixels of the source frame.
            masks: the masks.
            size: width and height of the buffer's image, in whose pixels places are written.
            time_ns: of the buffer.
        """
        across, down = scale_of(result, size)
        scale = np.array([across, down], np.float32)
        labels = [GLib.quark_from_string(label) for label in found.labels]
        edges = np.rint(found.xyxy / np.tile(scale, 2)).astype(int).tolist()
        for i in range(len(found)):
            box = _add_box(meta, found, i, labels[found.class_id[i]], edges[i], scale)
            if found.track_id is not None and found.track_id[i] != UNTRACKED:
                self._add_track(meta, box, int(found.track_id[i]), time_ns)
            for attribute in found.attributes_of(i).values():
                _, named = meta.add_one_cls_mtd(
                    attribute.score, GLib.quark_from_string(attribute.label)
                )
                meta.set_relation(Relation.RELATE_TO, box.id, named.id)
            for name, (x, y, score) in found.keypoints_of(i).items():
                place = round(float(x / across)), round(float(y / down))
                _, point = meta.add_od_mtd(GLib.quark_from_string(name), *place, 1, 1, float(score))
                _contain(meta, box, point)
            for mask in found.masks_of(i):
                _add_mask(meta, mask, scale, box)
        for mask in masks:
            _add_mask(meta, mask, scale, None)

    def _add_track(self, meta: Any, box: Any, track: int, time_ns: int) -> None:
        first = self._first_seen.setdefault(track, time_ns)
        if len(self._first_seen) > KNOWN_TRACKS:
            del self._first_seen[next(iter(self._first_seen))]
        _, seen = meta.add_tracking_mtd(track % (1 << 64), first)  # of no sign
        seen.update_last_seen(time_ns)
        meta.set_relation(Relation.RELATE_TO, box.id, seen.id)


def _contain(meta: Any, whole: Any, part: Any) -> None:
    meta.set_relation(Relation.CONTAIN, whole.id, part.id)
    meta.set_relation(Relation.IS_PART_OF, part.id, whole.id)


def _add_box(
    meta: Any,
    found: Detections,
    i: int,
    label: int,
    edges: list[int],
    scale: NDArray[np.float32],
) -> Any:
    """Add an object; one with a rotated box as such, where GStreamer has those (1.26)."""
    score = float(found.score[i])
    rotated = None if found.rotated is None else found.rotated[i]
    if rotated is not None and rotated.any() and hasattr(meta, "add_oriented_od_mtd"):
        centre, sides = rotated[:2] / scale, rotated[2:4] / scale
        corner = np.rint(centre - sides / 2).astype(int).tolist()
        width, height = np.rint(sides).astype(int).tolist()
        _, box = meta.add_oriented_od_mtd(label, *corner, width, height, float(rotated[4]), score)
        return box
    left, top, right, bottom = edges
    _, box = meta.add_od_mtd(label, left, top, right - left, bottom - top, score)
    return box


def _add_mask(meta: Any, mask: Mask, scale: NDArray[np.float32], owner: Any) -> None:
    """Add a mask at its own resolution; none before GStreamer 1.26, the first to have any."""
    if not hasattr(meta, "add_segmentation_mtd"):
        return
    left, top, right, bottom = np.rint(np.array(mask.xyxy) / np.tile(scale, 2)).astype(int).tolist()
    kind = Analytics.SegmentationType
    kind = kind.SEMANTIC if owner is None else kind.INSTANCE
    for labels, regions in _regions(mask):
        pixels = Gst.Buffer.new_wrapped(_padded(regions))
        GstVideo.buffer_add_video_meta(
            pixels,
            GstVideo.VideoFrameFlags.NONE,
            GstVideo.VideoFormat.GRAY8,
            mask.width,
            mask.height,
        )
        ids = list(range(1, len(labels) + 1))
        place = left, top, right - left, bottom - top
        _, area = meta.add_segmentation_mtd(pixels, kind, ids, *place)
        quarks = [GLib.quark_from_string(label) for label in labels]
        _, names = meta.add_cls_mtd([1.0] * len(labels), quarks)
        meta.set_relation(Relation.N_TO_N, area.id, names.id)
        if owner is not None:
            _contain(meta, owner, area)


def _regions(mask: Mask) -> Iterator[tuple[tuple[str, ...], NDArray[np.uint8]]]:
    """Yield images of a mask, (height, width) with plane ``i`` as ``i + 1`` and 0 elsewhere: one
    of all planes, or one of each if a pixel is in several.
    """
    planes = mask.planes
    if len(planes) <= _REGIONS and planes.sum(axis=0).max() <= 1:
        numbers = np.arange(1, len(planes) + 1, dtype=np.uint8)[:, None, None]
        yield mask.labels, (planes * numbers).sum(axis=0, dtype=np.uint8)
        return
    for label, plane in zip(mask.labels, planes, strict=True):
        yield (label,), plane.astype(np.uint8)


def _padded(image: NDArray[np.uint8]) -> bytes:
    """Return the rows of an image as GStreamer keeps grey: each of a multiple of four bytes."""
    return np.pad(image, ((0, 0), (0, -image.shape[1] % 4))).tobytes()
