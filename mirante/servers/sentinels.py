"""The primary that Sentinels name, found again whenever another one takes its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel

from mirante.servers.connections import Leaving, LeavingAio
from mirante.servers.slots import Node, NodeError

LOOK_S = 1.0  # the old primary may go on for ten seconds after another was chosen
REST_S = 10.0  # … unless no Sentinel answers: the primary that is known may be well
TIMEOUT_S = 0.5
Words = Callable[[BaseException], str]


class SentinelError(redis.ConnectionError):
    """The Sentinels do not name a primary; in words."""


class SentinelRefusedError(SentinelError, redis.AuthenticationError):
    """The Sentinels do not want this client; in words."""


class Search:
    """What the Sentinels said, one after the other. No input or output.

    Args:
        service: the name of what they watch.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._errors: list[tuple[redis.RedisError, str]] = []
        self._others: list[str] | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """What each is asked."""
        return ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)

    def answered(self, reply: Any) -> Node | None:
        """Take the reply; None when this Sentinel knows no such service."""
        if reply is not None:
            return reply[0].decode(), int(reply[1])
        self._others = self._others or []
        return None

    def watch(self, reply: Any) -> None:
        """Take what ``SENTINEL MASTERS`` told instead."""
        facts = (dict(zip(flat[::2], flat[1::2], strict=True)) for flat in reply)
        self._others = sorted(fact[b"name"].decode() for fact in facts)

    def failed(self, error: redis.RedisError, words: str) -> None:
        """One is out of reach, or is none."""
        self._errors.append((error, words))

    def failure(self) -> SentinelError:
        """Return why nobody named a primary."""
        if self._others is not None:
            known = f"; they watch {', '.join(self._others)}" if self._others else ""
            return SentinelError(f'the Sentinels know no service "{self._service}"{known}')
        words = "; ".join(words for _, words in self._errors)
        refused = any(isinstance(e, redis.AuthenticationError) for e, _ in self._errors)
        kind = SentinelRefusedError if refused else SentinelError
        return kind(f"no Sentinel answers: {words}")


class _Looks:
    """When to ask the Sentinels although the connection works."""

    _due_s = 0.0

    def _is_due(self) -> bool:
        if time.monotonic() < self._due_s:
            return False
        self._due_s = time.monotonic() + REST_S
        return True

    def _looked(self) -> None:
        self._due_s = time.monotonic() + LOOK_S


def _strays(pool: Any) -> list[Any]:
    """The connections to another server than the primary, those in use among them: channels are,
    and whoever reads on a connection when another finds the new primary.
    """
    if pool.master_address is None:
        return []
    known = chain(pool._available_connections, pool._in_use_connections)
    return [each for each in known if (each.host, each.port) != pool.master_address]


class Sentinels:
    """The Sentinels of an address.

    Args:
        clients: one of each with raw replies, and what explains its errors.
    """

    def __init__(self, clients: Sequence[tuple[redis.Redis, Words]]) -> None:
        self._clients = list(clients)

    def discover_master(self, service: str) -> Node:
        """Return the primary's address, as the first says that knows it.

        Raises:
            SentinelError: none does.
        """
        search = Search(service)
        for at, (client, words) in enumerate(self._clients):
            try:
                found = search.answered(client.execute_command(*search.command))
                if found is None:
                    search.watch(client.execute_command("SENTINEL", "MASTERS"))
            except redis.RedisError as error:
                search.failed(error, words(error))
                continue
            if found is not None:
                self._clients.insert(0, self._clients.pop(at))
                return found
        raise search.failure()

    def hang_up(self) -> None:
        """Close the connections to them; the next question makes new ones."""
        for client, _ in self._clients:
            client.close()


class SentinelsAio:
    """As ``Sentinels``, for the event loop."""

    def __init__(self, clients: Sequence[tuple[redis.asyncio.Redis, Words]]) -> None:
        self._clients = list(clients)

    async def discover_master(self, service: str) -> Node:
        """Return the primary's address, as the first says that knows it.

        Raises:
            SentinelError: none does.
        """
        search = Search(service)
        for at, (client, words) in enumerate(self._clients):
            try:
                found = search.answered(await client.execute_command(*search.command))
                if found is None:
                    search.watch(await client.execute_command("SENTINEL", "MASTERS"))
            except redis.RedisError as error:
                search.failed(error, words(error))
                continue
            if found is not None:
                self._clients.insert(0, self._clients.pop(at))
                return found
        raise search.failure()

    async def hang_up(self) -> None:
        """Close the connections to them; the next question makes new ones."""
        for client, _ in list(self._clients):
            await client.aclose()


class _Connection(Leaving, redis.sentinel.SentinelManagedConnection):
    def connect_to(self, address: Node) -> None:
        try:
            super().connect_to(address)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise NodeError(address, error) from error


class _TlsConnection(_Connection, redis.sentinel.SentinelManagedSSLConnection):
    pass


class _ConnectionAio(LeavingAio, redis.asyncio.sentinel.SentinelManagedConnection):
    async def connect_to(self, address: Node) -> None:
        try:
            await super().connect_to(address)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise NodeError(address, error) from error


class _TlsConnectionAio(_ConnectionAio, redis.asyncio.sentinel.SentinelManagedSSLConnection):
    pass


class SentinelPool(_Looks, redis.sentinel.SentinelConnectionPool):
    """Connections to the primary that Sentinels name; looks each second whether it still is."""

    def __init__(self, service: str, sentinels: Sentinels, tls: bool, **options: Any) -> None:
        kind = _TlsConnection if tls else _Connection
        super().__init__(service, sentinels, connection_class=kind, **options)  # type: ignore[no-untyped-call]

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """Give a connection to the primary."""
        if self.master_address is not None and self._is_due():
            with suppress(redis.RedisError):
                self.get_master_address()  # type: ignore[no-untyped-call]
                self._looked()
        with self._lock:
            for stray in _strays(self):
                stray.disconnect()
        return super().get_connection(*args, **options)

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        if connection.demoted:
            connection.disconnect()
            connection.demoted = False
        super().release(connection)

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close connections; with all of them those to the Sentinels."""
        super().disconnect(inuse_connections)
        if inuse_connections:
            self.sentinel_manager.hang_up()


class SentinelPoolAio(_Looks, redis.asyncio.sentinel.SentinelConnectionPool):
    """As ``SentinelPool``, for the event loop."""

    def __init__(self, service: str, sentinels: SentinelsAio, tls: bool, **options: Any) -> None:
        kind = _TlsConnectionAio if tls else _ConnectionAio
        super().__init__(service, sentinels, connection_class=kind, **options)  # type: ignore[no-untyped-call]

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """Give a connection to the primary."""
        if self.master_address is not None and self._is_due():
            with suppress(redis.RedisError):
                await self.get_master_address()  # type: ignore[no-untyped-call]
                self._looked()
        await asyncio.gather(
            *(stray.disconnect() for stray in _strays(self) if stray.is_connected),
            return_exceptions=True,
        )
        return await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        if connection.demoted:
            await connection.disconnect()
            connection.demoted = False
        await super().release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close connections; with all of them those to the Sentinels."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.hang_up()
