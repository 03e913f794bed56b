"""A client of Redis Cluster for the event loop, and exchanges with any server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import redis
import redis.asyncio

from mirante.servers.connections import Command, pipelined
from mirante.servers.nodes import Nodes
from mirante.servers.slots import Course, Node, NodeError, Slots, Unit

T = TypeVar("T")


class ClusterAio(redis.asyncio.Redis):
    """As ``Cluster``, without transactions. Belongs to one event loop."""

    def __init__(
        self, places: Sequence[Node], connect: Callable[[Node], redis.asyncio.Redis]
    ) -> None:
        self._nodes = Nodes[redis.asyncio.Redis](places, connect)
        first = self._nodes.client(places[0])
        super().__init__(connection_pool=first.connection_pool)
        self.response_callbacks = first.response_callbacks

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The replies, in order; the error of a refused or unreachable node stands in its place.

        Raises:
            redis.RedisError: no node answers, or they are not of a cluster.
        """
        course = Course(self._nodes.slots or await self._read_slots(), commands)
        while parts := course.parts(self._nodes.all_resting()):
            await _together(self._fly(course, node, sent) for node, sent in parts.items())
            if course.stale and self._nodes.is_due:
                await self._read_slots()
        return course.replies

    async def of_each(self, command: Command) -> list[Any]:
        """What each primary says to a command; an error stands in the place of its reply."""
        slots = self._nodes.slots or await self._read_slots()
        asked = (self._ask(node, [command]) for node in slots.primaries)
        found = [r if isinstance(r, NodeError) else r[0] for r in await _together(asked)]
        if all(isinstance(reply, NodeError) for reply in found):
            raise found[0]
        return found

    async def scan_nodes(self, *options: Any) -> list[list[bytes] | redis.RedisError]:
        """The names on each primary, or why it tells none."""
        slots = self._nodes.slots or await self._read_slots()
        return await _together(self._scan(node, options) for node in slots.primaries)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As ``redis.asyncio.Redis`` does with raw replies."""
        [reply] = await self.exchange([args])
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def pubsub(self, **options: Any) -> redis.asyncio.client.PubSub:
        """Listen on one of the nodes, as a message published on any comes to all: on one of which
        a command before this found that it is there.
        """
        return self._nodes.client(next(self._nodes.candidates())).pubsub(**options)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        for client in self._nodes.clients():
            await client.aclose(close_connection_pool)

    async def _fly(self, course: Course, node: Node, sent: list[Unit]) -> None:
        replies = await self._ask(node, [command for unit in sent for command in unit.wire])
        if isinstance(replies, NodeError):
            course.failed(sent, replies)
        else:
            course.answered(node, sent, replies)

    async def _ask(self, node: Node, commands: Sequence[Command]) -> list[Any] | NodeError:
        if (error := self._nodes.resting(node)) is not None:
            return error
        client = self._nodes.client(node)
        try:
            replies = await pipelined(client, commands)
        except (redis.RedisError, OSError) as failure:
            await client.connection_pool.disconnect(inuse_connections=False)
            return self._nodes.lost(node, failure)
        self._nodes.reached(node)
        return replies

    async def _read_slots(self) -> Slots:
        failure: redis.RedisError = redis.ResponseError("CLUSTERDOWN no node has slots")
        for node in self._nodes.candidates():
            replies = await self._ask(node, [("CLUSTER", "SLOTS")])
            if isinstance(replies, NodeError):
                failure = replies
            elif slots := self._nodes.learn(replies[0], node):
                for client in self._nodes.strangers():
                    await client.aclose()
                return slots
        raise failure

    async def _scan(self, node: Node, options: Sequence[Any]) -> list[bytes] | redis.RedisError:
        found, cursor = list[bytes](), b"0"
        while True:
            replies = await self._ask(node, [("SCAN", cursor, *options)])
            if isinstance(replies, NodeError):
                return replies
            if isinstance(replies[0], redis.RedisError):
                return replies[0]
            cursor, names = replies[0]
            found += names
            if cursor == b"0":
                return found


async def _together(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what each returns. Cancelled it ends when all of them have: ``asyncio.gather`` ends
    with the first, and the others would still hold connections when the client is closed.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in asked]
    return [task.result() for task in tasks]
