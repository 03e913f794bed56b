"""Bodies of ``multipart/form-data`` (RFC 7578)."""

from __future__ import annotations

import secrets
from typing import NamedTuple


class Part(NamedTuple):
    """A part of a form.

    Attributes:
        name: of its field.
        data: as it is.
        media: its Content-Type; empty for plain text fields.
        file: name of the file that it is; empty where it is none.
    """

    name: str
    data: bytes
    media: str = ""
    file: str = ""


def form(*parts: Part) -> tuple[str, bytes]:
    """Return the Content-Type and the body of a form; the boundary is random and in no part."""
    boundary = secrets.token_hex(16).encode()
    body = bytearray()
    for part in parts:
        file = f'; filename="{part.file}"' if part.file else ""
        body += b"--%b\r\n" % boundary
        body += f'Content-Disposition: form-data; name="{part.name}"{file}\r\n'.encode()
        body += f"Content-Type: {part.media}\r\n".encode() if part.media else b""
        body += b"\r\n%b\r\n" % part.data
    body += b"--%b--\r\n" % boundary
    return f"multipart/form-data; boundary={boundary.decode()}", bytes(body)
