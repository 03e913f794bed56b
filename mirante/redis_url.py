"""The address of a Redis server, and its failures in words: neither shows a user or password."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from mirante.redis_greeting import UNNAMED, HungUpError, Mode, UnfitError, greet, greet_async
from mirante.redis_options import SECRET, check_options
from mirante.redis_tls import tls_words
from mirante.refusal import WORDS, refusal
from mirante.servers import clients
from mirante.servers.aio import ClusterAio
from mirante.servers.cluster import Cluster
from mirante.servers.connections import Flight, pipelined, raw
from mirante.servers.sentinels import TIMEOUT_S, SentinelError
from mirante.servers.several import SCHEMES as OF_SEVERAL
from mirante.servers.several import Several
from mirante.servers.slots import NodeError

PREFIX = "Redis address: "  # of errors about an address
SCHEMES = ("redis", "rediss", "unix", *OF_SEVERAL)
DEFAULT = "redis://127.0.0.1:6379"


def exchange(client: redis.Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies of one round trip, in order; a refused command's error stands in its place, and
    in a cluster that of a node which is out of reach.

    Raises:
        redis.RedisError: the connection broke; in a cluster, to every node.
    """
    if not commands:
        return []
    if isinstance(client, Cluster):
        return client.exchange(commands)
    return Flight(client.connection_pool, commands).land()


def reply_to(client: redis.Redis, command: tuple[Any, ...]) -> Any:
    """The reply to one command.

    Raises:
        redis.RedisError: the server refused it, or is away.
    """
    [reply] = exchange(client, [command])
    if isinstance(reply, redis.RedisError):
        raise reply
    return reply


def scan(client: redis.Redis, options: Sequence[Any]) -> list[Any]:
    """The names that SCAN finds with these options: a list of each shard of a cluster, or its
    error, and one of a server by itself.

    Raises:
        redis.RedisError: the server refused or is away; of a cluster, every node.
    """
    if isinstance(client, Cluster):
        return client.scan_nodes(*options)
    found, cursor = list[bytes](), b"0"
    while True:
        cursor, names = reply_to(client, ("SCAN", cursor, *options))
        found += names
        if cursor == b"0":
            return [found]


async def async_scan(client: redis.asyncio.Redis, options: Sequence[Any]) -> list[Any]:
    """As ``scan``, for the event loop."""
    if isinstance(client, ClusterAio):
        return await client.scan_nodes(*options)
    found, cursor = list[bytes](), b"0"
    while True:
        [reply] = await async_exchange(client, [("SCAN", cursor, *options)])
        if isinstance(reply, redis.RedisError):
            raise reply
        cursor, names = reply
        found += names
        if cursor == b"0":
            return [found]


async def async_of_each(client: redis.asyncio.Redis, command: tuple[Any, ...]) -> list[Any]:
    """What every server says to a command without keys: primaries of a cluster, or one by itself.

    Raises:
        redis.RedisError: no server answers.
    """
    if isinstance(client, ClusterAio):
        return await client.of_each(command)
    return await pipelined(client, [command])


async def async_exchange(
    client: redis.asyncio.Redis, commands: Sequence[tuple[Any, ...]]
) -> list[Any]:
    """As ``exchange``, for the event loop."""
    if not commands:
        return []
    if isinstance(client, ClusterAio):
        return await client.exchange(commands)
    return await pipelined(client, commands)


class RedisUrl:
    """``redis://``, ``rediss://`` (TLS) or ``unix://`` address, or one of several servers:
    ``redis+sentinel://host:port,host:port/SERVICE`` of Sentinels and what they watch,
    ``redis+cluster://host:port,host:port`` of nodes of a cluster; TLS with ``rediss+…``.
    ``str`` and ``repr`` show ``***``.

    Raises:
        ValueError: naming what is wrong, without the credentials.
    """

    __slots__ = (
        *("_has_certificate", "_host", "_mode", "_plain", "_several", "_text"),
        *("is_tls", "secret", "shown"),
    )

    def __init__(self, text: str | RedisUrl) -> None:
        self._text: str = text._text if isinstance(text, RedisUrl) else text
        scheme = self._text.partition("://")[0]
        if scheme not in SCHEMES or "://" not in self._text:
            raise ValueError(f"{PREFIX}expected {'://, '.join(SCHEMES)}://…")
        self._several = Several(self._text) if scheme in OF_SEVERAL else None
        self._mode: Mode = "cluster" if self.is_cluster else "standalone"
        self._plain = self._several.first if self._several else self._text  # as of one server
        try:
            split = urlsplit(self._plain)
            port = split.port
        except ValueError:
            raise ValueError(
                f"{PREFIX}the port is no number; a '/', '?', '#' or '@' inside a password is "
                "written as %2F, %3F, %23, %40"
            ) from None
        _check_place(split)
        secrets = [split.username, split.password]
        for option in self._text.partition("?")[2].split("&"):
            name, _, value = option.partition("=")
            secrets += [value] if name in SECRET else []
        #: user names and passwords, as written and as meant
        self.secret = frozenset(s for text in secrets if text for s in (text, unquote(text)))
        self.is_tls = scheme.startswith("rediss")
        options = dict(parse_qsl(split.query, keep_blank_values=True))
        try:
            check_options(options, self.is_tls)
        except ValueError as error:
            raise ValueError(f"{PREFIX}{error}") from None
        self._has_certificate = "ssl_certfile" in options
        host = split.hostname or ""
        self._host = f"[{host}]" if ":" in host else host
        place = (self._host if port is None else f"{self._host}:{port}") + split.path
        if self._several:
            place = self._several.shown
        self.shown = f"{scheme}://{'***@' if self.secret else ''}{place}"

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"RedisUrl({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisUrl) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def is_cluster(self) -> bool:
        """Keys are on several servers, and a command may be about those of one camera alone."""
        return self._several is not None and self._several.is_cluster

    def options(self, timeout_s: float) -> dict[str, Any]:
        """Keyword arguments of redis-py's blocking connections: all but where they lead.

        User, password, database and TLS files are those of the address. They never retry, as the
        retries built into redis-py block for seconds and repeat a wrong password.
        """
        own = {"retry": Retry(NoBackoff(), 0), "redis_connect_func": self._greeting(greet)}
        return self._shared_options(timeout_s) | own

    def async_options(self, timeout_s: float) -> dict[str, Any]:
        """Return what ``options`` returns, for connections of the event loop."""
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        return self._shared_options(timeout_s) | {
            "retry": retry,
            "redis_connect_func": self._greeting(greet_async),
        }

    def _greeting(self, greet: Callable[..., Any]) -> Callable[..., Any]:
        is_primary = self._mode == "standalone" and self._several is not None
        return partial(greet, mode=self._mode, is_primary=is_primary)

    def _shared_options(self, timeout_s: float) -> dict[str, Any]:
        own = parse_url(self._plain)
        for place in ("connection_class", "host", "port", "path"):
            own.pop(place, None)
        timeouts = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": min(timeout_s, 1.0),
        }
        return {**timeouts, **own, "protocol": 2, **UNNAMED}

    def client(self, timeout_s: float = 1.0) -> redis.Redis:
        """A client that never retries and gives raw replies."""
        return self._client(timeout_s, raw)

    def shaped_client(self, timeout_s: float = 1.0) -> redis.Redis:
        """Make a client as ``client`` does, with replies as redis-py shapes them."""
        return self._client(timeout_s, lambda client: client)

    def _client(self, timeout_s: float, shape: Callable[[redis.Redis], redis.Redis]) -> redis.Redis:
        options = self.options(timeout_s)
        if self._several is None:
            return shape(clients.of_one(self._plain, options))
        sentinels = [(url.client(TIMEOUT_S), url.explain) for url in self._sentinels()]
        return clients.of_several(self._several, options, sentinels, shape)

    def async_client(self, timeout_s: float = 1.0) -> redis.asyncio.Redis:
        """Make a client as ``client`` does, for the event loop."""
        options = self.async_options(timeout_s)
        if self._several is None:
            return raw(clients.async_of_one(self._plain, options))
        sentinels = [(url.async_client(TIMEOUT_S), url.explain) for url in self._sentinels()]
        return clients.async_of_several(self._several, options, sentinels, raw)

    def _sentinels(self) -> list[RedisUrl]:
        if self._several is None or self._several.is_cluster:
            return []
        found = [RedisUrl(address) for address in self._several.of_sentinels()]
        for url in found:
            url._mode = "sentinel"
        return found

    def explain(self, error: BaseException) -> str:
        """Explain what went wrong, with the address, in words a person can act on."""
        return f"Redis {self}: {self.words(error)}"

    def words(self, error: BaseException) -> str:
        """Explain what went wrong, without the address."""
        if isinstance(error, SentinelError):
            return str(error)
        if isinstance(error, NodeError):
            return f"{error.place}: {self._words(error.error, error.node[0])}"
        return self._words(error, self._host)

    def _words(self, error: BaseException, host: str) -> str:
        words = self._words_of_connecting(error, host)
        if words is not None:
            return words
        text = str(error)
        for secret in self.secret:
            text = text.replace(secret, "***")
        if isinstance(error, redis.exceptions.NoPermissionError):
            return f"no permission (ACL): {text}"
        for part, words in _REPLIES.items():
            if part in text:
                return words
        if missing := _NO_COMMAND.match(text):
            return f"knows no command {missing[1]}: it is turned off or renamed on the server"
        for kind, words in _REDIS_ERRORS:
            if isinstance(error, kind):
                return words
        return f"{type(error).__name__}: {text}" if text else type(error).__name__

    def _words_of_connecting(self, error: BaseException, host: str) -> str | None:
        if code := refusal(error):
            return WORDS[code]
        for cause in _chain(error):
            if isinstance(cause, UnfitError):
                return str(cause)
        words = tls_words(_chain(error), host, self.is_tls, self._has_certificate)
        kinds = (words for c in _chain(error) for kind, words in _OS_ERRORS if isinstance(c, kind))
        return words or next(kinds, None)


def _check_place(split: SplitResult) -> None:
    """Check where an address leads.

    Raises:
        ValueError: not to a host, a database or a socket.
    """
    scheme = split.scheme
    if scheme == "unix" and (split.hostname or not split.path):
        raise ValueError(f"{PREFIX}expected unix:///path/of/the/socket")
    if scheme != "unix" and not split.hostname:
        raise ValueError(f"{PREFIX}expected a host, {scheme}://host:port")
    if scheme in {"redis", "rediss"} and not re.fullmatch(r"(/\d*)?", split.path):
        raise ValueError(f"{PREFIX}expected {scheme}://host:port/number of a database")


def refuses(error: BaseException) -> bool:
    """True when the server knows this client and does not want it, so that waiting is no use."""
    own = redis.exceptions
    kinds = (own.AuthenticationError, own.NoPermissionError, UnfitError)
    return any(isinstance(cause, kinds) for cause in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


_OS_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused: nothing listens there"),
    (FileNotFoundError, "no such socket"),
    (PermissionError, "this user may not open the socket"),
    (socket.gaierror, "unknown host"),
    (HungUpError, "hangs up before it answers; an address of a TLS port begins rediss://"),
)
_NO_COMMAND = re.compile("unknown command ['`]([^'`]*)")
_REPLIES = {
    "HELLO must be called": "asks for a password and none is configured",
    "Authentication required": "asks for a password and none is configured",
    "invalid username-password": "wrong user name or password",
    "WRONGTYPE": "a key of that name holds something that is no stream (WRONGTYPE)",
    "DENIED": "is in protected mode: without a password it takes no clients of other machines",
    "max number of clients": "has no room for another client (maxclients)",
}
_REDIS_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (redis.exceptions.AskError, "a slot is on its way to another node (MOVED or ASK)"),
    (redis.exceptions.BusyLoadingError, "is loading its data set"),
    (redis.exceptions.AuthenticationError, "wrong user name or password"),
    (redis.exceptions.TimeoutError, "does not answer"),
    (redis.exceptions.MaxConnectionsError, "has no room for another client"),
    (redis.exceptions.ConnectionError, "connection lost"),
)
