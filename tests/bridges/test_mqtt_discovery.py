"""Announcements to Home Assistant hold the fields that it publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridges.mqtt.board import Camera, Frame, kept
from bridges.mqtt.discovery import announced_at, device, identity, removed
from bridges.mqtt.options import Options
from bridges.mqtt.topics import Topics, level, name_of
from mirante.zones import LineCount, ZoneCount
from pipeline.control.entries import Desired
from tests.support.bridged import event, status
from tests.support.home_assistant import rendered, trouble
from tests.support.outcome import Run

TOPICS = Topics("mirante")


def camera(name: str = "gate", *, zone: str = "door", paused: bool = False) -> Camera:
    zones = {zone: ZoneCount(inside=1, entered=4, left=3)} if zone else {}
    objects = [{"label": "person"}, {"label": "traffic light"}]
    frame = msgspec.convert({"objects": objects}, Frame)
    frame.zones, frame.lines = zones, {"gate": LineCount(in_=2, out=1)}
    rules = {"zones": {zone: {"polygon": [[0, 0], [1, 0], [1, 1]]}}}
    spec = {"url": "test://", "stages": [{"model": "street"}, rules]}
    made = Camera(name, Desired(name, spec, "api", "main", paused), status(name), frame)
    kept(made, TOPICS)  # it sees the classes
    return made


@pytest.mark.parametrize("name", ["gate", "a.b-c_d", "A" * 64])
@pytest.mark.parametrize("zone", ["door", "side.door", ""])
@pytest.mark.parametrize("prefix", ["mirante", "home/north wing"])
def test_home_assistant_takes_it(name: str, zone: str, prefix: str) -> None:
    said = device(camera(name, zone=zone), Topics(prefix), commands=True)
    topic = announced_at("homeassistant", name, prefix)
    assert topic.startswith("homeassistant/")
    assert trouble(topic.removeprefix("homeassistant/"), said) == []


def test_every_entity_reads_what_is_published() -> None:
    one = camera()
    said = device(one, TOPICS, commands=True)["components"]
    published = kept(one, TOPICS)
    for key, component in said.items():
        topic = component.get("state_topic", component.get("topic"))
        if component["platform"] in {"switch", "number", "event", "camera"}:
            continue  # published by others; they are in test_mqtt.py
        payload = published[topic].decode()
        template = component.get("value_template", "{{ value }}")
        value = rendered(template, payload, json.loads(payload) if payload[0] == "{" else None)
        expected = {"binary_sensor": {"ON", "OFF"}}.get(component["platform"])
        assert expected is None or value in expected, key
        assert expected or value.isdecimal() or key == "state", key
    assert {"present_person", "count_person", "zone_door", "zone-entered_door"} <= said.keys()
    assert {"line-in_gate", "connection", "image", "events", "paused"} <= said.keys()
    assert "threshold_street" in said
    template = said["events"]["value_template"]
    text = msgspec.json.encode(event(3))
    became = json.loads(rendered(template, text.decode(), json.loads(text)))
    assert (became["event_type"], became["zone"]) == ("zone-entered", "door")
    assert became["event_type"] in said["events"]["event_types"]


def test_availability_follows_the_camera_and_the_bridge() -> None:
    one = camera(paused=True)
    places = device(one, TOPICS)["components"]["count_person"]["availability"]
    assert [each["topic"] for each in places] == ["mirante/available", "mirante/gate/state"]
    text = kept(one, TOPICS)["mirante/gate/state"]
    assert rendered(places[1]["value_template"], "", json.loads(text)) == "offline"
    assert json.loads(text)["reason"] == "paused"


def test_no_entity_that_commands_where_none_is_obeyed() -> None:
    said = device(camera(), TOPICS)["components"].values()
    assert not [each for each in said if "command_topic" in each]


def test_entities_that_are_gone_are_removed() -> None:
    before, now = device(camera(), TOPICS), device(camera(zone=""), TOPICS)
    said = removed(before, now)
    assert trouble("device/x/config", said) == []
    assert said["components"]["zone_door"] == {"platform": "binary_sensor"}
    assert removed(now, now) is now


def test_names_become_levels_and_identities_of_their_own() -> None:
    for name in (
        "person",
        "traffic light",
        "a/b+c#d%e",
        "Füßgänger",
        "a\n",
        "b\x85c\ufffe\U0001ffff",
    ):
        assert name_of(level(name)) == name
        assert not set("/+#\n\x85\ufffe\U0001ffff") & set(level(name))
    assert level("traffic light") == "traffic light"
    names = ["a.b", "a-b", "a b", "a/b"]
    assert len({identity(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://x"}, "BROKER: expected mqtt://host:port"),
        ({"url": "mqtt://"}, "BROKER: expected mqtt://host:port"),
        ({"url": "mqtt://u:secret@h:x"}, "got 'mqtt://h:x'"),
        ({"url": "mqtt://h", "ca": Path("x")}, "--ca x: expected an address mqtts://"),
        ({"url": "mqtts://h", "ca": Path("/nowhere")}, "--ca: expected a file, got /nowhere"),
        ({"url": "mqtts://h", "key": Path(__file__)}, "--key: expected --cert with it"),
        ({"url": "user:secret@h"}, "got 'h'"),
        ({"url": "mqtt://u:1#secret@h"}, "BROKER: expected mqtt://host:port"),
        ({"url": "mqtt://h", "password_file": Path(__file__)}, "--password-file: expected a user"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        Options(**options).place()
        Options(**options).login()
    assert "secret" not in str(raised.value)


def test_what_is_encrypted_is_so_however_it_is_written() -> None:
    assert Options(url="MQTTS://h").is_tls


@pytest.mark.parametrize("text", ["a+b", "a//b", "/a", "a\x85", "a%b"])
def test_prefixes_are_checked(mirante: Run, text: str) -> None:
    for option in ("--prefix", "--discovery"):
        outcome = mirante("bridge", "mqtt", "mqtt://h", option, text)
        assert f"{option}: expected levels of a topic" in outcome.err, outcome.err
