"""``nv.Frame`` and DeepStream's minimal JSON, read by what protoc makes of a schema of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from grpc_tools import protoc

from bridges.metropolis.frames import UNTRACKED, encode_minimal, encode_protobuf
from bridges.metropolis.schema import file_descriptor
from bridges.metropolis.segments import MOST_PX, segmented
from mirante import Attribute, FrameResult, Mask
from mirante.keypoints import Pose, Skeleton
from mirante.zones import ZoneCount, ZoneCounts
from tests.support.wire_frames import some_detections, some_frame

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What protoc makes of the schema, as a FileDescriptorProto."""
    out = tmp_path_factory.mktemp("proto") / "set"
    folders = [f"-I{HERE}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    assert protoc.main(["protoc", *folders, f"--descriptor_set_out={out}", "nv_frame.proto"]) == 0
    [made] = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    return made


@pytest.fixture(scope="module")
def frame_of(compiled: Any) -> Any:
    """What reads an nv.Frame, as another program would."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(compiled)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("nv.Frame"))
    return kind.FromString


def fields_of(messages: Any, within: str = "") -> Iterator[tuple[Any, ...]]:
    for message in messages:
        name = f"{within}{message.name}"
        is_map = message.options.map_entry
        for field in message.field:
            yield name, field.name, field.number, field.type, field.label, field.type_name, is_map
        yield from fields_of(message.nested_type, f"{name}.")


def test_the_schema_is_what_protoc_makes_of_it(compiled: Any) -> None:
    ours = file_descriptor()
    assert (ours.package, ours.syntax) == (compiled.package, compiled.syntax)
    assert set(fields_of(ours.message_type)) == set(fields_of(compiled.message_type))


def test_a_frame_as_protobuf(frame_of: Any) -> None:
    detections = some_detections().with_attributes({0: {"colour": Attribute("red", 0.75)}})
    points = np.array([[11, 21, 0.5], [0, 0, 0]], np.float32)
    skeleton = Skeleton(("nose", "eye"), ())
    detections = detections.with_keypoints({1: Pose(points, skeleton)})
    vector = np.array([0.5, -1.0], np.float16)
    detections = detections.with_embeddings({0: {"reid": vector, "face": vector * 2}})
    zones = ZoneCounts({"door": ZoneCount(inside=3, entered=5, left=2)}, {})
    frame = frame_of(encode_protobuf(some_frame(detections=detections, zones=zones), "sensor-1"))
    assert (frame.version, frame.id, frame.sensorId) == ("4.0", "41", "sensor-1")
    # Of capture, to the nanosecond: not of now.
    assert frame.timestamp.ToNanoseconds() == 1_763_899_667_123_456_000
    car, person = frame.objects
    assert (car.id, car.type, person.id, person.type) == ("7", "car", UNTRACKED, "person")
    assert car.confidence == pytest.approx(0.9)
    box = car.bbox
    assert (box.leftX, box.topY, box.rightX, box.bottomY) == (10.25, 20.5, 110.75, 220.0)
    assert dict(car.info) == {"colour": "red", "colour.confidence": "0.7500"}
    assert (list(car.embedding.vector), car.embedding.info["model"]) == ([0.5, -1.0], "reid")
    [other] = box.embeddings
    assert (list(other.vector), other.info["model"]) == ([1.0, -2.0], "face")
    assert not person.HasField("embedding")
    [nose] = person.pose.keypoints
    assert (person.pose.type, nose.name) == ("pose2D", "nose")
    assert list(nose.coordinates) == [11, 21, 0, 0.5]
    assert [(each.type, each.count, list(each.objectIds)) for each in frame.fov] == [
        ("car", 1, ["7"]),
        ("person", 1, [UNTRACKED]),
    ]
    assert [(each.id, each.count, each.info["left"]) for each in frame.rois] == [("door", 3, "2")]
    assert (frame.info["width"], frame.info["height"]) == ("960", "540")


def test_masks_as_segmentation(frame_of: Any) -> None:
    result = some_frame()
    frame = frame_of(encode_protobuf(result, "gate"))
    info = frame.segmentation.info
    width, height = int(info["width"]), int(info["height"])
    values = np.array(frame.segmentation.mask).reshape(height, width)
    segments = json.loads(info["segments"])
    assert [(each["label"], each["model"], each.get("object")) for each in segments] == [
        ("lane", "twinlitenet", None),
        ("drivable", "twinlitenet", None),
        ("face", "u", 1),
    ]
    [lanes] = result.masks
    drivable = lanes.on_frame("drivable", 960, 540)
    rows = (np.arange(540) * height // 540)[:, None]
    columns = np.arange(960) * width // 960
    seen = values[rows, columns]
    agreement = np.mean((seen == 2) == (drivable & (seen != 3)))
    assert agreement > 0.995
    left, top = 10 * width // 960, 20 * height // 540
    assert values[top + 1, left + 1] == 3


def test_a_frame_without_masks_has_no_segmentation(frame_of: Any) -> None:
    result = some_frame(masks=(), detections=some_detections())
    assert not frame_of(encode_protobuf(result, "gate")).HasField("segmentation")


def test_a_map_is_bounded() -> None:
    fine = Mask.from_planes(("a",), np.ones((1, 2000, 2000), bool), (0, 0, 960, 540))
    tiny = Mask.from_planes(("b",), np.ones((1, 64, 64), bool), (5, 5, 6, 6))
    large = FrameResult("gate", 1, 1, 1, "arrival", 7680, 4320, masks=(fine, tiny))
    found = segmented(large)
    assert found is not None and found.values.size <= MOST_PX


def test_minimal_json() -> None:
    detections = some_detections().with_attributes(
        {0: {"colour": Attribute("red|ish", 0.7), "make": Attribute("saloon", 0.6)}}
    )
    made = json.loads(encode_minimal(some_frame(detections=detections), "gate"))
    assert made == {
        "version": "4.0",
        "id": "41",
        "@timestamp": "2025-11-23T12:07:47.123Z",
        "sensorId": "gate",
        "objects": [
            "7|10.25|20.5|110.75|220|car|#|red/ish|saloon|0.9",
            f"{UNTRACKED}|0|0|959.99|539.5|person",
        ],
    }
