"""What Home Assistant 2025 takes as a device over MQTT: names of fields, as it publishes them.

Facts read from its documentation of MQTT discovery and from its schemas. A field that is not listed
is dropped there in silence, so it is an error here.
"""

from __future__ import annotations

import re
from typing import Any

import jinja2

COMMON = {
    *("platform", "unique_id", "name", "icon", "entity_category", "enabled_by_default"),
    *("json_attributes_topic", "json_attributes_template", "entity_picture", "qos", "encoding"),
    *("availability", "availability_mode", "availability_topic", "availability_template"),
    *("payload_available", "payload_not_available", "default_entity_id"),
}
READ = {"state_topic", "value_template"}
WRITE = {"command_topic", "command_template", "optimistic", "retain", *READ}
OPTIONAL = {
    "binary_sensor": {
        *("device_class", "expire_after", "force_update", "off_delay", "payload_on"),
        *("payload_off", *READ),
    },
    "sensor": {
        *("device_class", "expire_after", "force_update", "last_reset_value_template", "options"),
        *("state_class", "suggested_display_precision", "unit_of_measurement", *READ),
    },
    "camera": {"topic", "image_encoding"},
    "event": {"device_class", "event_types", *READ},
    "switch": {
        *("device_class", "payload_on", "payload_off", "state_on", "state_off", *WRITE),
    },
    "number": {
        *("device_class", "min", "max", "step", "mode", "payload_reset", "unit_of_measurement"),
        *WRITE,
    },
}
REQUIRED = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "camera": {"topic"},
    "event": {"state_topic", "event_types"},
    "switch": {"command_topic"},
    "number": {"command_topic"},
}
DEVICE = {
    *("identifiers", "connections", "manufacturer", "model", "model_id", "name", "hw_version"),
    *("serial_number", "sw_version", "via_device", "suggested_area", "configuration_url"),
}
ORIGIN = {"name", "sw_version", "support_url"}
WHOLE = {
    *("device", "origin", "components", "availability", "availability_mode", "qos", "encoding"),
    *("availability_topic", "availability_template", "payload_available", "state_topic"),
    *("payload_not_available", "command_topic"),
}
BINARY_CLASSES = {
    *("battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "gas"),
    *("garage_door", "heat", "light", "lock", "moisture", "motion", "moving", "occupancy"),
    *("opening", "plug", "power", "presence", "problem", "running", "safety", "smoke", "sound"),
    *("tamper", "update", "vibration", "window"),
}
CATEGORIES = {"binary_sensor": {"diagnostic"}, "sensor": {"diagnostic"}}
TOPIC = re.compile(r"device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")


def trouble(topic: str, said: dict[str, Any]) -> list[str]:
    """Return what is wrong with a message on a topic below the discovery prefix."""
    found = [] if TOPIC.fullmatch(topic) else [f"topic: {topic}"]
    found += _fields("", said, WHOLE, {"device", "origin", "components"})
    found += _fields("device", said["device"], DEVICE, {"identifiers"})
    found += _fields("origin", said["origin"], ORIGIN, {"name"})
    ids = [each["unique_id"] for each in said["components"].values() if "unique_id" in each]
    if len(set(ids)) < len(ids):
        found.append("unique_id: one twice")
    for key, component in said["components"].items():
        found += [f"{key}: {words}" for words in _component(component)]
    return found


def rendered(template: str, value: str, json: Any = None) -> str:
    """Return what a template makes of a payload, as Home Assistant renders it."""
    made = _ENVIRONMENT.from_string(template).render(value=value, value_json=json)
    return str(made)


_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined)
_ENVIRONMENT.filters["tojson"] = __import__("json").dumps


def _fields(place: str, said: dict[str, Any], known: set[str], required: set[str]) -> list[str]:
    unknown = [f"{place}.{each}: unknown" for each in said.keys() - known]
    return unknown + [f"{place}.{each}: missing" for each in required - said.keys()]


def _component(said: dict[str, Any]) -> list[str]:
    platform = said.get("platform", "")
    if platform not in OPTIONAL:
        return [f"platform: {platform!r}"]
    if said.keys() == {"platform"}:
        return []  # it is removed
    found = _fields("", said, COMMON | OPTIONAL[platform], {"unique_id", *REQUIRED[platform]})
    if platform == "binary_sensor" and said.get("device_class", "door") not in BINARY_CLASSES:
        found.append(f"device_class: {said['device_class']}")
    allowed = CATEGORIES.get(platform, {"diagnostic", "config"})
    if said.get("entity_category", "diagnostic") not in allowed:
        found.append(f"entity_category: {said['entity_category']}")
    if said.get("state_class", "total") not in {"measurement", "total", "total_increasing"}:
        found.append(f"state_class: {said['state_class']}")
    if not re.fullmatch(r"\w+:[\w-]+", said.get("icon", "mdi:eye")):
        found.append(f"icon: {said['icon']}")
    for key, value in said.items():
        if key.endswith("topic") and re.search(r"[+#\0]", value):
            found.append(f"{key}: {value}")
        if key.endswith("template"):
            _ENVIRONMENT.parse(value)
    return found
