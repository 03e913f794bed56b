"""Signatures of requests, as Standard Webhooks 1.0 has them (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hmac

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """Return the key of a secret: what ``whsec_…`` says in base64, else the text's UTF-8 bytes.

    Raises:
        ValueError: what is behind ``whsec_`` is not base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"expected base64 behind {PREFIX}") from None


def signed_headers(key: bytes, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed request.

    HMAC-SHA256 is taken of ``<webhook-id>.<webhook-timestamp>.<body>``, the body byte for byte as
    it is sent, and written in base64 behind ``v1,``.

    Args:
        key: as ``signing_key`` returns it.
        identity: the same each time that the message is sent.
        timestamp: Unix seconds of this try.
        body: of the request.
    """
    digest = hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
