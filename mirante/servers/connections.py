"""Connections to one server, and commands over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import redis
import redis.asyncio
import redis.asyncio.connection as aio
import redis.connection as blocking

C = TypeVar("C", redis.Redis, redis.asyncio.Redis)
Command = tuple[Any, ...]


def raw(client: C) -> C:
    """Makes a client's replies bytes, ints and lists, the same in each version of redis-py."""
    client.connection_pool.connection_kwargs["protocol"] = 2  # replies' shapes change with it
    client.response_callbacks.clear()
    return client


def code_of(error: object) -> str:
    """Return the code that a refusal begins with, such as ``MOVED``; empty of what is none.

    Newer versions of redis-py keep the code of some of them in the class alone.
    """
    if not isinstance(error, redis.ResponseError):
        return ""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return str(error).partition(" ")[0]


def is_demoted(error: BaseException) -> bool:
    """The server is a replica: the address leads to another one, or soon will."""
    return code_of(error) in {"READONLY", "MASTERDOWN"} or "READONLY" in str(error)  # of a script


_CODES: dict[type[redis.RedisError], str] = {  # the narrower class first
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
    redis.exceptions.TryAgainError: "TRYAGAIN",
}


class Leaving:
    """A connection that notes that its server was demoted, to be closed when it is given back.

    Redis leaves it open, and so whoever keeps it would be refused for ever.
    """

    demoted = False

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply as its class does."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self.demoted |= is_demoted(error)
            raise

    def can_read(self, *args: Any, **options: Any) -> bool:
        """Tell whether there is something to read, as its class does.

        Raises:
            redis.ConnectionError: also where another thread closes it meanwhile, as when Sentinel
                names another primary; redis-py then looks at a socket that is none.
        """
        try:
            return bool(super().can_read(*args, **options))  # type: ignore[misc]
        except (AttributeError, TypeError) as error:
            raise redis.ConnectionError("the connection was closed") from error


class LeavingAio:
    """As ``Leaving``, for the event loop."""

    demoted = False

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply as its class does."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            self.demoted |= is_demoted(error)
            raise


class _Tcp(Leaving, blocking.Connection):
    pass


class _Tls(Leaving, blocking.SSLConnection):
    pass


class _Unix(Leaving, blocking.UnixDomainSocketConnection):
    pass


class _TcpAio(LeavingAio, aio.Connection):
    pass


class _TlsAio(LeavingAio, aio.SSLConnection):
    pass


class _UnixAio(LeavingAio, aio.UnixDomainSocketConnection):
    pass


class Pool(redis.ConnectionPool):
    """Gives connections of one server; one to a demoted server is made anew."""

    _retired = False

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        if connection.demoted or self._retired:
            connection.disconnect()
            connection.demoted = False
        super().release(connection)

    def retire(self) -> None:
        """Close the connections: idle ones now, those in use when they are given back."""
        self._retired = True
        self.disconnect(inuse_connections=False)


class PoolAio(redis.asyncio.ConnectionPool):
    """As ``Pool``, for the event loop."""

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        if connection.demoted:
            await connection.disconnect()
            connection.demoted = False
        await super().release(connection)


CLASSES: dict[str, type[Leaving]] = {
    "redis": _Tcp,
    "rediss": _Tls,
    "unix": _Unix,
}
CLASSES_AIO: dict[str, type[LeavingAio]] = {
    "redis": _TcpAio,
    "rediss": _TlsAio,
    "unix": _UnixAio,
}


class Flight:
    """Commands on their way to one server; to be landed or dropped.

    Raises:
        redis.RedisError: they cannot be sent.
    """

    __slots__ = ("_connection", "_count", "_pool")

    def __init__(self, pool: redis.ConnectionPool, commands: Sequence[Command]) -> None:
        self._pool, self._count = pool, len(commands)
        # A pipeline object would do the same in twice the time.
        self._connection: Any = pool.get_connection()
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands))
        except BaseException:
            self.drop()
            raise

    def land(self) -> list[Any]:
        """The replies, in order; a refused command's error stands in its place.

        Raises:
            redis.RedisError: the connection broke.
        """
        try:
            replies = [_reply(self._connection) for _ in range(self._count)]
        except BaseException:
            self.drop()
            raise
        self._pool.release(self._connection)
        self._connection = None
        return replies

    def drop(self) -> None:
        """Give up what has not landed."""
        if self._connection is not None:
            self._connection.disconnect()  # an unread reply would be the next one's
            self._pool.release(self._connection)
            self._connection = None


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


async def pipelined(client: redis.asyncio.Redis, commands: Sequence[Command]) -> list[Any]:
    """As a ``Flight`` from start to end, for the event loop."""
    pipe: Any = client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return await pipe.execute(raise_on_error=False) if commands else []
