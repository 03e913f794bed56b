"""Events through the wire format and back, and new messages before old readers."""

import json
import math
from dataclasses import replace
from typing import Any, get_args

import jsonschema
import msgspec
import numpy as np
import pytest

import mirante
from mirante import Counts, Event, Status
from mirante.detections import Attribute
from mirante.events import EventKind
from mirante.schemas import documents
from mirante.wire import WireError, decode, encode
from mirante.wire.events import decode_event, encode_event
from tests.support import ROOT
from tests.support.wire_frames import some_detections, some_event, some_frame

OLD = ROOT / "tests/support/golden/wire_1_2"  # what 1.2 published


def test_an_event_survives() -> None:
    event = some_event(bbox=(10.254, 20.0, 100.5, 199.499), score=0.91236, dwell_s=12.34567)
    back = decode_event(encode_event(event))
    assert back == msgspec.structs.replace(
        event, bbox=(10.25, 20.0, 100.5, 199.5), score=0.9124, dwell_s=12.346
    )
    assert back.version == "1.3"


def test_what_an_event_has_not_is_absent() -> None:
    made = Event(id="a", camera="gate", kind="camera-lost", ts=5.0)
    assert json.loads(encode_event(made)) == {
        "version": "1.3",
        "id": "a",
        "camera": "gate",
        "kind": "camera-lost",
        "ts": 5.0,
    }
    assert decode_event(encode_event(made)) == made


def test_numbers_of_numpy_are_written() -> None:
    score, left = np.float32(0.5), np.float32(1.25)
    event = some_event(score=score, bbox=(left, left, left, left), path=[(left, left)])
    assert decode_event(encode_event(event)).path == [(1.25, 1.25)]


@pytest.mark.parametrize("kind", [*get_args(EventKind), "of-tomorrow"])
def test_every_kind_is_read_also_one_of_a_later_version(kind: str) -> None:
    message = json.loads(encode_event(some_event(kind=kind))) | {"version": "1.9", "new": [1]}
    assert decode_event(json.dumps(message).encode()).kind == kind


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["ts", "best", "score", "dwell_s", "speed_kmh", "bbox", "votes", "path"]
)
def test_a_number_that_is_not_finite_is_not_written(name: str, bad: float) -> None:
    value: Any = {"bbox": (0.0, bad, 1.0, 1.0), "votes": {"a": bad}, "path": [(0.0, bad)]}
    with pytest.raises(WireError, match=f"{name}: expected a finite number, got {bad}"):
        encode_event(some_event(**{name: value.get(name, bad)}))


@pytest.mark.parametrize(
    "bad",
    [
        {"id": ""},
        {"score": 1.5},
        {"track_id": 0},
        {"ts": -1.0},
        {"seq": -1},
        {"dwell_s": -0.5},
        {"version": "2.0"},
        {"label": "\ud800"},
        {"bbox": (1e10, 0.0, 1.0, 1.0)},
    ],
)
def test_what_no_reader_would_take_is_not_written(bad: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="event"):
        encode_event(some_event(**bad))


@pytest.mark.parametrize("text", [b"", b"[]", b'{"version": "1.3"}', b"\xff", b"[" * 100_000])
def test_what_is_no_event_is_refused(text: bytes) -> None:
    with pytest.raises(WireError, match=r"no event of format 1"):
        decode_event(text)


def test_events_are_as_their_schema_says() -> None:
    validator = jsonschema.Draft202012Validator(documents()["events.json"])
    validator.validate(json.loads(encode_event(some_event())))
    for name in ("version", "id", "camera", "kind", "ts"):
        message = json.loads(encode_event(some_event()))
        del message[name]
        with pytest.raises(jsonschema.ValidationError, match=f"'{name}' is a required property"):
            validator.validate(message)


def old(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((OLD / f"{kind}.json").read_text()))


def test_readers_of_12_read_the_messages_of_now() -> None:
    found = some_detections().with_attributes({0: {"colour": Attribute("red", 0.5)}})
    found = replace(found, keypoints=np.full((2, 1, 3), 0.5, np.float32))
    coded = encode(some_frame(detections=found, events=(some_event(),)))
    old("detections").validate(json.loads(coded.detections["json"]))
    coded = encode(some_frame())
    assert coded.masks
    old("masks").validate(json.loads(coded.masks["json"]))
    status = Status(camera="gate", state="failed", reason="no", ts=2.5, since=1, code="stalled")
    counted = msgspec.structs.replace(status, counts=Counts(1, 1, {"rate": 0}, 0))
    old("status").validate(json.loads(msgspec.json.encode(counted)))


def test_messages_of_12_are_read() -> None:
    coded = encode(some_frame(masks=()))
    text = coded.detections["json"].replace(b'"version":"1.3"', b'"version":"1.2"')
    assert b'"1.2"' in text
    assert decode(text).seq == 41


def test_the_package_names_the_type() -> None:
    assert mirante.Event is Event
