"""The nodes of a cluster as one client knows them: clients, which rest, where to ask next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import redis
import redis.asyncio

from mirante.backoff import Backoff
from mirante.servers.slots import Node, NodeError, Slots

C = TypeVar("C", redis.Redis, redis.asyncio.Redis)
REFRESH_S = 0.25  # the slots are not read more often: a failover takes seconds


@dataclass(slots=True)
class _Rest:
    """A node that was out of reach is left alone for a while: each try may take a second."""

    until_s: float = 0.0
    error: NodeError | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(0.1, 2.0))


class Nodes(Generic[C]):
    """Clients of the nodes of a cluster, and its slots.

    Args:
        places: nodes of the address, of which any one will do.
        connect: makes a client of one node.

    Attributes:
        slots: which node has which slot; None until that was read.
    """

    def __init__(self, places: Sequence[Node], connect: Callable[[Node], C]) -> None:
        self.slots: Slots | None = None
        self._places = tuple(places)
        self._connect: Callable[[Node], C] = connect
        self._clients: dict[Node, C] = {}
        self._rests: dict[Node, _Rest] = {}
        self._read_s = float("-inf")

    def client(self, node: Node) -> C:
        """Return the client of a node: one, whichever thread asks first."""
        found = self._clients.get(node)
        return found if found is not None else self._clients.setdefault(node, self._connect(node))

    def resting(self, node: Node) -> NodeError | None:
        """Return why a node is not to be asked just now; None when it may be."""
        rest = self._rests.get(node)
        return rest.error if rest and time.monotonic() < rest.until_s else None

    def all_resting(self) -> list[Node]:
        """Return the nodes that are not to be asked just now."""
        return [node for node in list(self._rests) if self.resting(node)]

    def lost(self, node: Node, error: BaseException) -> NodeError:
        """Note that a node is out of reach; return the error to tell of."""
        rest = self._rests.setdefault(node, _Rest())
        rest.error = NodeError(node, error)
        rest.until_s = time.monotonic() + rest.backoff.next_s()
        return rest.error

    def reached(self, node: Node) -> None:
        """Note that a node answered."""
        self._rests.pop(node, None)

    @property
    def is_due(self) -> bool:
        """The slots may be read again."""
        return time.monotonic() >= self._read_s + REFRESH_S

    def candidates(self) -> Iterator[Node]:
        """Yield the nodes to ask for the slots, each once: those that rest are last."""
        known: tuple[Node, ...] = self.slots.nodes if self.slots else ()
        nodes = dict.fromkeys((*known, *self._places))
        yield from sorted(nodes, key=lambda node: self.resting(node) is not None)

    def learn(self, reply: object, said_by: Node) -> Slots | None:
        """Take a reply of ``CLUSTER SLOTS``; None when it tells of no node.

        Raises:
            redis.ResponseError: the node refused.
        """
        if isinstance(reply, redis.RedisError):
            raise reply
        if not isinstance(reply, list) or not reply:
            return None
        self.slots, self._read_s = Slots(reply, said_by), time.monotonic()
        return self.slots

    def strangers(self) -> list[C]:
        """Return the clients of nodes that left the cluster, and forget them."""
        known = {*(self.slots.nodes if self.slots else ()), *self._places}
        return [self._clients.pop(node) for node in list(self._clients) if node not in known]

    def clients(self) -> list[C]:
        """Return all clients that were made."""
        return list(self._clients.values())
