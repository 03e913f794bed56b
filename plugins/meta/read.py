"""A buffer's relation meta into objects and masks: see ``plugins.meta.write`` for how they lie."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any, NamedTuple

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstVideo
from numpy.typing import NDArray

from engines.placement import Size
from mirante.detections import UNTRACKED, Attribute, Detections
from mirante.frame import FrameResult
from mirante.keypoints import Pose, Skeleton
from mirante.mask import Mask
from mirante.rotated import within_half_turn
from plugins.meta.library import Analytics, Relation, length_of, scale_of

MODEL = "mirmeta"  # in the place of the model that made a mask, which nobody names
UNNAMED = "object"  # the class of an object whose class nobody names
_FORMATS = {GstVideo.VideoFormat.GRAY8: "u1", GstVideo.VideoFormat.GRAY16_LE: "<u2"}
Found = tuple[Detections, tuple[Mask, ...]]


def read(meta: Any, result: FrameResult, size: Size, without: Container[int] = ()) -> Found:
    """Return objects, and masks of the whole frame, in pixels of the source frame.

    Of several tracks or boxes of key points that are related to one object, the first counts.

    Args:
        meta: the relation meta.
        result: of the frame, for its size.
        size: width and height of the buffer's image.
        without: the ids of entries that are not read.

    Raises:
        ValueError: a score that is not in 0..1, a negative size, an angle that is none, or a mask
            in a format that is not grey.
    """
    return _Reader(meta, without).read(np.array(scale_of(result, size), np.float32))


class _Entry(NamedTuple):
    """An entry of a type; asking itself for its id takes long."""

    id: int
    of: Any


class _Reader:
    """The entries of a relation meta, by type."""

    def __init__(self, meta: Any, without: Container[int]) -> None:
        self._meta = meta
        typed: dict[int, list[Any]] = {}
        for place in range(length_of(meta)):
            if place not in without:
                kind = meta.get_mtd(place, Analytics.MTD_TYPE_ANY)[1].get_mtd_type()
                typed.setdefault(kind, []).append(place)

        def entries(kind: int, get: Any) -> list[_Entry]:
            return [_Entry(place, get(place)[1]) for place in typed.get(kind, ())]

        boxes = entries(Analytics.od_mtd_get_mtd_type(), meta.get_od_mtd)
        self._tracks = entries(Analytics.tracking_mtd_get_mtd_type(), meta.get_tracking_mtd)
        self._classes = entries(Analytics.cls_mtd_get_mtd_type(), meta.get_cls_mtd)
        self._areas = (
            entries(Analytics.segmentation_mtd_get_mtd_type(), meta.get_segmentation_mtd)
            if hasattr(meta, "get_segmentation_mtd")
            else []
        )
        of_areas = [self._nearest(area, self._classes) for area in self._areas]
        self._names = [None if i is None else self._classes[i].of for i in of_areas]
        self._classes = [each for i, each in enumerate(self._classes) if i not in of_areas]
        places = [box.of.get_location()[1:] for box in boxes]
        small = [max(place[2:4]) <= 1 for place in places]
        whole = [box for box, is_small in zip(boxes, small, strict=True) if not is_small]
        # A small one that is part of nothing is an object all the same.
        part = [
            is_small and self._nearest(box, whole) is not None
            for box, is_small in zip(boxes, small, strict=True)
        ]
        placed = list(zip(boxes, places, part, strict=True))
        self._boxes = [box for box, _, is_part in placed if not is_part]
        self._places = [place for _, place, is_part in placed if not is_part]
        self._points = [(box, place) for box, place, is_part in placed if is_part]

    def read(self, scale: NDArray[np.float32]) -> Found:
        """Return what there is; ``scale`` is pixels of the source frame per pixel here, (2,)."""
        names = [GLib.quark_to_string(box.of.get_obj_type()) or UNNAMED for box in self._boxes]
        labels = tuple(dict.fromkeys(names))
        found = Detections(
            self._edges(names, scale),
            np.array(self._scores(names), np.float32),
            np.array([labels.index(name) for name in names], np.int32),
            labels,
            track_id=self._track_ids(),
            rotated=self._rotated(scale),
        )
        attributes = {i: self._attributes(box) for i, box in enumerate(self._boxes)}
        found = found.with_attributes({i: named for i, named in attributes.items() if named})
        found = found.with_keypoints(self._poses(found, scale))
        named = zip(self._areas, self._names, strict=True)
        masks = [each for area, names in named for each in self._masks(area, names, scale)]
        owned = [(owner, mask) for owner, mask in masks if owner is not None]
        return found.with_masks(owned), tuple(mask for owner, mask in masks if owner is None)

    def _related(self, entry: _Entry, others: Iterable[_Entry]) -> list[int]:
        """Return which of some entries have a relation with one, whichever way."""
        return [i for i, other in enumerate(others) if self._are_related(entry, other)]

    def _nearest(self, entry: _Entry, others: Sequence[_Entry]) -> int | None:
        """Return which of some entries has a relation with one that has no more than one: who
        writes them writes them one after the other, and asking for a relation takes long.
        """
        near = sorted(range(len(others)), key=lambda i: abs(others[i].id - entry.id))
        return next((i for i in near if self._are_related(entry, others[i])), None)

    def _are_related(self, one: _Entry, other: _Entry) -> bool:
        get, none = self._meta.get_relation, Relation.NONE
        return bool(get(one.id, other.id) != none or get(other.id, one.id) != none)

    def _edges(self, names: list[str], scale: NDArray[np.float32]) -> NDArray[np.float32]:
        for (_, _, width, height, _), name in zip(self._places, names, strict=True):
            if min(width, height) < 0:
                raise ValueError(
                    f"relation meta: object {name} is {width} x {height}; expected 0 or more"
                )
        places = np.array(self._places, np.float32).reshape(-1, 5)[:, :4]
        places[:, 2:] += places[:, :2]
        return places * np.tile(scale, 2)

    def _scores(self, names: list[str]) -> list[float]:
        placed = zip(self._places, names, strict=True)
        return [_checked(place[4], f"object {name}") for place, name in placed]

    def _track_ids(self) -> NDArray[np.int64] | None:
        if not self._tracks:
            return None
        ids = np.full(len(self._boxes), UNTRACKED, np.int64)
        for track in reversed(self._tracks):
            if (i := self._nearest(track, self._boxes)) is not None:
                # Any number of 64 bits; the upper half of them is negative here.
                ids[i] = np.uint64(track.of.get_info().tracking_id).astype(np.int64)
        return ids

    def _rotated(self, scale: NDArray[np.float32]) -> NDArray[np.float32] | None:
        rows = np.zeros((len(self._boxes), 5), np.float32)
        for row, box in zip(rows, self._boxes, strict=True):
            if hasattr(box.of, "get_oriented_location"):
                _, left, top, width, height, angle, _ = box.of.get_oriented_location()
                if not isfinite(angle):
                    raise ValueError(
                        f"relation meta: a box is turned by {angle:g}; expected radians"
                    )
                if angle:
                    sides = np.array([width, height])
                    row[:2], row[2:4] = ([left, top] + sides / 2) * scale, sides * scale
                    row[4] = angle
        rows[:, 4] = within_half_turn(rows[:, 4])
        return rows if rows.any() else None

    def _attributes(self, box: _Entry) -> dict[str, Attribute]:
        """Return the best class of each classification of an object: class, class-2, …"""
        found: dict[str, Attribute] = {}
        for each in [self._classes[place].of for place in self._related(box, self._classes)]:
            levels = [each.get_level(place) for place in range(each.get_length())]
            if not levels:
                continue
            best = int(np.argmax(levels))
            label = GLib.quark_to_string(each.get_quark(best)) or UNNAMED
            name = f"class-{len(found) + 1}" if found else "class"
            found[name] = Attribute(label, _checked(levels[best], f"class {label}"))
        return found

    def _poses(self, found: Detections, scale: NDArray[np.float32]) -> dict[int, Pose]:
        """Return key points by object; those of a class have the names of all that it has here."""
        named: dict[int, dict[str, list[float]]] = {}
        for point, (x, y, _, _, score) in self._points:
            i = self._nearest(point, self._boxes)
            assert i is not None
            name = GLib.quark_to_string(point.of.get_obj_type()) or UNNAMED
            place = [x * float(scale[0]), y * float(scale[1]), _checked(score, name)]
            named.setdefault(i, {})[name] = place
        poses = {}
        for i, points in named.items():
            same = [other for j, other in named.items() if found.class_id[j] == found.class_id[i]]
            names = tuple(dict.fromkeys(name for other in same for name in other))
            rows = [points.get(name, [0.0, 0.0, 0.0]) for name in names]
            poses[i] = Pose(np.array(rows, np.float32), Skeleton(names))
        return poses

    def _masks(
        self, area: _Entry, names: Any, scale: NDArray[np.float32]
    ) -> Iterator[tuple[int | None, Mask]]:
        """Yield the masks of one segmentation, each with the index of its object or None.

        If as many objects as it has regions are related to it, region ``i`` is object ``i``'s.
        """
        ids = [area.of.get_region_id(i) for i in range(area.of.get_region_count())]
        if not ids:
            return
        labels = ["" if names is None else _label(names, i) for i in range(len(ids))]
        labels = [label or f"region-{each}" for label, each in zip(labels, ids, strict=True)]
        _, left, top, width, height = area.of.get_mask()
        edges = np.array([left, top, left + width, top + height]) * np.tile(scale, 2)
        planes = _image(area.of) == np.array(ids)[:, None, None]
        if len(ids) == 1:
            only = self._nearest(area, self._boxes)
            owners = [] if only is None else [only]
        else:
            owners = self._related(area, self._boxes)
        parts: list[tuple[int | None, slice]]
        if len(owners) == len(ids) > 1:
            parts = [(i, slice(n, n + 1)) for n, i in enumerate(owners)]
        else:
            parts = [(owners[0] if len(owners) == 1 else None, slice(None))]
        for owner, part in parts:
            shape = tuple(labels[part]), planes[part], tuple(edges.tolist())
            yield owner, Mask.from_planes(*shape, model=MODEL)


def _checked(score: float, what: str) -> float:
    if not 0 <= score <= 1:
        raise ValueError(f"relation meta: {what} has confidence {score:g}; expected 0..1")
    return float(score)


def _label(classes: Any, place: int) -> str:
    """Return the name of a region; empty without one."""
    if place >= classes.get_length():
        return ""
    return GLib.quark_to_string(classes.get_quark(place)) or ""


def _image(area: Any) -> NDArray[Any]:
    """Return the (height, width) numbers of regions of a segmentation."""
    buffer = area.get_mask()[0]
    video = GstVideo.buffer_get_video_meta(buffer)
    if video is None or video.format not in _FORMATS:
        form = "no video meta" if video is None else video.format.value_nick
        raise ValueError(f"relation meta: a mask has {form}; expected GRAY8 or GRAY16_LE")
    kind = np.dtype(_FORMATS[video.format])
    with buffer.map(Gst.MapFlags.READ) as mapped:
        shape, strides = (video.height, video.width), (video.stride[0], kind.itemsize)
        return np.ndarray(shape, kind, mapped.data, video.offset[0], strides).copy()
