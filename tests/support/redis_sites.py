"""Redis as it is run: a primary that Sentinel watches, and a cluster; of real servers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from mirante.keys import CAMERAS, key
from mirante.servers.connections import raw
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild

SERVICE = "main"
_REPLICATED = key_slot(CAMERAS.encode()) * 3 // 16384
_HASTY = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


def eventually(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Wait until something comes true, and return it; a server that is away makes it untrue."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        with suppress(redis.RedisError):
            if value := condition():
                return value
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s")


def _child(folder: Path, *options: str) -> RedisChild:
    port = free_port()
    (folder / str(port)).mkdir()
    return RedisChild(folder / str(port), *_HASTY, *options, port=port)


def asked(child: RedisChild, *command: Any) -> Any:
    """Return a server's raw reply, whatever its role."""
    with redis.Redis(unix_socket_path=str(child.socket)) as client:
        return raw(client).execute_command(*command)


def is_primary(child: RedisChild) -> bool:
    """The server says so of itself."""
    return bool(asked(child, "ROLE")[0] == b"master")


def has_link(replica: RedisChild) -> bool:
    """A replica follows its primary."""
    return b"master_link_status:up" in asked(replica, "INFO", "replication")


class SentinelSite:
    """A primary, a replica, and a Sentinel that alone decides.

    Attributes:
        url: their address; its first Sentinel is one that is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = [_child(folder)]
        first = self.servers[0]
        self.servers.append(_child(folder, "--replicaof", f"127.0.0.1 {first.port}"))
        self.port = free_port()
        self._file = folder / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nloglevel warning\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 600\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self.port}/{SERVICE}"

    def start(self) -> SentinelSite:
        for server in self.servers:
            server.start()
        eventually(self._streams_to_replica)
        self.process = subprocess.Popen(
            ["redis-server", str(self._file), "--sentinel"], stdout=subprocess.DEVNULL
        )
        eventually(self._knows_replica)
        return self

    def _streams_to_replica(self) -> bool:
        """What is written now reaches the replica: until that has said how far it is, for up to a
        second after its link is up, the primary sends it nothing.
        """
        _, _, replicas = asked(self.servers[0], "ROLE")
        return any(int(offset) > 0 for _, _, offset in replicas)

    def kill(self) -> None:
        for server in self.servers:
            server.kill()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def sentinel(self) -> redis.Redis:
        return redis.Redis(port=self.port, protocol=2)

    def primary(self) -> RedisChild:
        """Return the server that Sentinel names, which is a primary."""
        found: RedisChild = eventually(self._primary)
        return found

    def fail_over(self) -> None:
        """Let Sentinel choose another primary while the old one works on."""
        before = self.primary()
        eventually(self._ask_for_another)
        eventually(lambda: self._primary() not in {None, before})

    def _ask_for_another(self) -> bool:
        with self.sentinel() as client:
            return bool(client.execute_command("SENTINEL", "FAILOVER", SERVICE))

    def _primary(self) -> RedisChild | None:
        with self.sentinel() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        [named] = [server for server in self.servers if server.port == int(port)]
        return named if is_primary(named) else None

    def _knows_replica(self) -> bool:
        with self.sentinel() as client:
            return len(client.execute_command("SENTINEL", "REPLICAS", SERVICE)) == 1


class ClusterSite:
    """Three primaries, and a replica of the one that has the registry. The slots of the others are
    served on while one is away.

    Attributes:
        url: their address; its first node is one that is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = [_child(folder, *self._options()) for _ in range(4)]
        places = ",".join(f"127.0.0.1:{port}" for port in (free_port(), *self.ports))
        self.url = f"redis+cluster://{places}"

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    @staticmethod
    def _options() -> tuple[str, ...]:
        return (
            *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
            *("--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0"),
            *("--cluster-announce-ip", "127.0.0.1", "--cluster-port", str(free_port())),
        )

    def start(self) -> ClusterSite:
        for number, server in enumerate(self.servers):
            asked(server.start(), "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < 3:
                first, end = (slot * 16384 // 3 for slot in (number, number + 1))
                asked(server, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        primary, *rest = self.servers
        for server in rest:
            bus = server.options[server.options.index("--cluster-port") + 1]
            asked(primary, "CLUSTER", "MEET", "127.0.0.1", server.port, bus)
        eventually(lambda: all(map(self._agrees, self.servers)))
        name = asked(self.servers[_REPLICATED], "CLUSTER", "MYID")
        eventually(lambda: asked(rest[2], "CLUSTER", "REPLICATE", name))
        eventually(lambda: has_link(rest[2]))
        eventually(lambda: all(any(len(span) == 4 for span in _slots(s)) for s in self.servers))
        return self

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def fail_over(self) -> None:
        """Let the replica take its primary's place."""
        taker = self.replica()
        asked(taker, "CLUSTER", "FAILOVER")
        eventually(lambda: is_primary(taker))

    def move_slot(self, camera: str, to: RedisChild) -> None:
        """Bring a camera's slot to another shard, key by key, as operators do."""
        slot, old = key_slot(key(camera, "detections").encode()), self.owner(camera)
        old_id, new_id = (asked(server, "CLUSTER", "MYID") for server in (old, to))
        asked(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        asked(old, "CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
        time.sleep(0.3)  # and commands come meanwhile
        while names := asked(old, "CLUSTER", "GETKEYSINSLOT", slot, 1):
            asked(old, "MIGRATE", "127.0.0.1", to.port, names[0], 0, 5000)
            time.sleep(0.1)
        for server in (to, old):
            asked(server, "CLUSTER", "SETSLOT", slot, "NODE", new_id)

    def owner(self, camera: str) -> RedisChild:
        """Return the server that has a camera's keys."""
        slot = key_slot(key(camera, "detections").encode())
        found: RedisChild = eventually(lambda: self._owner(slot))
        return found

    def replica(self) -> RedisChild:
        """Return the server that has no slots."""
        found: RedisChild = eventually(lambda: next(s for s in self.servers if not is_primary(s)))
        return found

    @staticmethod
    def cameras(prefix: str) -> list[str]:
        """Return a camera's name of each shard, that with a replica first."""
        names: dict[int, str] = {}
        for number in count():
            name = f"{prefix}{number}"
            shard = key_slot(key(name, "detections").encode()) * 3 // 16384
            names.setdefault(shard, name)
            if len(names) == 3:
                return [names.pop(_REPLICATED), *names.values()]
        raise AssertionError("unreachable")

    def _owner(self, slot: int) -> RedisChild | None:
        for server in self.servers:
            with suppress(redis.RedisError):
                if server.process is not None and server.process.poll() is None:
                    for first, last, primary, *_ in _slots(server):
                        if first <= slot <= last:
                            [found] = [s for s in self.servers if s.port == primary[1]]
                            return found if is_primary(found) else None
        return None

    @staticmethod
    def _agrees(server: RedisChild) -> bool:
        known = asked(server, "CLUSTER", "NODES").count(b"connected")
        is_up = b"cluster_state:ok" in asked(server, "CLUSTER", "INFO")
        return is_up and known == 4 and len(_slots(server)) == 3


def _slots(server: RedisChild) -> list[Any]:
    return list(asked(server, "CLUSTER", "SLOTS"))


@contextmanager
def started(site: Any) -> Iterator[Any]:
    """Run a site for a while."""
    try:
        yield site.start()
    finally:
        site.kill()
