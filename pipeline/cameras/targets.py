"""Addresses on the worker's own machine or link: who may only use a page need not reach them.

Each address that a name stands for counts, however it is written (``127.1``, ``0x7f000001`` and
``[::ffff:127.0.0.1]`` are ``127.0.0.1``), as getaddrinfo has it, which those who connect ask too.
"""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from posixpath import normpath
from typing import Any

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl

KEY = "dashboard.local_targets"
# What clouds tell their machines, secrets too, at addresses that are not link-local.
_OF_CLOUDS = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
_TRANSLATED = IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, 2.5.5.1
_forbidden = False


class LocalTargetError(OSError):
    """A connection to an address that this process may not reach; in words."""


def forbid() -> None:
    """Keep this process from cameras on its own machine or link, from now on."""
    global _forbidden  # noqa: PLW0603  # of a process that tries one camera
    _forbidden = True


def is_forbidden() -> bool:
    """Return whether ``forbid`` was called."""
    return _forbidden


def check_peer(connection: socket.socket | HTTPConnection) -> None:
    """Refuse a connection that was made, before anything is sent, where that is forbidden.

    Raises:
        LocalTargetError: its other end is on this machine or link.
    """
    if not _forbidden:
        return
    made: Any = connection.sock if isinstance(connection, HTTPConnection) else connection
    if is_local(peer := str(made.getpeername()[0])):
        connection.close()
        raise LocalTargetError(words_of(peer))


def check_host(host: str) -> None:
    """Refuse a host that others will connect to, where that is forbidden.

    Raises:
        LocalTargetError: it stands for an address on this machine or link.
    """
    if _forbidden and resolves_here(host):
        raise LocalTargetError(words_of(host))


def fault_of_target(url: CameraUrl) -> Fault | None:
    """Return why a camera's address is one of this machine or link; None where it is not.

    Asks the resolver, and may take as long as that takes. What it does not know is let through: it
    cannot be connected to either.
    """
    is_device = bool(url.path) and not url.host
    if url.kind.reads_files or (is_device and not _is_video(url.path)):
        return fault_of_words(words_of(f"a file ({url.scheme}:)"))
    if url.host and resolves_here(url.host):
        return fault_of_words(words_of(url.host))
    return None


def _is_video(path: str) -> bool:
    """Whether a path is a video device's; to open another device may do something."""
    return normpath(path).startswith(("/dev/video", "/dev/v4l/"))


def fault_of_words(words: str) -> Fault:
    """Return the fault of an address that ``words_of`` speaks of."""
    return Fault(FaultCode.LOCAL_TARGET, words)


def words_of(target: str) -> str:
    """Return why a target is refused, with the key that allows it."""
    return FaultCode.LOCAL_TARGET.words.replace("…", target, 1)


def resolves_here(host: str) -> bool:
    """Return whether an address that a host stands for is on this machine or link."""
    try:
        found = socket.getaddrinfo(host.rstrip("."), None)
    except (OSError, UnicodeError):
        return False
    return any(is_local(str(address[0])) for *_, address in found)


def is_local(address: str) -> bool:
    """Return whether an IP address is loopback, link-local, unspecified, or of a cloud's metadata;
    also of an IPv4 address that an IPv6 one carries.
    """
    found = ip_address(address.partition("%")[0])
    return any(
        each.is_loopback or each.is_link_local or each.is_unspecified or each in _OF_CLOUDS
        for each in (found, _carried(found))
        if each is not None
    )


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _TRANSLATED or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
