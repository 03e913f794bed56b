"""Connections to the primary that Sentinels name: all follow, whoever finds the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mirante.servers.sentinels import SentinelPool, SentinelPoolAio, Sentinels, SentinelsAio
from mirante.servers.slots import Node
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("r")
    child = RedisChild(folder, port=free_port()).start()
    yield child.port
    child.kill()


class Told:
    """A Sentinel that names what it is told to; one server stands for two, by two host names."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.primary: Node = ("127.0.0.1", port)

    def discover_master(self, service: str) -> Node:
        assert service == "main"
        return self.primary

    def fail_over(self) -> None:
        self.primary = ("localhost", self.port)


class ToldAio:
    """As ``Told``, for the event loop."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def discover_master(self, service: str) -> Node:
        return self._told.discover_master(service)


def test_what_was_in_use_when_another_found_the_new_primary_follows(port: int) -> None:
    told = Told(port)
    pool = SentinelPool("main", cast(Sentinels, told), False, protocol=2)
    read, channel = pool.get_connection(), pool.get_connection()
    told.fail_over()
    found = pool.get_connection()
    assert (found.host, read.host, channel.host) == ("localhost", "127.0.0.1", "127.0.0.1")
    pool.release(read)
    again = pool.get_connection()
    assert again.host == "localhost"
    assert channel._sock is None
    assert found._sock is not None
    for each in (again, channel, found):
        each.disconnect()


def test_it_follows_in_the_event_loop(port: int) -> None:
    asyncio.run(follow(Told(port)))


async def follow(told: Told) -> None:
    sentinels = cast(SentinelsAio, ToldAio(told))
    pool: Any = SentinelPoolAio("main", sentinels, False, protocol=2)
    read, channel = await pool.get_connection(), await pool.get_connection()
    told.fail_over()
    found = await pool.get_connection()
    assert (found.host, read.host, channel.host) == ("localhost", "127.0.0.1", "127.0.0.1")
    await pool.release(read)
    assert (await pool.get_connection()).host == "localhost"
    assert not channel.is_connected
    assert found.is_connected
    for each in (read, channel, found):
        await each.disconnect()
