"""A frame's result as ``nv.Frame`` or as DeepStream's minimal JSON.

Two things differ from DeepStream's converter on purpose: the time is that of capture, not that of
the conversion, and boxes are in pixels of the source, not of the muxer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bridges.metropolis.schema import VERSION, frame_class
from bridges.metropolis.segments import Segmented, segmented
from mirante.frame import FrameResult

UNTRACKED = str(2**64 - 1)  # DeepStream's UNTRACKED_OBJECT_ID
_write = msgspec.json.Encoder()


def encode_protobuf(result: FrameResult, sensor: str) -> bytes:
    """Return a frame as a serialised ``nv.Frame``.

    Args:
        result: with its masks and vectors where they are wanted.
        sensor: the sensor's ID.
    """
    seconds, nanos = divmod(result.captured_ns, 10**9)
    frame = frame_class()(version=VERSION, id=str(result.seq), sensorId=sensor)
    frame.timestamp.seconds, frame.timestamp.nanos = seconds, nanos
    for index in range(len(result.detections)):
        _fill_object(frame.objects.add(), result, index)
    _fill_counts(frame, result)
    if (found := segmented(result)) is not None:
        _fill_segmentation(frame.segmentation, found)
    frame.info.update(_facts(result))
    return bytes(frame.SerializeToString())


def encode_minimal(result: FrameResult, sensor: str) -> bytes:
    """Return a frame as the JSON of DeepStream's minimal schema.

    An object is ``id|left|top|right|bottom|label``, and ``|#|attribute|…|score`` behind it where
    classifiers say something of it.

    Args:
        result: of the frame.
        sensor: the sensor's ID.
    """
    message = {
        "version": VERSION,
        "id": str(result.seq),
        "@timestamp": _iso(result.captured_ns),
        "sensorId": sensor,
        "objects": [_minimal(result, index) for index in range(len(result.detections))],
    }
    return _write.encode(message)


def _fill_object(made: Any, result: FrameResult, index: int) -> None:
    found = result.detections
    left, top, right, bottom = map(float, found.xyxy[index])
    score = float(found.score[index])
    made.id, made.type, made.confidence = _id(result, index), _label(result, index), score
    made.bbox.leftX, made.bbox.topY, made.bbox.rightX, made.bbox.bottomY = left, top, right, bottom
    made.bbox.confidence = score
    for name, said in found.attributes_of(index).items():
        made.info[name] = said.label
        made.info[f"{name}.confidence"] = f"{said.score:.4f}"
    for model, vector in found.embeddings_of(index).items():
        # An object has room for one vector; further models' are with its box.
        into = made.bbox.embeddings.add() if made.HasField("embedding") else made.embedding
        into.vector.extend(vector.astype(float).tolist())
        into.info["model"] = model
    if points := found.keypoints_of(index):
        made.pose.type = "pose2D"
        for name, (x, y, sure) in points.items():
            made.pose.keypoints.add(name=name, coordinates=[float(x), float(y), 0.0, float(sure)])


def _fill_counts(frame: Any, result: FrameResult) -> None:
    """Say how many objects of each class are in view, and in each zone."""
    ids: dict[str, list[str]] = {}
    for index in range(len(result.detections)):
        ids.setdefault(_label(result, index), []).append(_id(result, index))
    for label, objects in ids.items():
        frame.fov.add(type=label, count=len(objects), objectIds=objects)
    for zone, count in (result.zones.zones if result.zones else {}).items():
        info = {"entered": str(count.entered), "left": str(count.left)}
        frame.rois.add(id=zone, count=count.inside, info=info)


def _fill_segmentation(made: Any, found: Segmented) -> None:
    height, width = found.values.shape
    made.mask.extend(found.values.ravel().tolist())
    made.info["width"], made.info["height"] = str(width), str(height)
    made.info["segments"] = _write.encode(found.segments).decode()


def _facts(result: FrameResult) -> Mapping[str, str]:
    facts = {"width": str(result.width), "height": str(result.height), "epoch": str(result.epoch)}
    facts["tsSource"] = result.ts_source
    if result.damaged:
        facts["damaged"] = "true"
    if result.skipped:
        facts["skipped"] = result.skipped
    return facts


def _minimal(result: FrameResult, index: int) -> str:
    found = result.detections
    numbers = [f"{float(edge):.6g}" for edge in found.xyxy[index]]  # as C++ writes them
    parts = [_id(result, index), *numbers, _label(result, index)]
    if said := found.attributes_of(index):
        score = f"{float(found.score[index]):.6g}"
        parts += ["#", *(each.label for each in said.values()), score]
    return "|".join(part.replace("|", "/") for part in parts)


def _id(result: FrameResult, index: int) -> str:
    tracks = result.detections.track_id
    return UNTRACKED if tracks is None or tracks[index] < 0 else str(int(tracks[index]))


def _label(result: FrameResult, index: int) -> str:
    label: str = result.detections.labels[result.detections.class_id[index]]
    return label


def _iso(captured_ns: int) -> str:
    moment = datetime.fromtimestamp(captured_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{captured_ns // 10**6 % 1000:03d}Z"
