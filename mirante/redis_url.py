"""The address of a Redis server, and its failures in words: neither shows a user or password."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
from redis.backoff import NoBackoff
from redis.retry import Retry

SCHEMES = ("redis", "rediss", "unix")
DEFAULT = "redis://127.0.0.1:6379"

_SECRET_OPTIONS = {"password", "username", "ssl_password"}


C = TypeVar("C", redis.Redis, redis.asyncio.Redis)


def raw(client: C) -> C:
    """Makes a client's replies bytes, ints and lists, the same in each version of redis-py."""
    client.connection_pool.connection_kwargs["protocol"] = 2  # replies' shapes change with it
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

    __slots__ = ("_text", "secret", "shown")

    def __init__(self, text: str | RedisUrl) -> None:
        self._text: str = text._text if isinstance(text, RedisUrl) else text
        scheme = self._text.partition("://")[0]
        if scheme not in SCHEMES or "://" not in self._text:
            raise ValueError(f"Redis address: expected {'://, '.join(SCHEMES)}://…")
        try:
            split = urlsplit(self._text)
            port = split.port
        except ValueError:
            raise ValueError(
                "Redis address: the port is no number; a '/', '?', '#' or '@' inside a password is "
                "written as %2F, %3F, %23, %40"
            ) from None
        secrets = [split.username, split.password]
        for option in split.query.split("&"):
            name, _, value = option.partition("=")
            secrets += [value] if name in _SECRET_OPTIONS else []
        #: user names and passwords, as written and as meant
        self.secret = frozenset(s for text in secrets if text for s in (text, unquote(text)))
        host = split.hostname or ""
        if ":" in host:
            host = f"[{host}]"
        if scheme == "unix" and not split.path:
            raise ValueError("Redis address: expected unix:///path/of/the/socket")
        if scheme != "unix" and not host:
            raise ValueError(f"Redis address: expected a host, {scheme}://host:port")
        place = host if port is None else f"{host}:{port}"
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
        """Keyword arguments of a client's ``from_url``, sync or async, without the retries.

        The retries built into redis-py block for seconds and repeat a wrong password.
        """
        return {
            "url": self._text,
            "socket_timeout": timeout_s,
            "socket_connect_timeout": min(timeout_s, 1.0),
        }

    def client(self, timeout_s: float = 1.0) -> redis.Redis:
        """A client that never retries and gives raw replies."""
        options = self.options(timeout_s)
        client: redis.Redis = redis.Redis.from_url(**options, retry=Retry(NoBackoff(), 0))
        return raw(client)

    def async_client(self, timeout_s: float = 1.0) -> redis.asyncio.Redis:
        """Make a client as ``client`` does, for the event loop."""
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        return raw(redis.asyncio.Redis.from_url(**self.options(timeout_s), retry=retry))

    def explain(self, error: BaseException) -> str:
        """Explain what went wrong, with the address, in words a person can act on."""
        return f"Redis {self}: {self._words(error)}"

    def _words(self, error: BaseException) -> str:
        for cause in _chain(error):
            for kind, words in _OS_ERRORS:
                if isinstance(cause, kind):
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


def refuses(error: BaseException) -> bool:
    """True when the server knows this client and does not want it, so that waiting is no use."""
    kinds = (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError)
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
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted (ssl_ca_certs=FILE)"),
    (ssl.SSLError, "no TLS connection; is it redis:// rather than rediss://?"),
)
_REPLIES = {
    "Authentication required": "asks for a password and none is configured",
    "invalid username-password": "wrong user name or password",
    "MISCONF": "cannot save to its disk and refuses writes (MISCONF)",
    "NOREPLICAS": "has too few replicas and refuses writes (NOREPLICAS)",
    "WRONGTYPE": "a key of that name holds something that is no stream (WRONGTYPE)",
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
