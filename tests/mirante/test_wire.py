"""Frames through the wire format and back; what is no message is refused in words."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from mirante import Attribute, Counts, Detections
from mirante.detections import UNTRACKED
from mirante.wire import Encoded, WireError, decode, encode
from mirante.wire.codec import announced_masks
from mirante.wire.messages import MaskEncoding
from tests.support.wire_frames import some_detections, some_frame

BOX = {"label": "a", "class_id": 0, "score": 1, "bbox": [0, 0, 1, 1]}


def changed(coded: Encoded, **changes: Any) -> bytes:
    return json.dumps(json.loads(coded.detections["json"]) | changes).encode()


@pytest.mark.parametrize("encoding", ["bits", "rle", "png"])
def test_a_frame_survives(encoding: MaskEncoding) -> None:
    frame = some_frame()
    coded = encode(frame, encoding)
    back = decode(coded.detections["json"], coded.masks)
    for name in ("camera", "seq", "epoch", "captured_ns", "ts_source", "width", "height", "counts"):
        assert getattr(back, name) == getattr(frame, name), name
    timings = dict(back.timings)
    assert timings.pop("encode") >= 0
    assert timings == frame.timings
    np.testing.assert_allclose(back.detections.xyxy, frame.detections.xyxy, atol=0.011)
    np.testing.assert_allclose(back.detections.score, frame.detections.score, atol=5e-5)
    assert back.detections.class_id.tolist() == [2, 0]
    assert back.detections.track_id is not None
    assert back.detections.track_id.tolist() == [7, -1]
    assert back.detections.labels == ("person", "", "car")  # what occurs keeps its number
    masks = list(zip(back.all_masks(), frame.all_masks(), strict=True))
    assert [index for (index, _), _ in masks] == [None, 1]
    for (index, got), (expected, sent) in masks:
        np.testing.assert_array_equal(got.bits, sent.bits)
        assert (got.labels, got.width, got.xyxy) == (sent.labels, sent.width, sent.xyxy)
        assert (index, got.model, got.object_index) == (expected, sent.model, None)


def test_the_json_is_what_the_documents_say() -> None:
    message = json.loads(encode(some_frame()).detections["json"])
    assert message.pop("timings").keys() == {"queue", "infer", "encode"}
    assert message == {
        "version": "1.3",
        "camera": "gate",
        "seq": 41,
        "epoch": 1_763_899_600_000,
        "ts": 1763899667.123456,
        "ts_source": "rtcp",
        "size": [960, 540],
        "masks": 2,
        "objects": [
            {
                "label": "car",
                "class_id": 2,
                "score": 0.9,
                "bbox": [10.25, 20.5, 100.5, 199.5],
                "track_id": 7,
            },
            {
                "label": "person",
                "class_id": 0,
                "score": 0.4321,
                "bbox": [0.0, 0.0, 959.99, 539.5],
                "track_id": -1,
            },
        ],
        "counts": {
            "decoded": 42,
            "published": 30,
            "dropped": {"rate": 10, "queue": 1},
            "failed": 1,
            "damaged": 0,
            "skipped": {},
        },
    }


def test_track_ids_are_absent_when_nothing_tracks() -> None:
    coded = encode(some_frame(detections=some_detections(tracked=False)))
    assert all("track_id" not in o for o in json.loads(coded.detections["json"])["objects"])
    assert decode(coded.detections["json"]).detections.track_id is None


def test_a_frame_without_masks_has_no_masks_entry() -> None:
    coded = encode(some_frame(masks=(), detections=Detections.empty()))
    assert coded.masks is None
    back = decode(coded.detections["json"])
    assert len(back.detections) == 0
    assert back.masks == ()
    assert announced_masks(coded.detections["json"]) == 0
    assert announced_masks(encode(some_frame()).detections["json"]) == 2


@pytest.mark.parametrize("us", [0, 1, 999_999, 500_001, 123_457])
def test_capture_time_survives_to_the_microsecond(us: int) -> None:
    captured_ns = 1_999_999_999_000_000_000 + us * 1000
    coded = encode(some_frame(captured_ns=captured_ns + 999, masks=()))
    assert decode(coded.detections["json"]).captured_ns == captured_ns


def test_masks_alone_make_a_frame_without_an_account() -> None:
    back = decode(None, encode(some_frame()).masks)
    assert (back.seq, len(back.masks), len(back.detections)) == (41, 2, 0)
    assert [index for index, _ in back.all_masks()] == [None, 1], "of the object in the message"
    assert back.counts == Counts()


def test_attributes_survive_and_are_absent_where_a_box_has_none() -> None:
    red = {"colour": Attribute("red", 0.87654), "hat": Attribute("helmet", 1.0)}
    coded = encode(some_frame(detections=some_detections().with_attributes({1: red})))
    first, second = json.loads(coded.detections["json"])["objects"]
    assert "attributes" not in first
    assert second["attributes"] == {
        "colour": {"label": "red", "score": 0.8765},
        "hat": {"label": "helmet", "score": 1.0},
    }
    back = decode(coded.detections["json"]).detections
    assert back.attributes[0] == {}
    assert back.attributes[1]["colour"] == ("red", 0.8765)


def test_a_message_of_before_attributes_is_read() -> None:
    coded = encode(some_frame())
    assert b"attributes" not in coded.detections["json"]
    back = decode(changed(coded, version="1.0")).detections
    assert (len(back), back.attributes) == (2, ())


@pytest.mark.parametrize("score", [1.5, -0.1, np.nan])
def test_an_attribute_whose_score_is_none_is_not_written(score: float) -> None:
    named = some_detections().with_attributes({0: {"colour": Attribute("red", score)}})
    with pytest.raises(WireError, match=r"attributes\.colour: expected a score of red in 0\.\.1"):
        encode(some_frame(detections=named))


def test_a_later_minor_version_with_new_keys_is_read() -> None:
    coded = encode(some_frame(masks=()))
    assert decode(changed(coded, version="1.7", weather="rain")).seq == 41


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "2.0"}, "version"),
        ({"seq": -1}, "seq"),
        ({"size": [0, 5]}, "size"),
        ({"ts_source": "guess"}, "ts_source"),
        ({"ts": 1e300}, "ts"),
        ({"objects": [{"label": "a", "class_id": 10**9, "score": 1, "bbox": [0] * 4}]}, "class_id"),
        ({"objects": [{"label": "a", "class_id": 0, "score": 1, "bbox": [0, 0, 1]}]}, "bbox"),
        ({"objects": [{"label": "a", "class_id": 0, "score": 1, "bbox": [1e99] * 4}]}, "bbox"),
        ({"objects": [BOX | {"attributes": {"hat": {"label": 3, "score": 1}}}]}, "label"),
        ({"objects": [BOX | {"attributes": {"hat": {"label": "a", "score": 2}}}]}, "score"),
        ({"objects": [BOX | {"keypoints": [[1, 2]]}]}, "keypoints"),
        ({"objects": [BOX | {"keypoints": [[1, 2, 1.5]]}]}, "keypoints"),
        ({"counts": None}, "counts"),
    ],
)
def test_a_bad_message_is_refused_by_its_key(changes: Any, words: str) -> None:
    with pytest.raises(WireError, match=words):
        decode(changed(encode(some_frame()), **changes))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"camera":"\xff"}', b'{"x":' + b"[" * 99999]
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="format 1"):
        decode(data)


def test_an_object_without_a_track_beside_one_that_has_a_track_is_untracked() -> None:
    box = {"label": "a", "class_id": 0, "score": 1, "bbox": [0, 0, 1, 1]}
    back = decode(changed(encode(some_frame()), objects=[box, box | {"track_id": 3}])).detections
    assert back.track_id is not None
    assert back.track_id.tolist() == [UNTRACKED, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_written(value: float) -> None:
    detections = some_detections()
    detections.xyxy[0, 0] = value
    with pytest.raises(WireError, match="finite"):
        encode(some_frame(detections=detections))


def test_masks_of_another_frame_are_refused() -> None:
    coded, other = encode(some_frame()), encode(some_frame(seq=42))
    with pytest.raises(WireError, match="masks of frame 42 beside detections of frame 41"):
        decode(coded.detections["json"], other.masks)


def test_a_missing_field_is_named() -> None:
    coded = encode(some_frame())
    assert coded.masks
    fields = {name: data for name, data in coded.masks.items() if name != "m1"}
    with pytest.raises(WireError, match="no field 'm1'"):
        decode(coded.detections["json"], fields)


def test_a_damaged_frame_says_so_and_a_whole_one_nothing() -> None:
    counts = Counts(42, 30, {"rate": 11}, 1, damaged=7)
    coded = encode(some_frame(damaged=True, counts=counts))
    assert json.loads(coded.detections["json"])["damaged"] is True
    back = decode(coded.detections["json"], coded.masks)
    assert (back.damaged, back.counts.damaged, back.counts.balanced) == (True, 7, True)
    whole = encode(some_frame())
    assert "damaged" not in json.loads(whole.detections["json"])
    assert not decode(whole.detections["json"]).damaged


def test_a_frame_that_no_model_looked_at_says_why_and_others_why_they_were() -> None:
    counts = Counts(42, 31, {"rate": 11}, skipped={"still": 30})
    coded = encode(some_frame(skipped="still", counts=counts))
    message = json.loads(coded.detections["json"])
    assert (message["skipped"], message["counts"]["skipped"]) == ("still", {"still": 30})
    assert "looked" not in message
    back = decode(coded.detections["json"], coded.masks)
    assert (back.skipped, back.looked, back.counts) == ("still", "", counts)
    looked = decode(encode(some_frame(looked="motion")).detections["json"])
    assert (looked.skipped, looked.looked) == ("", "motion")


def test_a_frame_says_which_part_a_model_looked_at_and_nothing_where_it_was_all() -> None:
    coded = encode(some_frame(regions={"yolox-nano": (100, 50, 740, 410)}))
    message = json.loads(coded.detections["json"])
    assert message["regions"] == {"yolox-nano": [100, 50, 640, 360]}
    assert decode(coded.detections["json"]).regions == {"yolox-nano": (100, 50, 740, 410)}
    whole = encode(some_frame())
    assert "regions" not in json.loads(whole.detections["json"])
    assert decode(whole.detections["json"]).regions == {}


def test_every_field_of_a_frame_is_on_the_wire() -> None:
    plain = {f.name for f in dataclasses.fields(some_frame())}
    assert plain == {
        *("camera", "seq", "epoch", "captured_ns", "ts_source", "width", "height"),
        *("detections", "masks", "timings", "counts", "published", "damaged"),
        *("lanes", "zones", "skipped", "looked", "regions"),
        "events",  # in a stream of their own
    }, "a new field of FrameResult needs a place in the message"
