"""Items as the JSON of the wire format, for bridges that pass messages on as they are."""

from __future__ import annotations

import msgspec

from bridges.item_kinds import ItemKind
from mirante.client.items import EVENT_FIELDS, Frame, Item, ReceivedEvent
from mirante.events import Event
from mirante.wire import encode
from mirante.wire.events import encode_event

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
        return encode_event(Event(**{name: getattr(item, name) for name in EVENT_FIELDS}))
    return _write.encode(item)
