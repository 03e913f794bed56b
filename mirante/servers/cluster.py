"""A client of Redis Cluster: each command goes to the node that has its key.

The cluster client of redis-py connects while it is made, retries for seconds, and gives up all
commands of an exchange when one node is out of reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.client import Pipeline

from mirante.servers.connections import Command, Flight, Pool, code_of
from mirante.servers.nodes import Nodes
from mirante.servers.slots import Course, Node, NodeError, Redirect, Slots, Unit, slot_of

TRIES = 20  # of a transaction whose slot is on its way to another node
_PAUSE_S = 0.02
_ON_ITS_WAY = {"ASK", "TRYAGAIN", "CLUSTERDOWN"}


class Cluster(redis.Redis):
    """A cluster, as one ``redis.Redis``. Safe between threads.

    Every command must be about keys of one slot, and so must each transaction; an exchange may be
    about any. Commands about a node that is out of reach have a ``NodeError`` for a reply, and
    the others are not held up by it longer than a time-out.

    Args:
        places: nodes of which any one will do; none is asked before the first command.
        connect: makes a client of one node.
    """

    def __init__(self, places: Sequence[Node], connect: Callable[[Node], redis.Redis]) -> None:
        def connected(node: Node) -> redis.Redis:
            client = connect(node)
            # A client that is forgotten would close connections that another thread has in use.
            client.auto_close_connection_pool = False
            return client

        self._nodes = Nodes[redis.Redis](places, connected)
        first = self._nodes.client(places[0])
        super().__init__(connection_pool=first.connection_pool)
        self.response_callbacks = first.response_callbacks

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The replies, in order; the error of a refused or unreachable node stands in its place.

        Raises:
            redis.RedisError: no node answers, or they are not of a cluster.
        """
        course = Course(self._nodes.slots or self._read_slots(), commands)
        while parts := course.parts(self._nodes.all_resting()):
            self._fly(course, parts)
            if course.stale and self._nodes.is_due:
                self._read_slots()
        return course.replies

    def scan_nodes(self, *options: Any) -> list[list[bytes] | redis.RedisError]:
        """The names on each primary, or why it tells none."""
        slots = self._nodes.slots or self._read_slots()
        return [self._scan(node, options) for node in slots.primaries]

    def primaries(self) -> dict[str, redis.Redis]:
        """A client of each primary, by its address, to ask it about itself."""
        slots = self._nodes.slots or self._read_slots()
        return {f"{node[0]}:{node[1]}": self._nodes.client(node) for node in slots.primaries}

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As ``redis.Redis`` does."""
        [reply] = self.exchange([args])
        if isinstance(reply, redis.RedisError):
            raise reply
        options.pop("keys", None)  # which redis-py's cache would want
        shape = self.response_callbacks.get(args[0])
        return shape(reply, **options) if shape else reply

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """A transaction about keys of one slot; it goes where its first key is."""
        return _Transaction(self)

    def close(self) -> None:
        """Close all connections."""
        for client in self._nodes.clients():
            _pool(client).retire()
            client.connection_pool.disconnect()

    def pool_of(self, command: Command) -> redis.ConnectionPool:
        """Return the connections to the node that has a command's key."""
        slots = self._nodes.slots or self._read_slots()
        slot = slot_of(command)
        node = slots.primaries[0] if slot is None else slots.owner(slot)
        if node is None:
            raise redis.ResponseError(f"CLUSTERDOWN Hash slot {slot} is not served")
        return self._nodes.client(node).connection_pool

    def follow(self, error: redis.RedisError) -> bool:
        """Look where the keys of a failed transaction are; True when it is to be tried again."""
        redirect = Redirect.of(error, ("", 0))
        if redirect is not None and redirect.stays and redirect.node[0] and self._nodes.slots:
            self._nodes.slots.move(redirect.slot, redirect.node)
            return True
        waits = code_of(error) in _ON_ITS_WAY
        if waits:
            time.sleep(_PAUSE_S)
        if self._nodes.is_due:
            self._read_slots()
        return waits

    def _fly(self, course: Course, parts: dict[Node, list[Unit]]) -> None:
        """Send to every node before any reply is read."""
        flights: list[tuple[Node, list[Unit], Flight]] = []
        try:
            for node, sent in parts.items():
                flight = self._send(node, [command for unit in sent for command in unit.wire])
                if isinstance(flight, NodeError):
                    course.failed(sent, flight)
                else:
                    flights.append((node, sent, flight))
            for node, sent, flight in flights:
                try:
                    course.answered(node, sent, flight.land())
                    self._nodes.reached(node)
                except (redis.RedisError, OSError) as error:
                    course.failed(sent, self._lost(node, error))
        finally:
            for _, _, flight in flights:
                flight.drop()

    def _send(self, node: Node, commands: Sequence[Command]) -> Flight | NodeError:
        if (error := self._nodes.resting(node)) is not None:
            return error
        try:
            return Flight(self._nodes.client(node).connection_pool, commands)
        except (redis.RedisError, OSError) as failure:
            return self._lost(node, failure)

    def _lost(self, node: Node, error: BaseException) -> NodeError:
        self._nodes.client(node).connection_pool.disconnect(inuse_connections=False)
        return self._nodes.lost(node, error)

    def _read_slots(self) -> Slots:
        failure: redis.RedisError = redis.ResponseError("CLUSTERDOWN no node has slots")
        for node in self._nodes.candidates():
            flight = self._send(node, [("CLUSTER", "SLOTS")])
            if isinstance(flight, NodeError):
                failure = flight
                continue
            try:
                [reply] = flight.land()
            except (redis.RedisError, OSError) as error:
                failure = self._lost(node, error)
                continue
            self._nodes.reached(node)
            if slots := self._nodes.learn(reply, node):
                for client in self._nodes.strangers():
                    _pool(client).retire()
                return slots
        raise failure

    def _scan(self, node: Node, options: Sequence[Any]) -> list[bytes] | redis.RedisError:
        found, cursor = list[bytes](), b"0"
        while True:
            flight = self._send(node, [("SCAN", cursor, *options)])
            if isinstance(flight, NodeError):
                return flight
            try:
                [reply] = flight.land()
            except (redis.RedisError, OSError) as error:
                return self._lost(node, error)
            if isinstance(reply, redis.RedisError):
                return reply
            cursor, names = reply
            found += names
            if cursor == b"0":
                return found


def _pool(client: redis.Redis) -> Pool:
    pool = client.connection_pool
    assert isinstance(pool, Pool)
    return pool


class _Transaction(Pipeline):
    """A transaction on the node of its keys. What a moved slot refuses is tried again there."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, True, None)
        self._cluster = cluster

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command, or carry it out while keys are watched."""
        if self.connection is None and not self.command_stack:
            self.connection_pool = self._cluster.pool_of(args)
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Carry out one command; the first, ``WATCH``, where its key is by now."""
        for _ in range(TRIES):
            try:
                return super().immediate_execute_command(  # type: ignore[no-untyped-call]
                    *args, **options
                )
            except redis.RedisError as error:
                if not self._cluster.follow(error) or self.watching:
                    raise
                self.reset()
                self.connection_pool = self._cluster.pool_of(args)
        raise redis.ResponseError("TRYAGAIN the slot of this key is being moved")

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Carry out the transaction.

        Raises:
            redis.WatchError: also when the slot of a watched key moved meanwhile.
        """
        stack, watched = self.command_stack, self.watching
        for _ in range(TRIES):
            try:
                return super().execute(raise_on_error)
            except redis.WatchError:
                raise
            except redis.RedisError as error:
                if not self._cluster.follow(error):
                    raise
                if watched:
                    raise redis.WatchError("its slot moved") from None
                self.command_stack = stack
                self.connection_pool = self._cluster.pool_of(stack[0][0])
        raise redis.ResponseError("TRYAGAIN the slot of these keys is being moved")
