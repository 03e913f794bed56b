"""The common part of sources to which a camera sends: the worker opens a port and waits."""

from __future__ import annotations

import errno
import socket
from urllib.parse import parse_qs

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import Meaning, words_alone
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl

MPEG_TS = "video/mpegts,systemstream=true"
ANY_HOST = "0.0.0.0"  # noqa: S104  # a camera anywhere may send


def sender_of(url: CameraUrl) -> str:
    """Return the address to which a camera has to send."""
    return url.bare.partition("?")[0].partition("#")[0].rstrip("/")


def host_of(url: CameraUrl) -> str:
    """Return the host at which a port is opened; senders take ``localhost`` for IPv4."""
    return {"": ANY_HOST, "localhost": "127.0.0.1"}.get(url.host, url.host)


def reach(url: CameraUrl, _timeout_s: float) -> Fault | None:
    """Check host and interface of an address; nobody can be asked whether a camera sends to it."""
    for interface in parse_qs(url.query).get("interface", []):
        here = [name for _, name in socket.if_nameindex()]
        if interface not in here:
            words = f'interface: "{interface}" — expected one of {", ".join(here)}'
            return Fault(FaultCode.INVALID, words)
    return _bind(url, 0)


def explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """Say why a port cannot be opened; GStreamer does not."""
    fault = _bind(url, url.port or 0) if meaning in {"open", "settings"} else None
    return fault or words_alone(url, meaning, words)


def _bind(url: CameraUrl, port: int) -> Fault | None:
    """Open a port at the address, as the element does: 0 for one that nobody has."""
    try:
        found = socket.getaddrinfo(host_of(url), port, type=socket.SOCK_DGRAM)
    except socket.gaierror:
        return Fault(FaultCode.UNKNOWN_HOST, f'unknown host "{url.host}"')
    family, kind, protocol, _, address = found[0]
    try:
        with socket.socket(family, kind, protocol) as receiver:
            receiver.bind(address)
    except OSError as error:
        return _fault(error, url)
    return None


def _fault(error: OSError, url: CameraUrl) -> Fault | None:
    if error.errno == errno.EADDRINUSE:
        return Fault(FaultCode.BUSY, f"UDP port {url.port} is in use by another program")
    if error.errno == errno.EADDRNOTAVAIL:
        words = (
            f'url: "{sender_of(url)}" — expected an address of this machine, a multicast group or '
            f"none, as {url.scheme}://:{url.port}"
        )
        return Fault(FaultCode.INVALID, words)
    if error.errno == errno.EACCES:
        words = f"UDP port {url.port} cannot be opened: no permission"
        return Fault(FaultCode.NO_ACCESS, words)
    return None
