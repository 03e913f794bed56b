"""Whose address counts as the client's.

``X-Forwarded-For`` is what anyone may write. Its last entry is the nearest proxy's own, and is
believed only where ``dashboard.https`` says that a proxy stands in front *and* the connection comes
from this machine or a private network. Otherwise the address is the connection's.
"""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection


def client_address(connection: HTTPConnection, behind_proxy: bool) -> str:
    """The address that attempts are counted by.

    Args:
        connection: of the request.
        behind_proxy: whether one is configured.
    """
    peer = connection.client.host if connection.client else ""
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
    last = forwarded.rpartition(",")[2].strip()
    if behind_proxy and _is_address(last) and _is_near(peer):
        return last
    return peer


def is_forwarded(connection: HTTPConnection) -> bool:
    """Return whether a proxy forwarded the request."""
    said = (
        *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
        *("x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip"),
    )
    return any(name in connection.headers for name in said)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_near(peer: str) -> bool:
    return _is_address(peer) and ipaddress.ip_address(peer).is_private
