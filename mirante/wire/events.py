"""``Event`` to the field ``json`` of its Redis entry and back."""

from __future__ import annotations

import math

import msgspec

from mirante.events import Event
from mirante.wire.errors import UNREADABLE, WireError

_PX, _SHARE = 2, 4  # decimals
_DECIMALS = {
    "ts": 6,
    "best": 6,
    "score": _SHARE,
    "dwell_s": 3,
    "speed_kmh": 2,
    "speed_error_kmh": 2,
    "distance_m": 2,
}
_write = msgspec.json.Encoder()
_read = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """Write an event. Boxes and paths keep 0.01 px, shares 4 decimals, times 1 µs.

    Raises:
        WireError: naming a number that is not finite, or what a reader would refuse.
    """
    rounded = msgspec.structs.replace(
        event,
        **{
            name: _round(value, decimals, name)
            for name, decimals in _DECIMALS.items()
            if (value := getattr(event, name)) is not None
        },
        bbox=event.bbox and tuple(_round(each, _PX, "bbox") for each in event.bbox),
        votes={name: _round(share, _SHARE, "votes") for name, share in event.votes.items()},
        path=[(_round(x, _PX, "path"), _round(y, _PX, "path")) for x, y in event.path],
    )
    try:
        text = _write.encode(rounded)
    except UnicodeError as error:
        raise WireError(f"event {event.id!r}: {error}") from None
    decode_event(text)
    return text


def decode_event(text: bytes) -> Event:
    """Read the field ``json`` of an entry of ``events``.

    Raises:
        WireError: naming what is wrong, when it is no event of format 1.
    """
    try:
        return _read.decode(text)
    except UNREADABLE as error:
        raise WireError(f"no event of format 1: {error}") from None


def _round(value: float, digits: int, name: str) -> float:
    if not math.isfinite(value):
        raise WireError(f"{name}: expected a finite number, got {value}")
    return round(float(value), digits)
