"""Objects of a frame as ONVIF's scene description (Analytics Service Specification, 5)."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace

import msgspec

SCHEMA = "http://www.onvif.org/ver10/schema"
MODULE = "mirante"
"""Name of the analytics module that finds the objects."""

# The type that ONVIF has for a class, and those that follow it.
_TYPES: dict[str, tuple[str, ...]] = {
    "person": ("Human",),
    "face": ("HumanFace",),
    "bicycle": ("Bike", "Bicycle"),
    "motorcycle": ("Bike", "Motorcycle"),
    "car": ("Vehicle", "Car"),
    "bus": ("Vehicle", "Bus"),
    "truck": ("Vehicle", "Truck"),
    "licence plate": ("LicensePlate",),
    "license plate": ("LicensePlate",),
    "fire": ("Fire",),
    "smoke": ("Smoke",),
    **dict.fromkeys(("bird", "cat", "cow", "dog", "horse", "sheep", "animal"), ("Animal",)),
}
register_namespace("tt", SCHEMA)


class _Object(msgspec.Struct):
    label: str
    score: float
    bbox: tuple[float, float, float, float]
    track_id: int | None = None


class _Frame(msgspec.Struct):
    """A message of the kind ``detections``, as far as it is needed here."""

    ts: float
    size: tuple[int, int]
    objects: list[_Object] = []


_read_frame = msgspec.json.Decoder(_Frame)


def scene(text: bytes) -> Element:
    """Return a ``tt:MetadataStream`` with one frame.

    Its coordinates are ONVIF's own: -1 to 1 from left to right, and from the bottom to the top.

    Args:
        text: JSON of an entry of ``detections``.

    Raises:
        msgspec.MsgspecError: it is no such message.
    """
    found = _read_frame.decode(text)
    stream = Element(tag("MetadataStream"))
    frame = SubElement(SubElement(stream, tag("VideoAnalytics")), tag("Frame"))
    frame.attrib |= {"UtcTime": utc(found.ts), "Source": MODULE}
    width, height = found.size
    for each in found.objects:
        said = SubElement(frame, tag("Object"))
        if each.track_id is not None and each.track_id > 0:
            said.set("ObjectId", str(each.track_id))
        look = SubElement(said, tag("Appearance"))
        _shape(SubElement(look, tag("Shape")), each.bbox, width, height)
        types = SubElement(look, tag("Class"))
        for name in types_of(each.label):
            SubElement(types, tag("Type"), Likelihood=f"{each.score:.4g}").text = name
    return stream


def types_of(label: str) -> tuple[str, ...]:
    """Return ONVIF's types of a class, the most general first; else the class itself."""
    return _TYPES.get(label.lower(), (label,))


def tag(name: str) -> str:
    """Return the name of an element of ONVIF's schema."""
    return f"{{{SCHEMA}}}{name}"


def utc(unix_s: float) -> str:
    """Return Unix seconds as an xs:dateTime, to the millisecond."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _shape(
    shape: Element, bbox: tuple[float, float, float, float], width: int, height: int
) -> None:
    left, top, right, bottom = bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3]
    x0, x1 = (_place(2 * each / width - 1) for each in (left, right))
    y0, y1 = (_place(1 - 2 * each / height) for each in (top, bottom))
    SubElement(shape, tag("BoundingBox"), left=x0, top=y0, right=x1, bottom=y1)
    middle = _place((left + right) / width - 1), _place(1 - (top + bottom) / height)
    SubElement(shape, tag("CenterOfGravity"), x=middle[0], y=middle[1])


def _place(value: float) -> str:
    return f"{round(value, 5) + 0.0:g}"
