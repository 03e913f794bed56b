"""Addresses of several servers: Sentinels and what they watch, or nodes of a cluster."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode

from mirante.servers.slots import Node

SCHEMES = ("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_PORTS = {"sentinel": 26379, "cluster": 6379}
_ADDRESS = re.compile(r"(?P<scheme>[^:]+)://(?P<places>[^/?#]*)(?P<path>[^?#]*)\??(?P<query>.*)")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:@]+)(?::(?P<port>\d{1,5}))?")
_OF_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}
_NOT_OF_SENTINELS = {"db", "username", "password"}


class Several:
    """``redis+sentinel://…`` or ``redis+cluster://…``, as addresses of one server each.

    Args:
        text: the address.

    Attributes:
        scheme: one of ``SCHEMES``.
        nodes: the Sentinels, or nodes of the cluster.
        service: what the Sentinels call it; empty for a cluster.

    Raises:
        ValueError: naming what is wrong, without the credentials.
    """

    def __init__(self, text: str) -> None:
        found = _ADDRESS.fullmatch(text)  # urlsplit takes no [::1] among several
        if found is None:
            raise ValueError("Redis address: expected one line")
        self.scheme = found["scheme"]
        tls, _, kind = self.scheme.partition("+")
        self._kind = kind
        login, at, places = found["places"].rpartition("@")
        self.nodes = tuple(_node(place, _PORTS[self._kind]) for place in places.split(","))
        self.service = ""
        options = dict(parse_qsl(found["query"], keep_blank_values=True))
        if self._kind == "sentinel":
            self.service = _service(self.scheme, found["path"])
        else:
            _check_cluster(found["path"], options)
        sentinel = {_OF_SENTINELS[k]: options.pop(k) for k in list(options) if k in _OF_SENTINELS}
        self._head = f"{tls}://{login}{at}"
        self._tail = f"?{urlencode(options)}" if options else ""
        own = {k: v for k, v in options.items() if k not in _NOT_OF_SENTINELS}
        self._sentinel_head = f"{tls}://{_login(sentinel)}"
        self._sentinel_tail = f"?{urlencode(own)}" if own else ""

    @property
    def is_cluster(self) -> bool:
        """The nodes are of a cluster."""
        return self._kind == "cluster"

    @property
    def is_tls(self) -> bool:
        """Servers and Sentinels are reached by TLS."""
        return self.scheme.startswith("rediss")

    @property
    def shown(self) -> str:
        """Places and service."""
        places = ",".join(map(_written, self.nodes))
        return f"{places}/{quote(self.service, safe='')}" if self.service else places

    @property
    def first(self) -> str:
        """Return the address of the first node as if it was a server."""
        return self.of_server(self.nodes[0])

    def of_server(self, node: Node) -> str:
        """Return the address of one server, a node of the cluster or a primary."""
        return f"{self._head}{_written(node)}{self._tail}"

    def of_sentinels(self) -> list[str]:
        """Return the address of each Sentinel."""
        return [f"{self._sentinel_head}{_written(n)}{self._sentinel_tail}" for n in self.nodes]


def _node(place: str, default: int) -> Node:
    found = _PLACE.fullmatch(place)
    port = int(found["port"] or default) if found else 0
    if found is None or not 0 < port < 65_536:
        raise ValueError(
            "Redis address: expected host:port,host:port,…; a '/', '?', '#', '@' or ',' inside a "
            "password is written as %2F, %3F, %23, %40, %2C"
        )
    return unquote(found["host"]).strip("[]"), port


def _service(scheme: str, path: str) -> str:
    service = unquote(path.removeprefix("/"))
    if not service or "/" in service:
        raise ValueError(
            f"Redis address: expected the name of the service behind the Sentinels, "
            f"{scheme}://host:port/SERVICE (a database is ?db=N)"
        )
    return service


def _check_cluster(path: str, options: dict[str, str]) -> None:
    database = options.get("db", path.strip("/") or "0")
    if database != "0" or path.strip("/") not in {"", "0"}:
        raise ValueError(f"Redis address: a cluster has database 0 alone, got {database[:20]!r}")
    for name in _OF_SENTINELS:
        if name in options:
            raise ValueError(f"Redis address: {name} is of redis+sentinel:// alone")


def _login(sentinel: dict[str, str]) -> str:
    if not sentinel:
        return ""
    user, password = (quote(sentinel.get(k, ""), safe="") for k in ("username", "password"))
    return f"{user}:{password}@"


def _written(node: Node) -> str:
    host, port = node
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
