"""``FrameResult`` to the fields of its Redis entries and back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from mirante.detections import UNTRACKED, Attribute, Attributes, Detections
from mirante.frame import Counts, FrameResult
from mirante.keypoints import Skeleton, keypoints_of
from mirante.mask import Mask
from mirante.rotated import Rotated, within_half_turn
from mirante.shapes import ShapeError
from mirante.terms import VERSION
from mirante.wire.errors import UNREADABLE, WireError
from mirante.wire.lanes import decode_lanes, encode_lanes
from mirante.wire.masks import check_parts, decode_mask, encode_mask
from mirante.wire.messages import (
    AttributeOf,
    DetectionsMessage,
    Head,
    MaskEncoding,
    MasksMessage,
    Object,
    SkeletonOf,
)
from mirante.wire.regions import decode_regions, encode_regions
from mirante.wire.vectors import encode_vectors, with_vectors
from mirante.zones import ZoneCounts

M = TypeVar("M")
MAX_FRAME_PX = 1 << 28  # 16,384 x 16,384
MAX_KEYPOINTS = 1 << 20  # of all objects of a frame, each with room for as many as one has


class _Announced(msgspec.Struct):
    masks: int = 0


_read_announced = msgspec.json.Decoder(_Announced)
_write = msgspec.json.Encoder()
_read_detections = msgspec.json.Decoder(DetectionsMessage)
_read_masks = msgspec.json.Decoder(MasksMessage)


class Encoded(NamedTuple):
    """One frame, ready for Redis.

    Attributes:
        detections: fields of the ``detections`` entry: ``json``, and ``e0``, ``e1``, … with the
            embeddings that are published.
        masks: fields of the ``masks`` entry: ``json``, ``m0``, ``m1``, …; None when the frame has
            no mask, and then there is no such entry.
    """

    detections: dict[str, bytes]
    masks: dict[str, bytes] | None


def encode(result: FrameResult, mask_encoding: MaskEncoding = "bits") -> Encoded:
    """Write a frame. Boxes keep 0.01 px, scores 4 decimals, times 1 µs.

    ``timings`` gain ``encode``: the milliseconds up to writing the JSON. The index by which a mask
    names its object is made here.

    Raises:
        WireError: a box, score, key point, vector or region is not finite, a mask is too large, or
            one of the frame's masks carries the index of an object.
    """
    started_ns = time.perf_counter_ns()
    head, counted = _head(result), result.zones
    coded = [encode_mask(mask, i, mask_encoding) for i, mask in enumerate(_masks(result))]
    check_parts([part for part, _ in coded])
    objects = _objects(result.detections)
    vectors = encode_vectors(result.detections, result.published)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    timings = {stage: round(ms, 3) for stage, ms in result.timings.items()}
    message = DetectionsMessage(
        **head,
        skipped=result.skipped or msgspec.UNSET,
        looked=result.looked or msgspec.UNSET,
        regions=encode_regions(result.regions) or msgspec.UNSET,
        objects=objects,
        skeletons=_skeletons(result.detections, objects) or msgspec.UNSET,
        masks=len(coded),
        embeddings=[part for part, _ in vectors] or msgspec.UNSET,
        lanes=msgspec.UNSET if result.lanes is None else encode_lanes(result.lanes),
        zones=dict(counted.zones) if counted and counted.zones else msgspec.UNSET,
        lines=dict(counted.lines) if counted and counted.lines else msgspec.UNSET,
        timings={**timings, "encode": round(elapsed_ms, 3)},
        counts=result.counts,
    )
    masks = None
    if coded:
        listing = MasksMessage(**head, masks=[part for part, _ in coded])
        masks = {"json": _write.encode(listing), **{part.field: data for part, data in coded}}
    binary = {part.field: data for part, data in vectors}
    return Encoded({"json": _write.encode(message), **binary}, masks)


def decode(
    detections: bytes | None,
    masks: Mapping[str, bytes] | None = None,
    vectors: Mapping[str, bytes] | None = None,
) -> FrameResult:
    """Read a frame. A mask that names an object is put onto it.

    Args:
        detections: the field ``json`` of the ``detections`` entry; None when only masks were
            asked for, and then detections, timings and counts are empty, and a mask keeps the
            index of its object as ``object_index``.
        masks: the fields of the ``masks`` entry of the same ID; None leaves the masks out.
        vectors: the fields of the ``detections`` entry, for its embeddings; None leaves them out.

    Raises:
        WireError: naming what is wrong, when these are not messages of format 1 that belong
            together.
    """
    found = None if detections is None else _message(_read_detections, detections)
    listing = None if masks is None else _message(_read_masks, masks.get("json", b""))
    head: Head | None = found or listing
    if head is None:
        raise WireError("nothing to decode: neither detections nor masks")
    if found and listing and _frame_of(found) != _frame_of(listing):
        raise WireError(f"masks of frame {listing.seq} beside detections of frame {found.seq}")
    _check_size(*head.size)
    parts = listing.masks if listing and masks else []
    check_parts(parts)
    decoded = [decode_mask(part, _field(masks or {}, part.field)) for part in parts]
    objects, of_frame = Detections.empty(), decoded
    if found:
        objects, of_frame = _owned(_detections(found), decoded)
    parts_of_vectors = (found and vectors is not None and found.embeddings) or []
    if vectors is not None and parts_of_vectors:
        objects = with_vectors(objects, parts_of_vectors, vectors)
    return FrameResult(
        head.camera,
        head.seq,
        head.epoch,
        round(head.ts * 1e6) * 1000,
        head.ts_source,
        *head.size,
        detections=objects,
        masks=tuple(of_frame),
        timings=found.timings if found else {},
        counts=found.counts if found else Counts(),
        published=tuple(part.model for part in parts_of_vectors),
        damaged=head.damaged is True,
        lanes=decode_lanes(found.lanes) if found and found.lanes else None,
        zones=_counted(found) if found else None,
        skipped=(found and found.skipped) or "",
        looked=(found and found.looked) or "",
        regions=decode_regions((found and found.regions) or {}),
    )


def _frame_of(head: Head) -> tuple[str, int, int]:
    return head.camera, head.epoch, head.seq


def _counted(message: DetectionsMessage) -> ZoneCounts | None:
    zones, lines = message.zones or {}, message.lines or {}
    return ZoneCounts(zones, lines) if zones or lines else None


def announced_masks(detections: bytes) -> int:
    """Return the number of masks that a ``detections`` message announces under the same ID.

    Raises:
        WireError: it is not such a message.
    """
    return _message(_read_announced, detections).masks


def _check_size(width: int, height: int) -> None:
    """Refuse a frame whose planes, once drawn on it, no reader has memory for."""
    if width * height > MAX_FRAME_PX:
        raise WireError(f"size: expected up to {MAX_FRAME_PX} pixels, got {width}x{height}")


def _head(result: FrameResult) -> dict[str, Any]:
    _check_size(result.width, result.height)
    return {
        "version": VERSION,
        "camera": result.camera,
        "seq": result.seq,
        "epoch": result.epoch,
        "ts": result.ts,
        "ts_source": result.ts_source,
        "size": (result.width, result.height),
        "damaged": result.damaged or msgspec.UNSET,
    }


def _masks(result: FrameResult) -> Iterator[Mask]:
    """Yield every mask, those of objects with the index that they have in the message."""
    for number, mask in enumerate(result.masks):
        if mask.object_index is not None:
            raise WireError(
                f"camera {result.camera}: mask {number} carries object index {mask.object_index}, "
                f"of {len(result.detections)} objects; expected a mask of the whole frame here, "
                "and an object's own on the object: Detections.with_masks"
            )
    for index, mask in result.all_masks():
        yield mask if index is None else replace(mask, object_index=index)


def _owned(objects: Detections, masks: list[Mask]) -> tuple[Detections, list[Mask]]:
    """Put each mask onto the object that it names; return the objects and the frame's own masks.

    Until 1.1 a mask could name an object that a later stage had dropped: it is the frame's.
    """
    of_objects: list[tuple[int, Mask]] = []
    of_frame: list[Mask] = []
    for mask in masks:
        if mask.object_index is not None and mask.object_index < len(objects):
            of_objects.append((mask.object_index, mask))
        else:
            of_frame.append(replace(mask, object_index=None))
    return objects.with_masks(of_objects), of_frame


def _objects(detections: Detections) -> list[Object]:
    if not (np.isfinite(detections.xyxy).all() and np.isfinite(detections.score).all()):
        raise WireError("detections: expected finite boxes and scores")
    corners = detections.xyxy.astype(np.float64)
    corners[:, 2:] -= corners[:, :2]
    boxes = corners.round(2).tolist()
    scores = detections.score.astype(np.float64).round(4).tolist()
    tracks = [None] * len(boxes) if detections.track_id is None else detections.track_id.tolist()
    still = [False] * len(boxes) if detections.still is None else detections.still.tolist()
    attributes = [_written(one) for one in detections.attributes] or [{} for _ in boxes]
    points = _points(detections)
    rotated = _rotated(detections)
    return [
        Object(
            label=detections.labels[class_id],
            class_id=class_id,
            score=score,
            bbox=box,
            track_id=track,
            attributes=named,
            keypoints=there,
            rotated=turned[:4] if turned else None,
            angle=turned[4] if turned else None,
            still=unmoved,
        )
        for class_id, score, box, track, named, there, turned, unmoved in zip(
            detections.class_id.tolist(),
            scores,
            boxes,
            tracks,
            attributes,
            points,
            rotated,
            still,
            strict=True,
        )
    ]


def _detections(message: DetectionsMessage) -> Detections:
    """The label table has the names that occur; a class id that does not occur is named ``""``."""
    objects, skeletons = message.objects, message.skeletons or []
    _check_keypoints(len(objects), max((len(found.keypoints) for found in objects), default=0))
    names = {found.class_id: found.label for found in objects}
    labels = tuple(names.get(i, "") for i in range(max(names, default=-1) + 1))
    corners = np.array([found.bbox for found in objects], np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    tracks = [UNTRACKED if found.track_id is None else found.track_id for found in objects]
    tracked = any(found.track_id is not None for found in objects)
    still = [found.still for found in objects]
    try:
        return Detections(
            corners.astype(np.float32),
            np.array([found.score for found in objects], np.float32),
            np.array([found.class_id for found in objects], np.int32),
            labels,
            np.array(tracks, np.int64) if tracked else None,
            _attributes(objects),
            keypoints=keypoints_of([found.keypoints for found in objects]),
            rotated=_rotated_of(objects),
            skeletons={
                bones.class_id: Skeleton(tuple(bones.names), tuple(bones.edges), bones.threshold)
                for bones in skeletons
                if bones.class_id < len(labels)
            },
            still=np.array(still, np.bool_) if tracked or any(still) else None,
        )
    except ShapeError as error:
        raise WireError(f"objects: {error}") from error


def _skeletons(detections: Detections, objects: list[Object]) -> list[SkeletonOf]:
    """Return the skeletons of the classes of which an object has key points."""
    there = sorted({found.class_id for found in objects if found.keypoints})
    known = [(i, detections.skeletons[i]) for i in there if i in detections.skeletons]
    return [
        SkeletonOf(
            class_id=class_id,
            names=list(bones.names),
            edges=list(bones.edges),
            threshold=bones.threshold,
        )
        for class_id, bones in known
    ]


def _check_keypoints(objects: int, each: int) -> None:
    """Refuse objects whose key points, in one array, no reader has memory for."""
    if objects * each > MAX_KEYPOINTS:
        raise WireError(
            f"objects: {objects} with room for {each} key points each; expected up to "
            f"{MAX_KEYPOINTS} in all"
        )


def _points(detections: Detections) -> list[list[Any]]:
    """Return the key points of each object, as many as its class has names for; none for one that
    has none.
    """
    points = detections.keypoints
    if points is None:
        return [[] for _ in range(len(detections))]
    _check_keypoints(*points.shape[:2])
    score = points[..., 2]
    if not (np.isfinite(points).all() and (score >= 0).all() and (score <= 1).all()):
        raise WireError("keypoints: expected finite x and y and a score in 0..1")
    rounded = points.astype(np.float64)
    rounded[..., :2] = rounded[..., :2].round(2)
    rounded[..., 2] = rounded[..., 2].round(4)
    names = {i: len(bones.names) for i, bones in detections.skeletons.items()}
    counts = [names.get(i) for i in detections.class_id.tolist()]
    return [
        each[:count].tolist() if each.any() else []
        for each, count in zip(rounded, counts, strict=True)
    ]


def _rotated(detections: Detections) -> list[list[float] | None]:
    """Return the rotated box of each object, angle last; None for one that has none."""
    if detections.rotated is None:
        return [None] * len(detections)
    if not np.isfinite(detections.rotated).all():
        raise WireError("rotated: expected finite boxes and angles")
    rounded = detections.rotated.astype(np.float64)
    rounded[:, :4] = rounded[:, :4].round(2)
    rounded[:, 4] = within_half_turn(rounded[:, 4]).round(6)
    return [each.tolist() if each.any() else None for each in rounded]


def _rotated_of(objects: list[Object]) -> Rotated | None:
    if all(found.rotated is None and found.angle is None for found in objects):
        return None
    boxes = np.zeros((len(objects), 5), np.float32)
    for box, found in zip(boxes, objects, strict=True):
        if (found.rotated is None) != (found.angle is None):
            raise WireError("objects: expected rotated and angle together")
        if found.rotated is not None:
            box[:] = (*found.rotated, found.angle)
    return boxes


def _written(attributes: Attributes) -> dict[str, AttributeOf]:
    for name, (label, score) in attributes.items():
        if not 0 <= score <= 1:
            raise WireError(f"attributes.{name}: expected a score of {label} in 0..1, got {score}")
    return {
        name: AttributeOf(label, round(score, 4)) for name, (label, score) in attributes.items()
    }


def _attributes(objects: list[Object]) -> tuple[Attributes, ...]:
    if not any(found.attributes for found in objects):
        return ()
    return tuple(
        {name: Attribute(said.label, said.score) for name, said in found.attributes.items()}
        for found in objects
    )


def _message(reader: msgspec.json.Decoder[M], data: bytes) -> M:
    try:
        return reader.decode(data)
    except UNREADABLE as error:
        raise WireError(f"not a message of format 1: {error}") from error


def _field(fields: Mapping[str, bytes], name: str) -> bytes:
    if name not in fields:
        raise WireError(f"masks: no field {name!r}; there are {', '.join(fields)}")
    return fields[name]
