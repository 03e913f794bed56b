"""Objects and events as ONVIF has them: against its published schema, and its own examples."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridges.onvif.mqtt import of_event, of_frame
from bridges.onvif.notification import message, notification
from mirante.events import Event, EventKind
from pipeline.cameras.onvif.meaning import meaning
from pipeline.cameras.onvif.notices import notices_of
from pipeline.cameras.onvif.soap import parse

TS = 1633446807.321
FRAME: dict[str, Any] = {
    "version": "1.3",
    "camera": "gate",
    "ts": TS,
    "size": [640, 480],
    "objects": [
        {"label": "person", "score": 0.8, "bbox": [20, 400, 80, 50], "track_id": 15},
        {"label": "truck", "score": 0.5, "bbox": [320, 240, 320, 240], "track_id": -1},
        {"label": "<odd> & all", "score": 1, "bbox": [0, 0, 640, 480]},
    ],
}
TEXT = msgspec.json.encode(FRAME)
NS = {"tt": "http://www.onvif.org/ver10/schema"}
CROSSED = Event(
    id="a", camera="gate", kind="line-crossed", ts=TS, track_id=15, label="person", line="door/1 #2"
)


def test_a_frame_in_json_is_as_in_the_specification() -> None:
    (place, text), (other, _) = of_frame("gate", TEXT)
    assert (place, other) == (
        "onvif-mj/VideoAnalytics/gate/mirante",
        "onvif-mx/VideoAnalytics/gate/mirante",
    )
    (frame,) = json.loads(text)["Frame"]
    assert (frame["@UtcTime"], frame["@Source"]) == ("2021-10-05T15:13:27.321Z", "mirante")
    person, truck, odd = frame["Object"]
    assert person["@ObjectId"] == 15
    assert person["Appearance"]["Shape"] == {
        "BoundingBox": {"@left": -0.9375, "@top": -0.66667, "@right": -0.6875, "@bottom": -0.875},
        "CenterOfGravity": {"@x": -0.8125, "@y": -0.77083},
    }
    assert person["Appearance"]["Class"]["Type"] == [{"@Likelihood": 0.8, "#text": "Human"}]
    assert "@ObjectId" not in truck
    names = [each["#text"] for each in truck["Appearance"]["Class"]["Type"]]
    assert names == ["Vehicle", "Truck"]
    box = odd["Appearance"]["Shape"]["BoundingBox"]
    assert box == {"@left": -1, "@top": 1, "@right": 1, "@bottom": -1}
    assert odd["Appearance"]["Class"]["Type"][0]["#text"] == "<odd> & all"


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        of_frame("gate", b'{"ts": 1.5}')


def test_an_event_in_json_is_as_in_the_specification() -> None:
    (place, text), (other, _) = of_event(CROSSED)
    assert place == "onvif-ej/RuleEngine/LineDetector/Crossed/&gate/mirante/door1 2"
    assert other == f"onvif-mx/Event/{place.partition('/')[2]}"
    assert json.loads(text) == {
        "UtcTime": "2021-10-05T15:13:27.321Z",
        "Source": {
            "VideoSource": "gate",
            "AnalyticsConfiguration": "mirante",
            "Rule": "door/1 #2",
        },
        "Data": {"ObjectId": "15", "ClassTypes": "Human"},
    }


INSIDE, CROSSES = "RuleEngine/FieldDetector/ObjectsInside", "RuleEngine/LineDetector/Crossed"
TOPICS: list[tuple[EventKind, dict[str, Any], str, dict[str, str]]] = [
    ("zone-entered", {"zone": "yard"}, INSIDE, {"IsInside": "true"}),
    ("zone-left", {"zone": "yard"}, INSIDE, {"IsInside": "false"}),
    ("camera-lost", {}, "VideoSource/SignalLoss", {"State": "true"}),
    ("camera:motion", {"active": False}, "VideoSource/MotionAlarm", {"State": "false"}),
    ("camera:line", {"line": "door"}, CROSSES, {}),
    ("nothing-seen", {"label": "cat"}, "RuleEngine/mirante:NothingSeen", {"ClassTypes": "Animal"}),
    ("camera:sound", {"active": True}, "RuleEngine/mirante:CameraSound", {"State": "true"}),
]


@pytest.mark.parametrize(("kind", "facts", "topic", "data"), TOPICS)
def test_each_kind_has_its_topic(
    kind: EventKind, facts: dict[str, Any], topic: str, data: dict[str, str]
) -> None:
    said = notification(Event(id="a", camera="gate", kind=kind, ts=TS, **facts))
    assert (said.topic, said.data) == (topic, data)


def test_who_reads_a_camera_reads_this() -> None:
    """Our own reader of cameras understands the XML."""
    inside = Event(id="a", camera="g", kind="zone-entered", ts=TS, zone="yard", label="person")
    _, xml = of_event(inside)[1]
    (told,) = [each for notice in notices_of(parse(xml)) for each in meaning(notice)]
    assert (told.kind, told.active, told.label, told.rule) == (
        "camera:field",
        True,
        "person",
        "yard",
    )
    assert message(notification(inside)).tag.endswith("MetadataStream")


def test_the_published_schema_holds() -> None:
    folder = os.environ.get("MIRANTE_ONVIF_SCHEMAS")
    if not folder:
        pytest.skip(
            "MIRANTE_ONVIF_SCHEMAS names no folder with ONVIF's XSD (github.com/onvif/specs)"
        )
    import xmlschema

    root = Path(folder)
    local = {
        "http://docs.oasis-open.org/wsn/b-2.xsd": "oasis/b-2.xsd",
        "http://docs.oasis-open.org/wsn/t-1.xsd": "oasis/t-1.xsd",
        "http://docs.oasis-open.org/wsrf/bf-2.xsd": "oasis/bf-2.xsd",
        "http://www.w3.org/2005/08/addressing/ws-addr.xsd": "oasis/ws-addr.xsd",
        "http://www.w3.org/2001/xml.xsd": "oasis/xml.xsd",
    }

    def mapped(uri: str) -> str:
        found = local.get(uri)
        return (root / found).as_uri() if found else uri

    files: list[Any] = [
        root / "wsdl/ver10/schema" / name for name in ("metadatastream.xsd", "onvif.xsd")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of imports that are not here, which nothing of this uses
        schema = xmlschema.XMLSchema11(files, uri_mapper=mapped, allow="local", validation="lax")
    assert schema.all_errors == []
    for _, xml in (of_frame("gate", TEXT)[1], of_event(CROSSED)[1]):
        schema.validate(xml.decode())
        with pytest.raises(xmlschema.XMLSchemaValidationError):
            schema.validate(xml.decode().replace("UtcTime", "Time"))
