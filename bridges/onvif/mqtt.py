"""Topics and payloads of ONVIF over MQTT (Core Specification, 9.12; Analytics Specification, 7).

``onvif-ej`` are events and ``onvif-mj`` frames, in JSON, as the specifications have them;
``onvif-mx`` has both as ``tt:MetadataStream`` in XML, which they only send over RTSP.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, tostring

import msgspec

from bridges.onvif.notification import message, notification
from bridges.onvif.scene import MODULE, scene
from mirante.events import Event

_LISTS = {"Frame", "Object", "Type"}  # that may be there several times
_TEXTS = {"UtcTime", "Source"}
Sent = tuple[str, bytes]  # levels behind the camera's, and payload


def of_event(event: Event) -> list[Sent]:
    """Return the messages of an event."""
    said = notification(event)
    body = {"UtcTime": said.at, "Source": said.source, "Data": said.data}
    return [
        (f"onvif-ej/{said.level}", msgspec.json.encode(body)),
        (f"onvif-mx/Event/{said.level}", _xml(message(said))),
    ]


def of_frame(camera: str, text: bytes) -> list[Sent]:
    """Return the messages of a frame.

    Args:
        camera: its name, which is that of its profile.
        text: JSON of an entry of ``detections``.

    Raises:
        msgspec.MsgspecError: it is no such message.
    """
    stream = scene(text)
    place = f"VideoAnalytics/{camera}/{MODULE}"
    return [
        (f"onvif-mj/{place}", msgspec.json.encode(_plain(stream[0]))),
        (f"onvif-mx/{place}", _xml(stream)),
    ]


def _xml(stream: Element) -> bytes:
    text: bytes = tostring(stream, encoding="utf-8", xml_declaration=True)
    return text


def _plain(element: Element) -> dict[str, Any]:
    """Return an element as ONVIF's JSON has it: ``@`` before attributes, lists where there may be
    several.
    """
    found: dict[str, Any] = {}
    for name, value in element.attrib.items():
        found[f"@{name}"] = value if name in _TEXTS else float(value)
        if name == "ObjectId":
            found["@ObjectId"] = int(value)
    if element.text:
        found["#text"] = element.text
    for child in element:
        name = child.tag.partition("}")[2]
        if name in _LISTS:
            found.setdefault(name, []).append(_plain(child))
        else:
            found[name] = _plain(child)
    return found
