"""Home Assistant's discovery: one device for each camera, as one message that its broker keeps.

What the fields are called is Home Assistant's; ``docs/bridges/mqtt.md`` lists the entities.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from typing import Any, get_args

from bridges.mqtt.board import Camera
from bridges.mqtt.topics import Topics
from mirante.events import EventKind

Component = dict[str, Any]

_RUNNING = "{{ 'online' if value_json.state == 'running' else 'offline' }}"
_CONNECTED = "{{ 'ON' if value_json.state == 'running' else 'OFF' }}"
_SOME = "{{ 'ON' if value | int(0) > 0 else 'OFF' }}"
_EVENT = (
    "{{ {'event_type': value_json.kind, 'label': value_json.label | default(''), "
    "'zone': value_json.zone | default(''), 'line': value_json.line | default(''), "
    "'direction': value_json.direction | default(''), 'score': value_json.score | default(none), "
    "'id': value_json.id} | tojson }}"
)
_PRESENCE = {"person": "occupancy", "car": "motion"}


def identity(name: str) -> str:
    """Return a name in letters, digits, ``_`` and ``-``: no two names are the same."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def announced_at(prefix: str, camera: str, ours: str = "mirante") -> str:
    """Return the topic on which a camera is announced; an empty message removes it.

    Args:
        prefix: Home Assistant's own.
        camera: its name.
        ours: the prefix of our topics, which tells installations apart.
    """
    return f"{prefix}/device/{identity(f'{ours}_{camera}')}/config"


def device(
    camera: Camera, topics: Topics, commands: bool = False, snapshots: bool = True
) -> dict[str, Any]:
    """Return the message that announces a camera with all of its entities.

    Args:
        camera: as it is now: its classes, zones and lines become entities.
        topics: where they are published.
        commands: entities that change something are announced too.
        snapshots: images are published.
    """
    whole = identity(f"{topics.prefix}_{camera.name}")
    components = {
        **_of_the_camera(camera, topics, snapshots),
        **_of_classes(camera, topics),
        **_of_places(camera, topics),
        **(_of_commands(camera, topics) if commands else {}),
    }
    for key, component in components.items():
        component["unique_id"] = f"{whole}_{key}"
    release = version("mirante")
    return {
        "device": {
            "identifiers": [whole],
            "name": camera.name,
            "manufacturer": "Mirante",
            "model": "camera",
            "sw_version": release,
        },
        "origin": {"name": "Mirante", "sw_version": release},
        "components": components,
        "qos": 1,
    }


def removed(said: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return a message with what is to be removed in it: components that were and are no more."""
    gone = {
        key: {"platform": component["platform"]}
        for key, component in said["components"].items()
        if key not in now["components"] and len(component) > 1
    }
    return {**now, "components": {**now["components"], **gone}} if gone else now


def _available(topics: Topics, camera: Camera | None = None) -> Component:
    places: list[dict[str, str]] = [{"topic": topics.available}]
    if camera is not None:
        state = topics.of(camera.name, "state")
        places.append({"topic": state, "value_template": _RUNNING})
    return {"availability": places, "availability_mode": "all"}


def _of_the_camera(camera: Camera, topics: Topics, snapshots: bool) -> dict[str, Component]:
    state = topics.of(camera.name, "state")
    found: dict[str, Component] = {
        "connection": {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": state,
            "value_template": _CONNECTED,
            "json_attributes_topic": state,
            **_available(topics),
        },
        "state": {
            "platform": "sensor",
            "name": "State",
            "icon": "mdi:cctv",
            "entity_category": "diagnostic",
            "state_topic": state,
            "value_template": "{{ value_json.state }}",
            **_available(topics),
        },
        "events": {
            "platform": "event",
            "name": "Events",
            "state_topic": topics.of(camera.name, "events"),
            "event_types": list(get_args(EventKind)),
            "value_template": _EVENT,
            **_available(topics),
        },
    }
    if snapshots:
        image = topics.of(camera.name, "snapshot")
        found["image"] = {
            "platform": "camera",
            "name": "Image",
            "topic": image,
            **_available(topics),
        }
    return found


def _of_classes(camera: Camera, topics: Topics) -> dict[str, Component]:
    found: dict[str, Component] = {}
    for label in sorted(camera.classes):
        key, count = identity(label), topics.of(camera.name, "counts", label)
        said, presence = label.capitalize(), _PRESENCE.get(label, "occupancy")
        found[f"present_{key}"] = _switched(said, count, presence, topics, camera, _SOME)
        found[f"count_{key}"] = _number(f"{said} count", count, "measurement", topics, camera)
    return found


def _of_places(camera: Camera, topics: Topics) -> dict[str, Component]:
    if camera.frame is None:
        return {}
    found: dict[str, Component] = {}
    for name in sorted(camera.frame.zones):
        found |= _of_zone(name, camera, topics)
    for name in sorted(camera.frame.lines):
        for what in ("in", "out"):
            place = topics.of(camera.name, "lines", name, what)
            found[f"line-{what}_{identity(name)}"] = _number(
                f"Line {name} {what}", place, "total_increasing", topics, camera
            )
    return found


def _of_zone(name: str, camera: Camera, topics: Topics) -> dict[str, Component]:
    key, title = identity(name), f"Zone {name}"
    at = {
        what: topics.of(camera.name, "zones", name, what)
        for what in ("inside", "entered", "left", "crowded")
    }
    inside, crowded = at["inside"], at["crowded"]
    found = {
        f"zone_{key}": _switched(title, inside, "occupancy", topics, camera, _SOME),
        f"zone-inside_{key}": _number(f"{title} inside", inside, "measurement", topics, camera),
    }
    for what in ("entered", "left"):
        found[f"zone-{what}_{key}"] = _number(
            f"{title} {what}", at[what], "total_increasing", topics, camera
        )
    found[f"zone-crowded_{key}"] = _switched(f"{title} crowded", crowded, "problem", topics, camera)
    return found


def _switched(
    name: str, place: str, device_class: str, topics: Topics, camera: Camera, template: str = ""
) -> Component:
    """Return what is on or off; ``template`` reads it where the payload is not ON or OFF."""
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": device_class,
        "state_topic": place,
        **({"value_template": template} if template else {}),
        **_available(topics, camera),
    }


def _number(name: str, place: str, state_class: str, topics: Topics, camera: Camera) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "state_class": state_class,
        "state_topic": place,
        "icon": "mdi:counter",
        **_available(topics, camera),
    }


def _of_commands(camera: Camera, topics: Topics) -> dict[str, Component]:
    found: dict[str, Component] = {
        "paused": _switch("Paused", topics.of(camera.name, "pause"), topics, "mdi:pause"),
    }
    for model in camera.thresholds():
        place = topics.of(camera.name, "threshold", model)
        found[f"threshold_{identity(model)}"] = {
            "platform": "number",
            "name": f"Minimum score of {model}",
            "icon": "mdi:tune",
            "entity_category": "config",
            "command_topic": f"{place}/set",
            "state_topic": f"{place}/state",
            "min": 0,
            "max": 1,
            "step": 0.01,
            **_available(topics),
        }
    for name in sorted(camera.rules("zones")):
        place = topics.of(camera.name, "zones", name)
        found[f"zone-on_{identity(name)}"] = _switch(
            f"Zone {name} on", place, topics, "mdi:vector-square"
        )
    return found


def _switch(name: str, place: str, topics: Topics, icon: str) -> Component:
    return {
        "platform": "switch",
        "name": name,
        "icon": icon,
        "entity_category": "config",
        "command_topic": f"{place}/set",
        "state_topic": f"{place}/state",
        **_available(topics),
    }
