"""Which node of a cluster gets which command, and what its answers mean. No input or output."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import redis
from redis.crc import key_slot

from mirante.servers.connections import Command, code_of

Node = tuple[str, int]  # host and port

REDIRECTS = 5  # of one command; more of them go in a circle
_KEY_AT = {"XINFO": 2, "XGROUP": 2, "MEMORY": 2, "OBJECT": 2, "EVAL": 3, "EVALSHA": 3}
_KEYLESS = {
    *("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "INFO", "MULTI", "EXEC", "PING", "PUBSUB"),
    *("SCAN", "SCRIPT", "TIME"),
}
_BEHIND_STREAMS = -1
_REDIRECT = re.compile(r"(\d+) (\S*):(\d+)$")  # slot, host, port


class NodeError(redis.ConnectionError):
    """A node of a cluster, or the primary that Sentinels name, is out of reach.

    Attributes:
        node: which.
        error: why, as its connection says it.
    """

    def __init__(self, node: Node, error: BaseException) -> None:
        super().__init__(f"{node[0]}:{node[1]}: {error}")
        self.node, self.error = node, error
        self.__cause__ = error  # so that a wrong password is found

    @property
    def place(self) -> str:
        """Its address."""
        host, port = self.node
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def slot_of(command: Command) -> int | None:
    """Return the slot of a command's first key; None of one without keys."""
    at = _key_at(command[0])
    if at == _BEHIND_STREAMS:
        at = 1 + next((i for i, word in enumerate(command) if word == "STREAMS"), len(command))
    if at is None or at >= len(command):
        return None
    key = command[at]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


@lru_cache(maxsize=256)  # asked for each command, of which there are few
def _key_at(name: Any) -> int | None:
    """Return the place of the first key in commands of a name, which may be of several words; None
    where they have none.
    """
    word, *more = str(name).upper().split(" ")
    if word in _KEYLESS:
        return None
    if word in {"XREAD", "XREADGROUP"}:
        return _BEHIND_STREAMS
    return _KEY_AT.get(word, 1) - len(more)


class Redirect:
    """Where a node sends a command.

    Attributes:
        slot: of the command's key.
        node: who has it; an empty host is that of the node which said so.
        stays: it is so from now on (MOVED), not for this command alone (ASK).
    """

    def __init__(self, slot: int, node: Node, stays: bool) -> None:
        self.slot, self.node, self.stays = slot, node, stays

    @classmethod
    def of(cls, reply: object, said_by: Node) -> Redirect | None:
        """Read an error; None of any other reply."""
        code = code_of(reply)
        if code not in {"MOVED", "ASK"}:
            return None
        found = _REDIRECT.search(str(reply))
        if found is None:
            return None
        return cls(int(found[1]), (found[2] or said_by[0], int(found[3])), code == "MOVED")


class Slots:
    """The nodes of a cluster, and which of them has which slot.

    Args:
        reply: of ``CLUSTER SLOTS``.
        said_by: the node that gave it; it stands for a host that is not told.

    Attributes:
        primaries: nodes that have slots, each once.
        nodes: these and their replicas.
    """

    def __init__(self, reply: Sequence[Any], said_by: Node) -> None:
        spans = []
        nodes: dict[Node, None] = {}
        for first, last, *places in reply:
            owner, *replicas = (_node(place, said_by) for place in places)
            spans.append((first, last, owner))
            nodes.update(dict.fromkeys(replicas))
        self._spans = sorted(spans)
        self._starts = [first for first, _, _ in self._spans]
        self._moved: dict[int, Node] = {}
        self.primaries = tuple(dict.fromkeys(owner for _, _, owner in self._spans))
        self.nodes = tuple(dict.fromkeys((*self.primaries, *nodes)))

    def owner(self, slot: int) -> Node | None:
        """Return the node that has a slot; None when nobody has it."""
        if slot in self._moved:
            return self._moved[slot]
        at = bisect_right(self._starts, slot) - 1
        if at < 0 or self._spans[at][1] < slot:
            return None
        return self._spans[at][2]

    def move(self, slot: int, node: Node) -> None:
        """A slot has another owner."""
        self._moved[slot] = node


def _node(place: Sequence[Any], said_by: Node) -> Node:
    host, port = place[0], int(place[1])
    text = host.decode() if isinstance(host, bytes) else host
    return (text if text and text != "?" else said_by[0], port)


class Unit:
    """Commands that go to one node together: one, or those from MULTI to EXEC.

    Attributes:
        at: the place of its first command among all.
        commands: as they were given.
        slot: of its keys; None when any node will do.
        asking: the node to which an ASK sent it.
        redirects: how often it was sent on.
    """

    __slots__ = ("asking", "at", "commands", "redirects", "slot")

    def __init__(self, at: int, commands: tuple[Command, ...]) -> None:
        self.at, self.commands = at, commands
        self.slot = slot_of(commands[0])
        if self.slot is None and len(commands) > 1:
            slots = (slot_of(command) for command in commands)
            self.slot = next((slot for slot in slots if slot is not None), None)
        self.asking: Node | None = None
        self.redirects = 0

    @property
    def is_everywhere(self) -> bool:
        """Every node knows a part of the answer."""
        return self.slot is None and self.commands[0][:2] == ("PUBSUB", "NUMSUB")

    @property
    def wire(self) -> tuple[Command, ...]:
        """The commands as they are sent."""
        return (("ASKING",), *self.commands) if self.asking else self.commands


def units(commands: Sequence[Command]) -> Iterator[Unit]:
    """Yield commands in their order, a transaction as one."""
    begin = None
    for at, command in enumerate(commands):
        if command[0] == "MULTI":
            begin = at
        elif command[0] == "EXEC" and begin is not None:
            yield Unit(begin, tuple(commands[begin : at + 1]))
            begin = None
        elif begin is None:
            yield Unit(at, (command,))


class Course:
    """The course of one exchange: what goes where now, until every command has its reply.

    Attributes:
        replies: in the order of the commands; an error stands in its place.
        stale: the slots are to be read again.
    """

    def __init__(self, slots: Slots, commands: Sequence[Command]) -> None:
        self.replies: list[Any] = [None] * len(commands)
        self.stale = False
        self._slots = slots
        self._due = list(units(commands))

    def parts(self, avoid: Collection[Node] = ()) -> dict[Node, list[Unit]]:
        """What is to be sent now, by node.

        Args:
            avoid: nodes that do not get what any other can answer.
        """
        found: dict[Node, list[Unit]] = {}
        due, self._due = self._due, []
        for unit in due:
            for node in self._targets(unit, avoid):
                found.setdefault(node, []).append(unit)
        return found

    def answered(self, node: Node, sent: Sequence[Unit], replies: Sequence[Any]) -> None:
        """Take what a node replied to ``wire`` of units."""
        rest = iter(replies)
        for unit in sent:
            own = list(islice(rest, len(unit.wire)))[-len(unit.commands) :]
            if unit.is_everywhere:
                self._add(unit, own[0])
                continue
            if not any(map(_is_error, own)):  # as nearly always
                self._settle(unit, own)
                continue
            found = (Redirect.of(reply, node) for reply in own)
            redirect = next((each for each in found if each), None)
            if redirect is not None and unit.redirects < REDIRECTS:
                self._send_on(unit, redirect)
                continue
            self.stale |= any(code_of(reply) == "CLUSTERDOWN" for reply in own)
            self._settle(unit, own)

    def failed(self, sent: Sequence[Unit], error: redis.RedisError) -> None:
        """A node is out of reach: its commands have no other reply."""
        self.stale = True
        for unit in sent:
            if unit.is_everywhere:
                self._add(unit, error)
            else:
                self._settle(unit, [error] * len(unit.commands))

    def _targets(self, unit: Unit, avoid: Collection[Node]) -> tuple[Node, ...]:
        if unit.is_everywhere:
            return self._slots.nodes
        if unit.asking is not None:
            return (unit.asking,)
        if unit.slot is None:
            able = [node for node in self._slots.primaries if node not in avoid]
            return (able[0] if able else self._slots.primaries[0],)
        owner = self._slots.owner(unit.slot)
        if owner is None:
            words = f"CLUSTERDOWN Hash slot {unit.slot} is not served"
            self.failed([unit], redis.ResponseError(words))
            return ()
        return (owner,)

    def _send_on(self, unit: Unit, redirect: Redirect) -> None:
        unit.redirects += 1
        unit.asking = None if redirect.stays else redirect.node
        if redirect.stays:
            self.stale = True
            self._slots.move(redirect.slot, redirect.node)
        self._due.append(unit)

    def _settle(self, unit: Unit, replies: Sequence[Any]) -> None:
        self.replies[unit.at : unit.at + len(replies)] = replies

    def _add(self, unit: Unit, reply: Any) -> None:
        """Sum up the listeners that each node counts; one that is out of reach has none."""
        before = self.replies[unit.at]
        if _is_error(before) or before is None:
            self.replies[unit.at] = reply
        elif not _is_error(reply):
            counts = [int(a) + int(b) for a, b in zip(before[1::2], reply[1::2], strict=True)]
            names = before[::2]
            self.replies[unit.at] = [x for pair in zip(names, counts, strict=True) for x in pair]


def _is_error(reply: object) -> bool:
    return isinstance(reply, redis.RedisError)
