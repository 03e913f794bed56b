"""Items as the JSON of the wire format, for bridges that pass messages on as they are."""

from __future__ import annotations

import msgspec

from bridges.item_kinds import ItemKind
from mirante.client.items import EVENT_FIELDS, Frame, Item, ReceivedEvent
from mirante.events import Event
from mirante.wire import encode

_write = msgspec.json.Encoder()


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
        return _write.encode(published(item))
    return _write.encode(item)


def published(event: Event) -> Event:
    """Return an event as its camera's worker wrote it, without what reading it has added."""
    return Event(**{name: getattr(event, name) for name in EVENT_FIELDS})
