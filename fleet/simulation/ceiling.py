"""How many messages a second Redis takes: the commands that senders write, sent at its pace."""

from __future__ import annotations

import logging
import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.connection import Connection

from fleet.redis_use import Used, used
from fleet.simulation.messages import numbered, street
from mirante.keys import EntryId, Kind, key, owner_key
from mirante.redis_url import exchange
from mirante.servers.cluster import Cluster
from mirante.wire import encode
from pipeline.control.registry import connect
from plugins.outbox.command import write_command
from plugins.outbox.fence import Fence
from plugins.outbox.limits import Limits
from plugins.outbox.retention import Retention
from plugins.outbox.ring import Ring

TOGETHER = 20  # cameras of a worker, whose results go in one exchange
_DONE = b"*1\r\n:1\r\n"  # what the script answers where it wrote all
_FPS = 10.0
_FIRST = EntryId(0, 0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What servers took as fast as they could.

    Attributes:
        messages: entries written.
        seconds: from the first to the last answer.
        message_bytes: of one command on the wire, on average.
        client_s: processor time of whoever sent them.
        servers: what the servers did meanwhile.
    """

    messages: int
    seconds: float
    message_bytes: float
    client_s: float
    servers: tuple[Used, ...]

    @property
    def message_us(self) -> float:
        """Microseconds of a server's processor for one message."""
        return sum(each.cpu_s for each in self.servers) / self.messages * 1e6

    @property
    def rate(self) -> float:
        """Messages a second, of all servers together."""
        return self.messages / self.seconds


class Senders:
    """Senders of so many cameras, as one worker or many have them; without their threads.

    Args:
        client: of Redis.
        cameras: their names; each is claimed for good.
    """

    def __init__(self, client: redis.Redis, cameras: Sequence[str]) -> None:
        self._ring = Ring(30.0, 1 << 40, 60.0, lambda _camera, _frames: None)
        self._retention = Retention()
        self._limits = Limits(self._retention, log)
        self._fence = Fence(None)
        self._frame = street()
        self._cameras = cameras
        self._epoch = time.time_ns() // 1_000_000
        self._number = 0
        claims = {camera: self._fence.claim(camera, begun=False) for camera in cameras}
        replies = exchange(client, [command for _, command in claims.values()])
        if wrong := [reply for reply in replies if reply != 1]:
            raise RuntimeError(f"a camera is another publisher's: {wrong[0]!r}")
        self._fence.claimed({camera: token for camera, (token, _) in claims.items()})
        exchange(client, [("PERSIST", owner_key(camera)) for camera in cameras])

    def round(self) -> list[tuple[Any, ...]]:
        """Return the commands that write one more frame of each camera."""
        is_first, now_s = self._number == 0, time.monotonic() + self._number / _FPS
        commands = []
        for camera in self._cameras:
            frame = numbered(self._frame, camera, self._number, self._epoch)
            fields: dict[Kind, dict[str, bytes]] = {"detections": encode(frame).detections}
            captured_ms = self._epoch + round(1000 * self._number / _FPS)
            self._ring.put(camera, captured_ms, frame.seq, fields, epoch=self._epoch)
            lane = self._ring.lanes[camera, "detections"]
            if is_first:
                lane.sync(dict.fromkeys(lane.kinds, _FIRST))
                lane.whole = True
                self._limits.measure([lane], lambda asked: [[] for _ in asked])
            entries = self._ring.take(lane, 64, 1 << 20)
            sent = f"{time.time():.6f}"
            rest = (self._fence, self._limits, self._retention)
            commands.append(write_command(lane, entries, sent, now_s, *rest))
            lane.land(entries, [])
            self._limits.landed(lane, [])
            lane.forget(float("inf"))
        self._number += 1
        return commands


def measure(url: str, cameras: int, rounds: int) -> Taken:
    """Write one frame of each camera, round after round, as fast as Redis takes them.

    The commands are made before: what sends them costs next to nothing, so that on few cores as
    much as possible is the servers'.

    Raises:
        RuntimeError: an entry was not written.
    """
    names = [f"load-{number:05}" for number in range(cameras)]
    with connect(url) as client:
        senders = Senders(client, names)
        exchange(client, senders.round())
        nodes = _Nodes(client, names)
        sent = [nodes.packed(senders.round()) for _ in range(rounds)]
        try:
            before, cpu_s, began_s = used(client), time.process_time(), time.monotonic()
            for each in sent:
                nodes.exchange(each)
            seconds, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
            done = tuple(a.since(b) for a, b in zip(used(client), before, strict=True))
        finally:
            nodes.close()
        messages = cameras * rounds
        size = sum(len(data) for each in sent for parts in each.values() for data, _ in parts)
        _forget(client, names)
    return Taken(messages, seconds, size / messages, cpu_s, done)


class _Nodes:
    """Sockets to the servers: one for each exchange of a round, as each worker has its own."""

    def __init__(self, client: redis.Redis, cameras: Sequence[str]) -> None:
        self._client = client
        self._packer = Connection()
        self._node = {camera: self._place(key(camera, "detections")) for camera in cameras}
        self._cameras = cameras
        self._sockets: dict[tuple[str, int], list[socket.socket]] = defaultdict(list)

    def packed(
        self, commands: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[str, int], list[tuple[bytes, int]]]:
        """Return what is sent to each node: exchanges, and the number of commands of each."""
        by_node: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        for camera, command in zip(self._cameras, commands, strict=True):
            packed = b"".join(self._packer.pack_command(*command))
            by_node[self._node[camera]].append(packed)
        return {
            node: [(b"".join(part), len(part)) for part in _parts(found)]
            for node, found in by_node.items()
        }

    def exchange(self, parts: dict[tuple[str, int], list[tuple[bytes, int]]]) -> None:
        """Send all exchanges of a round at once, and read the answers."""
        waiting = []
        for node, exchanges in parts.items():
            for (data, count), connected in zip(
                exchanges, self._connected(node, len(exchanges)), strict=True
            ):
                connected.sendall(data)
                waiting.append((connected, count))
        for connected, count in waiting:
            answer = b"".join(_read(connected, count * len(_DONE)))
            if answer != _DONE * count:
                raise RuntimeError(f"not every entry was written: {answer[:200]!r}")

    def close(self) -> None:
        for sockets in self._sockets.values():
            for each in sockets:
                each.close()

    def _connected(self, node: tuple[str, int], count: int) -> list[socket.socket]:
        while len(self._sockets[node]) < count:
            self._sockets[node].append(socket.create_connection(node, timeout=60))
        return self._sockets[node][:count]

    def _place(self, name: str) -> tuple[str, int]:
        client = self._client
        pool = client.connection_pool
        if isinstance(client, Cluster):
            pool = client.pool_of(("GET", name))
        options = pool.connection_kwargs
        return options.get("host", "127.0.0.1"), int(options.get("port", 6379))


def _read(connected: socket.socket, size: int) -> Iterator[bytes]:
    while size > 0:
        data = connected.recv(size)
        if not data:
            raise RuntimeError("Redis hung up")
        size -= len(data)
        yield data


def _parts(packed: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [packed[first : first + TOGETHER] for first in range(0, len(packed), TOGETHER)]


def _forget(client: redis.Redis, cameras: Sequence[str]) -> None:
    """Remove what was written."""
    names = [name for camera in cameras for name in (key(camera, "detections"), owner_key(camera))]
    exchange(client, [("UNLINK", name) for name in names])
