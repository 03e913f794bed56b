"""What happens as soon as somebody waits for it, and not after some time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.redis_child import RedisChild


def await_readers(server: RedisChild, readers: int = 1) -> None:
    """Wait until so many clients wait for entries of a server's streams."""
    client, end_s = server.client(), time.monotonic() + 60
    while client.info("clients")["blocked_clients"] < readers:
        assert time.monotonic() < end_s, f"{readers} clients do not wait"
        time.sleep(0.005)


@contextmanager
def once_awaited(server: RedisChild, happen: Callable[..., Any], *arguments: Any) -> Iterator[None]:
    """Let something happen during the block, once a client waits for entries of a server's streams:
    one that begins with what is new does not know what came before.
    """

    def run() -> None:
        await_readers(server)
        happen(*arguments)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()  # which ends in a minute, also where nobody waits any more
