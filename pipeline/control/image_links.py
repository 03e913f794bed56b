"""Signed links to the images of events, which open without a login until they expire."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import urlencode

from pipeline.config.image_links import LONGEST_H

PATH = "/api/v1/event-image"
"""Of the dashboard; the parameters are ``camera``, ``entry``, ``until`` and ``signature``."""
_PURPOSE = b"mirante event image\n"  # a secret that signs something else too says nothing here


def link(dashboard: str, secret: str, camera: str, entry: str, until: int) -> str:
    """Return the link to an event's image.

    Args:
        dashboard: its address, without a slash at the end.
        secret: that the dashboard has as ``link_secret``.
        camera: its name.
        entry: ID of the event in the camera's streams.
        until: Unix second at which it ends.
    """
    said = {"camera": camera, "entry": entry, "until": until}
    signed = said | {"signature": signature(secret, camera, entry, until)}
    return f"{dashboard}{PATH}?{urlencode(signed)}"


def opens(secret: str, camera: str, entry: str, until: int, signed: str, now_s: float) -> bool:
    """Return whether a link was made with that secret and has not ended.

    One that would last longer than any that is made opens nothing.
    """
    known = signature(secret, camera, entry, until)
    is_ours = hmac.compare_digest(known.encode(), signed.encode())
    return is_ours and now_s < until <= now_s + LONGEST_H * 3600 + 60


def signature(secret: str, camera: str, entry: str, until: int) -> str:
    """Return HMAC-SHA256 of camera, entry and end, a line each, in URL-safe base64."""
    said = _PURPOSE + f"{camera}\n{entry}\n{until}".encode()
    digest = hmac.digest(secret.encode(), said, "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
