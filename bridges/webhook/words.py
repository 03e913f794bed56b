"""Events in a sentence, for messages that people read."""

from __future__ import annotations

from mirante.events import Event

_DEEDS = {
    "object-new": "appeared",
    "object-update": "is still there",
    "object-end": "left",
    "zone-entered": "entered",
    "zone-left": "left",
    "line-crossed": "crossed",
    "lane-departure": "left its lane",
}
_STATES = {
    "camera-lost": "camera lost",
    "camera-back": "camera back",
    "nothing-seen": "nothing seen for long",
    "test": "test",
}

_OWN = {
    "camera:motion": "motion",
    "camera:cell-motion": "motion",
    "camera:line": "line crossed",
    "camera:field": "something in the area",
    "camera:object": "object",
    "camera:tamper": "tampering",
    "camera:input": "input active",
    "camera:sound": "sound",
    "camera:visitor": "visitor",
}


def event_sentence(event: Event) -> str:
    """Return ``person entered zone door``, ``3 objects in zone door``, ``camera lost: why``, or
    ``motion ended: why`` of a camera's own events.

    A kind of a later version is named as it is.
    """
    words = _STATES.get(event.kind) or _deed(event)
    return f"{words}: {event.reason}" if event.reason else words


def _deed(event: Event) -> str:
    place = f"zone {event.zone}" if event.zone else f"line {event.line}" if event.line else ""
    if event.kind in _OWN:
        where = f" ({event.zone or event.line})" if event.zone or event.line else ""
        end = " ended" if event.active is False else ""
        return f"{event.label or _OWN[event.kind]}{where}{end}"
    if event.kind == "zone-crowded":
        return f"{event.count} objects in {place}"
    deed = _DEEDS.get(event.kind, event.kind)
    words = [event.label or "something", deed, place if deed != "appeared" else ""]
    said = " ".join(word for word in words if word)
    return f"{said}, {event.direction}" if event.direction else said
