"""Events as notifications of ONVIF (Core and Analytics Service Specification)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, register_namespace

from bridges.onvif.scene import MODULE, tag, types_of, utc
from mirante.events import Event

_NOTIFICATION = "http://docs.oasis-open.org/wsn/b-2"
_DIALECT = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
_TOPICS, _OURS = "http://www.onvif.org/ver10/topics", "urn:mirante:topics"
register_namespace("wsnt", _NOTIFICATION)


@dataclass(frozen=True, slots=True)
class Notification:
    """What ONVIF says of an event.

    Attributes:
        topic: without the prefix of ONVIF's own names, as over MQTT; ours have ``mirante:``.
        source: what it is about, in the order of its topic over MQTT.
        data: what it says.
        at: when.
        operation: ``Changed`` of a state that lasts, else empty.
    """

    topic: str
    source: dict[str, str]
    data: dict[str, str]
    at: str
    operation: str = ""

    @property
    def level(self) -> str:
        """The levels of its topic over MQTT: what it is about comes behind an ampersand."""
        values = "/".join(_level(value) for value in self.source.values())
        return f"{self.topic}/&{values}"


def notification(event: Event) -> Notification:
    """Return what ONVIF says of an event; what it has no topic for goes to one of ours."""
    topic, rule, state = _MEANT.get(event.kind, _ours)(event)
    source = {"VideoSource": event.camera, "AnalyticsConfiguration": MODULE}
    if topic.startswith("VideoSource/"):
        source = {"Source": event.camera}
    elif rule:
        source["Rule"] = rule
    data = dict(state)
    if event.track_id is not None:
        data["ObjectId"] = str(event.track_id)
    if event.label:
        data["ClassTypes"] = types_of(event.label)[0]
    if topic == "RuleEngine/LineDetector/Crossed" and event.direction:
        data["Direction"] = event.direction
    return Notification(topic, source, data, utc(event.ts), "Changed" if state else "")


def message(said: Notification) -> Element:
    """Return a ``tt:MetadataStream`` with one notification."""
    stream = Element(tag("MetadataStream"))
    stream.attrib |= {"xmlns:tns1": _TOPICS, "xmlns:mirante": _OURS}
    holder = SubElement(SubElement(stream, tag("Event")), f"{{{_NOTIFICATION}}}NotificationMessage")
    topic = SubElement(holder, f"{{{_NOTIFICATION}}}Topic", Dialect=_DIALECT)
    topic.text = f"tns1:{said.topic}"
    inside = SubElement(SubElement(holder, f"{{{_NOTIFICATION}}}Message"), tag("Message"))
    inside.set("UtcTime", said.at)
    if said.operation:
        inside.set("PropertyOperation", said.operation)
    for name, items in (("Source", said.source), ("Data", said.data)):
        part = SubElement(inside, tag(name))
        for key, value in items.items():
            SubElement(part, tag("SimpleItem"), Name=key, Value=value)
    return stream


_Meant = tuple[str, str, dict[str, str]]


def _in_zone(event: Event) -> _Meant:
    inside = "true" if event.kind == "zone-entered" else "false"
    return "RuleEngine/FieldDetector/ObjectsInside", event.zone, {"IsInside": inside}


def _told(topic: str, item: str) -> Callable[[Event], _Meant]:
    """Make what reads one of a camera's own events."""

    def meant(event: Event) -> _Meant:
        if event.active is None:
            return topic, event.line or event.zone, {}
        return topic, event.line or event.zone, {item: "true" if event.active else "false"}

    return meant


def _ours(event: Event) -> _Meant:
    name = "".join(part.capitalize() for part in event.kind.replace(":", "-").split("-"))
    state = {} if event.active is None else {"State": "true" if event.active else "false"}
    return f"RuleEngine/mirante:{name}", event.zone or event.line, state


_MEANT: dict[str, Callable[[Event], _Meant]] = {
    "zone-entered": _in_zone,
    "zone-left": _in_zone,
    "line-crossed": lambda event: ("RuleEngine/LineDetector/Crossed", event.line, {}),
    "camera-lost": lambda _: ("VideoSource/SignalLoss", "", {"State": "true"}),
    "camera-back": lambda _: ("VideoSource/SignalLoss", "", {"State": "false"}),
    "camera:motion": _told("VideoSource/MotionAlarm", "State"),
    "camera:cell-motion": _told("RuleEngine/CellMotionDetector/Motion", "IsMotion"),
    "camera:line": _told("RuleEngine/LineDetector/Crossed", "IsCrossed"),
    "camera:field": _told("RuleEngine/FieldDetector/ObjectsInside", "IsInside"),
    "camera:tamper": _told("RuleEngine/TamperDetector/Tamper", "IsTamper"),
}


def _level(value: str) -> str:
    """What MQTT does not allow in a level is left out, as the specification has it."""
    return "".join(sign for sign in value if sign not in "#+/" and sign.isprintable())
