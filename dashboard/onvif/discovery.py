"""Cameras of the network segment: a Probe of WS-Discovery (2005/04; ONVIF Core Specification, 7).

UDP answers may come from anyone, so that each is bounded, and an address in it counts only when it
is that of the machine which answered.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

import psutil

from pipeline.cameras.onvif import soap

MAX_ANSWERS = 256
REPEAT_S = 0.2  # UDP loses packets; the same MessageID is sent twice, as the standard has it

_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_HEADER = (
    f'<a:Action xmlns:a="{_ADDRESSING}">{_DISCOVERY}/Probe</a:Action>'
    f'<a:MessageID xmlns:a="{_ADDRESSING}">{{message}}</a:MessageID>'
    f'<a:To xmlns:a="{_ADDRESSING}">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>'
)
_PROBE = (
    f'<d:Probe xmlns:d="{_DISCOVERY}"><d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
    "dn:NetworkVideoTransmitter</d:Types></d:Probe>"
)
_SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True)
class Network:
    """A network to probe for cameras.

    Attributes:
        group, port: where probes are sent to.
        wait_s: how long answers are waited for.
        interfaces: local IPv4 addresses to probe from; None: those of every interface.
    """

    group: str = "239.255.255.250"
    port: int = 3702
    wait_s: float = 3.0
    interfaces: tuple[str, ...] | None = None

    def own_addresses(self) -> tuple[str, ...]:
        """The addresses from which is asked. A probe without one leaves by one interface alone."""
        if self.interfaces is not None:
            return self.interfaces
        up = {name for name, state in psutil.net_if_stats().items() if state.isup}
        return tuple(
            each.address
            for name, addresses in psutil.net_if_addrs().items()
            for each in addresses
            if name in up and each.family == socket.AF_INET and not each.address.startswith("127.")
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A camera that answered.

    Attributes:
        endpoint: its own lasting name.
        address: IPv4 address that answered.
        service: URL of its device service, at that address.
        name, model, location: as its scopes say; empty where they do not.
    """

    endpoint: str
    address: str
    service: str
    name: str
    model: str
    location: str


@dataclass(slots=True)
class Found:
    """The result of a probe.

    Attributes:
        cameras: by endpoint, each once.
        malformed: answers that could not be read, or were too many.
        foreign: answers that name no address of the machine which sent them.
    """

    cameras: dict[str, Answer] = field(default_factory=dict)
    malformed: int = 0
    foreign: int = 0


async def probe(network: Network) -> Found:
    """Asks from every interface and collects what answers.

    Raises:
        OSError: no interface could be asked from.
    """
    found = Found()
    message = f"urn:uuid:{uuid.uuid4()}"
    packet = soap.envelope(_PROBE, _HEADER.format(message=message))
    loop = asyncio.get_running_loop()
    refusal: OSError | None = None
    with ExitStack() as stack:
        ways: list[asyncio.DatagramTransport] = []
        for own in network.own_addresses():
            try:
                way, _ = await loop.create_datagram_endpoint(
                    lambda: _Collector(found, message), sock=_socket(own)
                )
            except OSError as error:  # an interface that just went away
                refusal = error
                continue
            stack.callback(way.close)
            ways.append(way)
        if not ways:
            raise refusal or OSError("this machine has no network interface that is up")
        for wait_s in (min(REPEAT_S, network.wait_s / 2), network.wait_s):
            for way in ways:
                way.sendto(packet, (network.group, network.port))
            await asyncio.sleep(wait_s)
    return found


def _socket(own: str) -> socket.socket:
    """Bound to ``own``, from which multicast leaves, and by one router's reach at most."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        made.setblocking(False)
        made.bind((own, 0))
    except OSError:
        made.close()
        raise
    return made


class _Collector(asyncio.DatagramProtocol):
    """Puts what answers a message into ``found``."""

    def __init__(self, found: Found, message: str) -> None:
        self._found = found
        self._message = message
        self._answers = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._answers += 1
        if self._answers > MAX_ANSWERS:
            self._found.malformed += 1
            return
        try:
            root = soap.parse(data)
        except soap.MalformedError:
            self._found.malformed += 1
            return
        if soap.text(root, ".//{*}RelatesTo") != self._message:
            self._found.malformed += 1
            return
        for match in root.iterfind(".//{*}ProbeMatch"):
            self._take(match, addr[0])

    def _take(self, match: Element, address: str) -> None:
        endpoint = soap.text(match, "{*}EndpointReference/{*}Address")
        services = (match.findtext("{*}XAddrs") or "").split()
        service = next((each for each in services if is_at(each, address)), None)
        if not endpoint or not services:
            self._found.malformed += 1
        elif service is None:
            self._found.foreign += 1
        else:
            scopes = dict(_scopes(match.findtext("{*}Scopes") or ""))
            said = (scopes.get(key, "") for key in ("name", "hardware", "location"))
            self._found.cameras.setdefault(endpoint, Answer(endpoint, address, service, *said))


def is_at(url: str, address: str, schemes: tuple[str, ...] = ("http", "https")) -> bool:
    """Return whether ``url`` is one of ``schemes`` on the machine ``address``, without a user."""
    with suppress(ValueError):
        split = urlsplit(url)
        _ = split.port
        return split.scheme in schemes and split.hostname == address and split.username is None
    return False


def _scopes(text: str) -> Iterator[tuple[str, str]]:
    """Kind and value of each scope of ONVIF; the last of a kind is the most exact."""
    for scope in text.split():
        if scope.startswith(_SCOPE):
            kind, _, value = scope.removeprefix(_SCOPE).partition("/")
            yield kind.lower(), soap.shown(unquote(value))
