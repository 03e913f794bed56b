"""What belongs to an object is written with it and read back onto it, by old readers too."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mirante import Detections, FrameResult, Mask
from mirante.detections import UNTRACKED
from mirante.keypoints import Skeleton
from mirante.wire import WireError, decode, encode
from tests.support.wire_frames import some_detections, some_frame

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def mask(name: str, object_index: int | None = None) -> Mask:
    planes = np.ones((1, 8, 8), bool)
    return Mask.from_planes((name,), planes, (10, 10, 30, 30), name, object_index)


def written(message: bytes | None) -> Any:
    assert message is not None
    return json.loads(message)


def test_the_stage_of_the_documents_leaves_no_mask_of_an_object_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    crowd = importlib.import_module("crowd").Crowd

    both = some_detections().with_masks([(0, mask("of the car")), (1, mask("of the person"))])
    frame = crowd()(np.zeros((4, 4, 3), np.uint8), some_frame(masks=(), detections=both))
    coded = encode(frame)
    assert [one["label"] for one in written(coded.detections["json"])["objects"]] == ["person"]
    assert coded.masks
    (part,) = written(coded.masks["json"])["masks"]
    assert (part["model"], part["object"]) == ("of the person", 0)
    without = crowd("bus")(np.zeros((4, 4, 3), np.uint8), some_frame(masks=(), detections=both))
    assert encode(without).masks is None


def test_every_mask_of_an_object_is_read_onto_it() -> None:
    masks = [(1, mask("hair")), (0, mask("skin")), (1, mask("eyes"))]
    frame = some_frame(detections=some_detections().with_masks(masks))
    coded = encode(frame)
    assert coded.masks
    parts = written(coded.masks["json"])["masks"]
    assert [(part["field"], part.get("object")) for part in parts] == [
        *(("m0", None), ("m1", 0), ("m2", 1), ("m3", 1)),
    ]
    back = decode(coded.detections["json"], coded.masks)
    assert [each.model for each in back.masks] == ["twinlitenet"]
    named = [[each.model for each in back.detections.masks_of(i)] for i in (0, 1)]
    assert named == [["skin"], ["hair", "eyes"]]
    again = encode(back).masks
    assert again
    assert written(again["json"])["masks"] == parts


@pytest.mark.parametrize("index", [0, 1, 2, 70])
def test_an_index_made_by_hand_is_refused(index: int) -> None:
    by_hand = some_frame(masks=(mask("road"), mask("face", index)))
    with pytest.raises(
        WireError, match=rf"camera gate: mask 1 carries object index {index}, of 2 objects"
    ):
        encode(by_hand)


def test_a_mask_of_an_old_message_whose_object_is_gone_is_the_frames() -> None:
    coded = encode(some_frame())
    assert coded.masks
    listing = written(coded.masks["json"])
    listing["masks"][1]["object"] = 2
    back = decode(coded.detections["json"], coded.masks | {"json": json.dumps(listing).encode()})
    assert [index for index, _ in back.all_masks()] == [None, None]
    assert back.detections.masks == ()


def test_key_points_survive_and_are_absent_where_an_object_has_none() -> None:
    points = np.zeros((2, 3, 3), np.float32)
    points[1] = np.array([[12.344, 40.5, 0.87654], [0, 0, 0], [959.5, 3, 1]])
    coded = encode(some_frame(detections=replace(some_detections(), keypoints=points)))
    first, second = written(coded.detections["json"])["objects"]
    assert "keypoints" not in first
    assert second["keypoints"] == [[12.34, 40.5, 0.8765], [0, 0, 0], [959.5, 3, 1]]
    back = decode(coded.detections["json"]).detections.keypoints
    assert back is not None
    assert back.shape == (2, 3, 3)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, points, atol=0.0051)
    assert not back[0].any()


def test_objects_may_have_different_numbers_of_key_points() -> None:
    box = {"label": "a", "class_id": 0, "score": 1, "bbox": [0, 0, 1, 1]}
    message = written(encode(some_frame(masks=())).detections["json"])
    message["objects"] = [box | {"keypoints": [[1, 2, 0.5]]}, box | {"keypoints": [[3, 4, 1]] * 2}]
    read = decode(json.dumps(message).encode()).detections.keypoints
    assert read is not None
    assert read.tolist() == [[[1, 2, 0.5], [0, 0, 0]], [[3, 4, 1], [3, 4, 1]]]


def test_names_and_edges_of_key_points_are_told_once_a_message() -> None:
    bones = Skeleton(("nose", "tail"), ((0, 1),), 0.25)
    points = np.zeros((2, 3, 3), np.float32)
    points[0] = np.array([[1, 2, 0.5], [0, 0, 0], [0, 0, 0]])
    found = replace(some_detections(), keypoints=points, skeletons={0: bones, 1: bones, 2: bones})
    message = written(encode(some_frame(detections=found)).detections["json"])
    assert message["objects"][0]["keypoints"] == [[1, 2, 0.5], [0, 0, 0]], "as many as names"
    assert message["skeletons"] == [
        {"class_id": 2, "names": ["nose", "tail"], "edges": [[0, 1]], "threshold": 0.25}
    ]
    back = decode(json.dumps(message).encode()).detections
    assert back.skeletons == {2: bones}
    assert list(back.keypoints_of(0)) == ["nose"]
    none = written(encode(some_frame()).detections["json"])
    assert "skeletons" not in none


@pytest.mark.parametrize(
    ("bones", "words"),
    [
        ({"class_id": 0, "names": ["a"], "edges": [[0, 1]]}, "skeletons: expected edges between"),
        ({"class_id": 0, "names": ["a"], "edges": [[-1, 0]]}, "not a message of format 1"),
        ({"class_id": -1, "names": []}, "not a message of format 1"),
    ],
)
def test_a_skeleton_that_is_none_is_refused(bones: dict[str, Any], words: str) -> None:
    message = written(encode(some_frame()).detections["json"]) | {"skeletons": [bones]}
    with pytest.raises(WireError, match=words):
        decode(json.dumps(message).encode())


@pytest.mark.parametrize("bad", [(np.nan, 0, 1), (0, np.inf, 1), (0, 0, 1.01), (0, 0, -0.1)])
def test_a_key_point_that_is_none_is_not_written(bad: tuple[float, float, float]) -> None:
    points = np.zeros((2, 1, 3), np.float32)
    points[1, 0] = bad
    with pytest.raises(
        WireError, match=r"keypoints: expected finite x and y and a score in 0\.\.1"
    ):
        encode(some_frame(detections=replace(some_detections(), keypoints=points)))


def test_rotated_boxes_survive_and_are_absent_where_an_object_has_none() -> None:
    rotated = np.zeros((2, 5), np.float32)
    rotated[1] = (480.126, 270.5, 612.25, 90.004, -0.7853982)
    coded = encode(some_frame(detections=replace(some_detections(), rotated=rotated)))
    first, second = written(coded.detections["json"])["objects"]
    assert not {"rotated", "angle"} & set(first)
    assert (second["rotated"], second["angle"]) == ([480.13, 270.5, 612.25, 90.0], -0.785398)
    back = decode(coded.detections["json"]).detections.rotated
    assert back is not None
    np.testing.assert_allclose(back, rotated, atol=0.0051)
    np.testing.assert_allclose(back[:, 4], rotated[:, 4], atol=1e-6)
    assert decode(encode(some_frame()).detections["json"]).detections.rotated is None


def test_an_angle_is_written_within_half_a_turn() -> None:
    rotated = np.array([[5, 5, 4, 2, 3.0], [5, 5, 4, 2, -2.0]], np.float32)
    coded = encode(some_frame(detections=replace(some_detections(), rotated=rotated)))
    angles = [one["angle"] for one in written(coded.detections["json"])["objects"]]
    assert angles == pytest.approx([3.0 - np.pi, np.pi - 2.0], abs=1e-6)


@pytest.mark.parametrize("kept", ["rotated", "angle"])
def test_an_angle_without_its_box_is_refused(kept: str) -> None:
    rotated = np.full((2, 5), 0.5, np.float32)
    coded = encode(some_frame(detections=replace(some_detections(), rotated=rotated)))
    message = written(coded.detections["json"])
    del message["objects"][1]["rotated" if kept == "angle" else "angle"]
    with pytest.raises(WireError, match="expected rotated and angle together"):
        decode(json.dumps(message).encode())


def test_a_rotated_box_that_is_not_finite_is_not_written() -> None:
    rotated = np.full((2, 5), np.nan, np.float32)
    with pytest.raises(WireError, match="rotated: expected finite boxes and angles"):
        encode(some_frame(detections=replace(some_detections(), rotated=rotated)))


def with_vectors() -> FrameResult:
    """A vector of the second object by two models, of the first by one; only two are asked for."""
    face, body, other = ((np.arange(n) / 8).astype(np.float16) for n in (3, 5, 2))
    vectors = {1: {"face": face, "body": body, "other": other}, 0: {"body": body[::-1].copy()}}
    objects = some_detections().with_embeddings(vectors)
    return some_frame(detections=objects, masks=(), published=("body", "face"))


def test_vectors_are_in_binary_fields_where_they_are_asked_for() -> None:
    coded = encode(with_vectors())
    body, face = written(coded.detections["json"])["embeddings"]
    assert body == {"field": "e0", "model": "body", "size": 5, "objects": [0, 1]}
    assert face == {"field": "e1", "model": "face", "size": 3, "objects": [1]}
    assert len(coded.detections["e0"]) == 2 * 5 * 2
    assert np.frombuffer(coded.detections["e1"], "<f2").tolist() == [0, 0.125, 0.25]
    back = decode(coded.detections["json"], None, coded.detections)
    assert back.published == ("body", "face")
    assert set(back.detections.embeddings_of(1)) == {"body", "face"}
    np.testing.assert_array_equal(
        back.detections.embeddings_of(0)["body"], np.arange(5)[::-1] / np.float16(8)
    )
    assert encode(back).detections["e0"] == coded.detections["e0"]
    assert set(encode(some_frame()).detections) == {"json"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 4}, "e0: expected 16 bytes, got 20"),
        ({"field": "e7"}, "e7: expected 20 bytes, got 0"),
        ({"objects": [0, 2]}, "embeddings: expected boxes below 2, got .0, 1, 2."),
    ],
)
def test_vectors_that_are_not_as_described_are_refused(changes: Any, words: str) -> None:
    coded = encode(with_vectors())
    message = written(coded.detections["json"])
    message["embeddings"][0] |= changes
    with pytest.raises(WireError, match=words):
        decode(json.dumps(message).encode(), None, coded.detections)


def test_a_vector_that_is_not_finite_is_not_written() -> None:
    bad = some_detections().with_embeddings({0: {"face": np.array([np.inf], np.float16)}})
    with pytest.raises(WireError, match=r"embeddings\.face: expected finite numbers"):
        encode(some_frame(detections=bad, published=("face",)))
    encode(some_frame(detections=bad))  # it is not asked for


class ObjectOf11(msgspec.Struct):
    """An object as a reader of 1.1 knows it: it refuses tracks of some objects only."""

    label: str
    class_id: int
    score: float
    bbox: tuple[float, float, float, float]
    track_id: int | None = None
    attributes: dict[str, Any] = {}


class MessageOf11(msgspec.Struct):
    objects: list[ObjectOf11]
    masks: int


def test_a_reader_of_11_reads_tracked_and_untracked_objects_with_key_points() -> None:
    points = np.full((2, 1, 3), 0.5, np.float32)
    untracked = replace(some_detections(tracked=False), keypoints=points)
    both = some_detections().merge(untracked)
    coded = encode(some_frame(detections=both))
    old = msgspec.json.decode(coded.detections["json"], type=MessageOf11)
    tracks = [7, -1, UNTRACKED, UNTRACKED]
    assert [one.track_id for one in old.objects] == tracks
    read = decode(coded.detections["json"]).detections
    assert read.track_id is not None
    assert read.track_id.tolist() == tracks


def test_a_reader_of_11_reads_rotated_boxes_upright_and_passes_over_vectors() -> None:
    rotated = np.array([[60, 120, 90, 60, 0.5], [5, 5, 4, 2, 0]], np.float32)
    frame = with_vectors()
    coded = encode(replace(frame, detections=replace(frame.detections, rotated=rotated)))
    old = msgspec.json.decode(coded.detections["json"], type=MessageOf11)
    boxes = [one.bbox for one in old.objects]
    expected = frame.detections.xyxy.astype(float)
    expected[:, 2:] -= expected[:, :2]
    np.testing.assert_allclose(boxes, expected, atol=0.0051)


def test_nothing_found_has_nothing() -> None:
    back = decode(encode(some_frame(detections=Detections.empty(("a",)))).detections["json"])
    found = back.detections
    assert (found.track_id, found.keypoints, found.masks, found.attributes) == (None, None, (), ())
