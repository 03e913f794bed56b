"""The client's address, behind the proxies that are named and no others.

``X-Forwarded-For`` is what anyone may write. Each proxy adds the address that it was asked from at
the end, so the entries are believed from the right, as long as what wrote them is one of
``dashboard.proxies``. No other header is read for an address: a proxy that sets this one passes
``Forwarded`` or ``X-Real-IP`` on as clients wrote them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from pipeline.config.dashboard import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SAID_BY_PROXIES = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip"}
    | {"remote-user", "remote-groups", "x-remote-user", "x-webauth-user", "x-authentik-username"}
)
_BEGINNINGS = ("x-forwarded-", "x-auth-request-")


def client_address(connection: HTTPConnection, proxies: Sequence[Network]) -> str:
    """Return the address that attempts are counted by.

    Args:
        connection: of the request.
        proxies: those that are believed.
    """
    peer = connection.client.host if connection.client else ""
    found = read_address(peer)
    if found is None:
        return peer
    entries = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
    while _is_among(found, proxies) and entries:
        said = read_address(entries.pop())
        if said is None:
            break
        found = said
    return str(found)


def comes_from(connection: HTTPConnection, proxies: Sequence[Network]) -> bool:
    """Return whether the connection itself is a proxy's."""
    peer = read_address(connection.client.host) if connection.client else None
    return peer is not None and _is_among(peer, proxies)


def is_forwarded(connection: HTTPConnection) -> bool:
    """Return whether a proxy forwarded the request, or somebody says so."""
    return any(
        name in _SAID_BY_PROXIES or name.startswith(_BEGINNINGS) for name in connection.headers
    )


def read_address(text: str) -> Address | None:
    """Return the address in ``address``, ``address:port`` or ``[address]:port``, an IPv4 one that
    is written as IPv6 as what it is; None where there is none.
    """
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
