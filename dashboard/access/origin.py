"""Check a request's origin: this page, or no page at all.

*Host* holds against DNS rebinding, where a foreign page reaches this address by a name of its own:
the name must be one that is ours. An address cannot be rebound, so where others may reach the
dashboard any address will do. A request with a token is exempt: no browser sends one by itself, and
no cookie is looked at.

*Origin* holds against forgery: browsers send it with every unsafe method and every WebSocket
handshake, and it must be that of the host asked. Programs such as curl send none, and are let
through; a browser that would send none still says ``Sec-Fetch-Site``, which then must not name
another site. Safe requests that another site makes in the background (images, scripts) reach
nothing of the API either, but for what a signed link opens, whoever asks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from dashboard.access.accounts import is_loopback
from pipeline.control.image_links import PATH as LINKED_IMAGE

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443}
OWN_SITES = (None, "same-origin", "none")


def check_host(connection: HTTPConnection, bound: str, names: Sequence[str]) -> None:
    """Refuses a ``Host`` that is not ours.

    Args:
        connection: of the request.
        bound: the address that is listened on.
        names: by which pages reach it through a proxy.

    Raises:
        HTTPException: 400 for none or several, 421 for another's.
    """
    if bearer(connection) is not None:
        return
    said = connection.headers.getlist("host")
    host = _hostname(said[0]) if len(said) == 1 else ""
    if not host:
        raise HTTPException(400, "Host: expected one host name or address")
    if host in {bound.lower(), *(_hostname(name) for name in names)} or is_loopback(host):
        return
    if _is_address(host) and not is_loopback(bound):
        return
    raise HTTPException(
        421, f"Host: {host[:100]} is not a name of this dashboard; dashboard.names lists them"
    )


def check_origin(connection: HTTPConnection, names: Sequence[str], https: bool) -> None:
    """Refuses what another site's page asks.

    Args:
        connection: of the request.
        names: by which pages reach it through a proxy.
        https: whether that proxy speaks TLS: the pages then come from there, or from this machine.

    Raises:
        HTTPException: 403.
    """
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS:
        background = headers.get("sec-fetch-mode") != "navigate"
        if site not in OWN_SITES and background and not _is_for_all(connection.scope["path"]):
            raise HTTPException(403, f"Sec-Fetch-Site: {site[:20]} may not ask this")
        return
    origins = headers.getlist("origin")
    if not origins and (site in OWN_SITES or bearer(connection) is not None):
        return
    if len(origins) != 1 or not _is_ours(origins[0], headers.get("host", ""), names, https):
        shown = ", ".join(origins)[:100] or f"none, from {str(site)[:20]}"
        raise HTTPException(
            403, f"Origin: {shown} is not this dashboard's; behind a proxy see dashboard.names"
        )


def bearer(connection: HTTPConnection) -> str | None:
    """The token that is sent along, or None."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_ours(origin: str, host: str, names: Sequence[str], https: bool) -> bool:
    try:
        split = urlsplit(origin)
        default = DEFAULT_PORTS[split.scheme]
        port = split.port or default
        wanted = {_host_and_port(each, default) for each in (host, *names)}
    except (ValueError, KeyError):  # no address, or of a scheme that no page of ours has
        return False
    name = split.hostname or ""
    if https and split.scheme != "https" and not is_loopback(name):
        return False
    return (name, port) in wanted


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    split = urlsplit(f"//{text}")
    return split.hostname or "", split.port or default


def _hostname(host: str) -> str:
    """Return the name in ``name:port``, in lower case; empty if invalid."""
    try:
        split = urlsplit(f"//{host}")
        _ = split.port
    except ValueError:
        return ""
    return split.hostname or "" if split.netloc == host and "@" not in host else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_for_all(path: str) -> bool:
    return path in {"/", LINKED_IMAGE} or path.startswith("/static/")
