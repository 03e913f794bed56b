"""The meaning of a camera's messages: which of our events it is, and whether it begins or ends.

Topics are those of ONVIF's Imaging, Analytics and Device IO specifications and of what Axis,
Hikvision, Dahua, Reolink, TP-Link and others are known to send. One that is not known here is no
event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mirante.events import EventKind
from pipeline.cameras.onvif.notices import Notice

_TRUE, _FALSE = {"true", "1", "active", "on", "yes"}, {"false", "0", "inactive", "off", "no"}
# The last two parts of a topic, in small letters; "*" for any last part.
_TOPICS: dict[tuple[str, str], EventKind] = {
    ("videosource", "motionalarm"): "camera:motion",
    ("motionregiondetector", "motion"): "camera:motion",
    ("cellmotiondetector", "motion"): "camera:cell-motion",
    ("vmd", "*"): "camera:motion",
    ("linedetector", "crossed"): "camera:line",
    ("cellmotiondetector", "linecross"): "camera:line",
    ("fielddetector", "objectsinside"): "camera:field",
    ("myruledetector", "objectsinside"): "camera:field",
    ("cellmotiondetector", "intrusion"): "camera:field",
    ("loiteringdetector", "*"): "camera:field",
    ("tamperdetector", "tamper"): "camera:tamper",
    ("cellmotiondetector", "tamper"): "camera:tamper",
    ("globalscenechange", "*"): "camera:tamper",
    ("imagetoodark", "*"): "camera:tamper",
    ("imagetoobright", "*"): "camera:tamper",
    ("imagetooblurry", "*"): "camera:tamper",
    ("trigger", "digitalinput"): "camera:input",
    ("audio", "detectedsound"): "camera:sound",
    ("*", "visitor"): "camera:visitor",
    ("objectanalytics", "*"): "camera:object",
    ("objectdetector", "*"): "camera:object",
    ("objectdetection", "*"): "camera:object",
    ("*", "objectdetection"): "camera:object",
}
# What cameras call the objects that they know, in small letters, and our classes.
_CLASSES = {
    "human": "person",
    "people": "person",
    "person": "person",
    "pedestrian": "person",
    "vehicle": "vehicle",
    "vehical": "vehicle",
    "car": "car",
    "bus": "bus",
    "truck": "truck",
    "bike": "bicycle",
    "bicycle": "bicycle",
    "motorcycle": "motorcycle",
    "animal": "animal",
    "pet": "animal",
    "dogcat": "animal",
    "face": "face",
    "humanface": "face",
    "licenseplate": "licence plate",
    "package": "package",
    "babycry": "baby cry",
}
_DETECTS = re.compile(r"(.+?)(?:detect(?:or|ion|ed)?)?$")
_CLASS_ITEMS = {"classtypes", "classtype", "objecttype", "objectclass", "type", "class"}
# Of a message with one item for each thing that may have happened.
_ITEMS: dict[str, EventKind] = {
    "islinecross": "camera:line",
    "isintrusion": "camera:field",
    "istamper": "camera:tamper",
    "ismotion": "camera:motion",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a camera reports.

    Attributes:
        kind: of the event.
        active: true as it begins, false as it ends; None for a moment.
        label: the object's class, where the camera says it.
        rule: the camera's name of the line or the area.
        direction: across a line, where the camera says it.
    """

    kind: EventKind
    active: bool | None
    label: str = ""
    rule: str = ""
    direction: str = ""


def names_all(notice: Notice) -> bool:
    """Return whether a message lists the classes of all objects that are there: others are gone."""
    return bool(notice.operation) and any(name.lower() in _CLASS_ITEMS for name in notice.data)


def meaning(notice: Notice) -> list[Told]:
    """Return what a message reports; nothing for a topic that is not known."""
    parts = notice.topic.lower().split("/")
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    rule = notice.source.get("Rule", notice.source.get("RuleName", ""))
    if before == "tpsmarteventdetector" or last == "tpsmartevent":
        return list(_by_item(notice, rule))
    active = _active(notice)
    kind = next(
        (_TOPICS[each] for each in ((before, last), (before, "*"), ("*", last)) if each in _TOPICS),
        None,
    )
    if kind is None or kind == "camera:object":
        labels = _labels(notice) if kind else []
        if not labels and (named := _class_of(last)):
            labels, kind = [named], "camera:object"
        if kind is None or (names_all(notice) and not labels):
            return []
        if active is None and names_all(notice):
            active = True
        return [Told(kind, active, label, rule) for label in labels or [""]]
    return [Told(kind, active, _label(notice), rule, _direction(notice))]


def _by_item(notice: Notice, rule: str) -> Iterator[Told]:
    for name, value in notice.data.items():
        active = _truth(value)
        if active is None:
            continue
        item = name.lower()
        if kind := _ITEMS.get(item):
            yield Told(kind, active and notice.operation != "Deleted", "", rule)
        elif label := _CLASSES.get(item.removeprefix("is")):
            yield Told("camera:object", active and notice.operation != "Deleted", label, rule)


def _active(notice: Notice) -> bool | None:
    """Return what the state is that a message names; None where it names none."""
    if notice.operation == "Deleted":
        return False
    states = {name.lower(): _truth(value) for name, value in notice.data.items()}
    known = [value for name, value in states.items() if value is not None and _is_state(name)]
    return known[0] if known else None


def _is_state(name: str) -> bool:
    return name.startswith("is") or name in {"state", "active", "logicalstate", "value", "crossed"}


def _truth(value: str) -> bool | None:
    text = value.strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def _class_of(name: str) -> str:
    found = _DETECTS.match(name)
    return _CLASSES.get(found[1], "") if found else ""


def _labels(notice: Notice) -> list[str]:
    """Return the classes that a message names, ours where they are known, each once."""
    texts = [value for name, value in notice.data.items() if name.lower() in _CLASS_ITEMS]
    names = [name for text in texts for name in re.split(r"[\s,;]+", text) if name]
    return list(dict.fromkeys(_CLASSES.get(name.lower(), name.lower()) for name in names))[:16]


def _label(notice: Notice) -> str:
    labels = _labels(notice)
    return labels[0] if len(labels) == 1 else ""


def _direction(notice: Notice) -> str:
    said = next((v for k, v in notice.data.items() if k.lower() == "direction"), "").lower()
    return {"left": "left", "right": "right", "in": "in", "out": "out"}.get(said, "")
