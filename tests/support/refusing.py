"""A real Redis that answers and refuses writes, in each of its ways."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from tests.support.redis_child import RedisChild


def _unsaved(client: redis.Redis) -> None:
    """Have it save to a folder that is gone."""
    client.config_set("save", "900 1000000")
    client.config_set("stop-writes-on-bgsave-error", "yes")
    shutil.rmtree(str(client.config_get("dir")["dir"]), ignore_errors=True)
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        with suppress(redis.ResponseError):  # one is in progress
            client.bgsave()
        time.sleep(0.05)


Change = Callable[[redis.Redis], object]
WAYS: dict[str, tuple[Change, Change]] = {
    "OOM": (lambda c: c.config_set("maxmemory", 1), lambda c: c.config_set("maxmemory", 0)),
    "READONLY": (lambda c: c.replicaof("127.0.0.1", "1"), lambda c: c.replicaof("NO", "ONE")),
    "NOREPLICAS": (
        lambda c: c.config_set("min-replicas-to-write", 1),
        lambda c: c.config_set("min-replicas-to-write", 0),
    ),
    "MISCONF": (_unsaved, lambda c: c.config_set("stop-writes-on-bgsave-error", "no")),
}


@contextmanager
def refusing(client: redis.Redis, code: str) -> Iterator[None]:
    """Have a server refuse writes meanwhile."""
    begin, end = WAYS[code]
    begin(client)
    try:
        yield
    finally:
        end(client)


@contextmanager
def spoilable_server(folder: Path) -> Iterator[RedisChild]:
    """A server whose own folder may go."""
    own = folder / "data"
    own.mkdir()
    child = RedisChild(folder, "--dir", str(own)).start()
    yield child
    child.kill()
