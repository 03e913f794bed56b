"""The address of a Redis server, and its failures in words: neither shows a user or password."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from mirante.redis_greeting import UNNAMED, HungUpError, OldServerError, greet, greet_async
from mirante.redis_options import SECRET, check_options
from mirante.redis_tls import tls_words

PREFIX = "Redis address: "  # of errors about an address
SCHEMES = ("redis", "rediss", "unix")
DEFAULT = "redis://127.0.0.1:6379"


C = TypeVar("C", redis.Redis, redis.asyncio.Redis)


def raw(client: C) -> C:
    """Makes a client's replies bytes, ints and lists, the same in each version of redis-py.

    Of protocol 2, as shapes change with it.
    """
    client.connection_pool.connection_kwargs["protocol"] = 2
    client.response_callbacks.clear()
    return client


def exchange(client: redis.Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies of one round trip, in order; a refused command's error stands in its place.

    Raises:
        redis.RedisError: the connection broke.
    """
    if not commands:
        return []
    # A pipeline object would do the same in twice the time.
    connection = client.connection_pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [_reply(connection) for _ in commands]
    except BaseException:
        connection.disconnect()  # an unread reply would be the next one's
        raise
    finally:
        client.connection_pool.release(connection)


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


class RedisUrl:
    """``redis://``, ``rediss://`` (TLS) or ``unix://`` address; ``str`` and ``repr`` show ``***``.

    Raises:
        ValueError: naming what is wrong, without the credentials.
    """

    __slots__ = ("_has_certificate", "_host", "_text", "is_tls", "secret", "shown")

    def __init__(self, text: str | RedisUrl) -> None:
        self._text: str = text._text if isinstance(text, RedisUrl) else text
        scheme = self._text.partition("://")[0]
        if scheme not in SCHEMES or "://" not in self._text:
            raise ValueError(f"{PREFIX}expected {'://, '.join(SCHEMES)}://…")
        try:
            split = urlsplit(self._text)
            port = split.port
        except ValueError:
            raise ValueError(
                f"{PREFIX}the port is no number; a '/', '?', '#' or '@' inside a password is "
                "written as %2F, %3F, %23, %40"
            ) from None
        _check_place(split)
        secrets = [split.username, split.password]
        for option in split.query.split("&"):
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
        place = self._host if port is None else f"{self._host}:{port}"
        self.shown = f"{scheme}://{'***@' if self.secret else ''}{place}{split.path}"

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"RedisUrl({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RedisUrl) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def options(self, timeout_s: float) -> dict[str, Any]:
        """Keyword arguments of redis-py's blocking connections: all but where they lead.

        User, password, database and TLS files are those of the address. They never retry, as the
        retries built into redis-py block for seconds and repeat a wrong password.
        """
        own = {"retry": Retry(NoBackoff(), 0), "redis_connect_func": greet}
        return self._shared_options(timeout_s) | own

    def async_options(self, timeout_s: float) -> dict[str, Any]:
        """Return what ``options`` returns, for connections of the event loop."""
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        return self._shared_options(timeout_s) | {
            "retry": retry,
            "redis_connect_func": greet_async,
        }

    def _shared_options(self, timeout_s: float) -> dict[str, Any]:
        own = parse_url(self._text)
        for place in ("connection_class", "host", "port", "path"):
            own.pop(place, None)
        timeouts = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": min(timeout_s, 1.0),
        }
        return {**timeouts, **own, "protocol": 2, **UNNAMED}

    def client(self, timeout_s: float = 1.0) -> redis.Redis:
        """A client that never retries and gives raw replies."""
        return raw(self.shaped_client(timeout_s))

    def shaped_client(self, timeout_s: float = 1.0) -> redis.Redis:
        """Make a client as ``client`` does, with replies as redis-py shapes them."""
        client: redis.Redis = redis.Redis.from_url(self._text, **self.options(timeout_s))
        return client

    def async_client(self, timeout_s: float = 1.0) -> redis.asyncio.Redis:
        """Make a client as ``client`` does, for the event loop."""
        options = self.async_options(timeout_s)
        client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(self._text, **options)
        return raw(client)

    def explain(self, error: BaseException) -> str:
        """Explain what went wrong, with the address, in words a person can act on."""
        return f"Redis {self}: {self._words(error)}"

    def _words(self, error: BaseException) -> str:
        words = self._words_of_connecting(error)
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
        for kind, words in _REDIS_ERRORS:
            if isinstance(error, kind):
                return words
        return f"{type(error).__name__}: {text}" if text else type(error).__name__

    def _words_of_connecting(self, error: BaseException) -> str | None:
        for cause in _chain(error):
            if isinstance(cause, OldServerError):
                return str(cause)
        words = tls_words(_chain(error), self._host, self.is_tls, self._has_certificate)
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
    kinds = (own.AuthenticationError, own.NoPermissionError, OldServerError)
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
_REPLIES = {
    "HELLO must be called": "asks for a password and none is configured",
    "Authentication required": "asks for a password and none is configured",
    "invalid username-password": "wrong user name or password",
    "MISCONF": "cannot save to its disk and refuses writes (MISCONF)",
    "NOREPLICAS": "has too few replicas and refuses writes (NOREPLICAS)",
    "WRONGTYPE": "a key of that name holds something that is no stream (WRONGTYPE)",
    "DENIED": "is in protected mode: without a password it takes no clients of other machines",
    "max number of clients": "has no room for another client (maxclients)",
    "OOM": "out of memory: raise maxmemory, or keep less (retention)",
    "READONLY": "is a read-only replica: give the address of its primary",
    "MASTERDOWN": "is a replica without a link to its primary (MASTERDOWN)",
    "CLUSTERDOWN": "the cluster is down (CLUSTERDOWN)",
}
_REDIS_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (redis.exceptions.OutOfMemoryError, _REPLIES["OOM"]),
    (redis.exceptions.ReadOnlyError, _REPLIES["READONLY"]),
    (redis.exceptions.BusyLoadingError, "is loading its data set"),
    (redis.exceptions.AuthenticationError, "wrong user name or password"),
    (redis.exceptions.TimeoutError, "does not answer"),
    (redis.exceptions.MaxConnectionsError, "has no room for another client"),
    (redis.exceptions.ConnectionError, "connection lost"),
)
