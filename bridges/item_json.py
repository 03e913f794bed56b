"""Items as the JSON of the wire format, for bridges that pass messages on as they are."""

from __future__ import annotations

from typing import Literal

import msgspec

from engines.commands import names_in, names_of
from mirante.client.items import EVENT_FIELDS, Frame, Item, ReceivedEvent
from mirante.events import Event
from mirante.wire import encode
from mirante.wire.events import encode_event

ItemKind = Literal["detections", "events", "status"]
KINDS: tuple[ItemKind, ...] = ("events", "detections", "status")
_write = msgspec.json.Encoder()


def kinds_in(text: str) -> tuple[ItemKind, ...]:
    """Return the kinds in an option's ``events,status``.

    Raises:
        ValueError: one is of no kind.
    """
    names_of("--kinds", "kind", text, KINDS)
    return tuple(kind for kind in KINDS if kind in names_in(text))


def kind_of(item: Item) -> ItemKind:
    """Return the kind of stream that an item is of."""
    if isinstance(item, Frame):
        return "detections"
    return "events" if isinstance(item, ReceivedEvent) else "status"


def json_of(item: Item) -> bytes:
    """Return the field ``json`` of an item's entry, as the published schemas describe it.

    Masks and vectors are in other fields, and left out.
    """
    if isinstance(item, Frame):
        return encode(item).detections["json"]
    if isinstance(item, ReceivedEvent):
        return encode_event(Event(**{name: getattr(item, name) for name in EVENT_FIELDS}))
    return _write.encode(item)
