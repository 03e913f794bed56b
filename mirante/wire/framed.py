"""A JSON header in front of bytes: how images travel where no Redis entry holds them.

The header's length in 4 bytes, big endian; the header; the rest.
"""

from __future__ import annotations

from typing import Any

import msgspec

_LENGTH = 4
_write = msgspec.json.Encoder()


def framed(header: Any, *parts: bytes) -> bytes:
    """The message: ``header``, which msgspec can write as JSON, and the parts one after another."""
    head = _write.encode(header)
    return b"".join((len(head).to_bytes(_LENGTH, "big"), head, *parts))


def unframed(message: bytes) -> tuple[bytes, bytes]:
    """The header's JSON, and what follows it.

    Raises:
        ValueError: the message is shorter than it says.
    """
    length = int.from_bytes(message[:_LENGTH], "big")
    if len(message) < _LENGTH + length:
        raise ValueError(f"expected a header of {length} bytes, got {len(message)} in all")
    return message[_LENGTH : _LENGTH + length], message[_LENGTH + length :]
