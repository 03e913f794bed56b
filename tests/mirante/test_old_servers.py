"""A Redis that is too old is refused by its version, in words."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from mirante import SubscribeError, aio, subscribe
from mirante.redis_greeting import is_old
from mirante.redis_url import RedisUrl, refuses
from plugins.outbox.outbox import Outbox
from tests.support.outcome import Run
from tests.support.simulated_camera import frame


class OldRedis(socketserver.ThreadingTCPServer):
    """Answers as one version does, to all that a client says while it connects."""

    daemon_threads = True

    def __init__(self, version: str) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        facts = ("server", "redis", "version", version)
        self.hello = f"*{len(facts)}\r\n" + "".join(f"${len(f)}\r\n{f}\r\n" for f in facts)
        if version < "6":
            self.hello = "-ERR unknown command `HELLO`, with args beginning with: \r\n"

    @property
    def url(self) -> str:
        return f"redis://:s3cr3t@127.0.0.1:{self.server_address[1]}"


class _Talk(socketserver.StreamRequestHandler):
    server: OldRedis

    def handle(self) -> None:
        while head := self.rfile.readline():
            parts = [
                self.rfile.read(int(self.rfile.readline()[1:]) + 2) for _ in range(int(head[1:]))
            ]
            hello = parts[0].strip().upper() == b"HELLO"
            self.wfile.write(self.server.hello.encode() if hello else b"+OK\r\n")


@pytest.fixture(params=["5.0.14", "6.0.16"])
def old(request: pytest.FixtureRequest) -> Iterator[OldRedis]:
    with OldRedis(request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


NEEDED = "Mirante needs Redis 6.2 or later, or Valkey"


def test_every_kind_of_client_refuses_it(
    old: OldRedis, until: Callable[..., Any], mirante: Run
) -> None:
    url = RedisUrl(old.url)
    clients = (url.client, url.shaped_client)
    said = []
    for client in clients:
        with pytest.raises(redis.ConnectionError) as caught:
            client().ping()
        assert refuses(caught.value)
        said.append(url.explain(caught.value))
    with pytest.raises(SubscribeError) as refused:
        next(subscribe("gate", redis=old.url))
    said.append(str(refused.value))

    async def read_async() -> None:
        await anext(aio.subscribe("gate", redis=old.url))

    with pytest.raises(SubscribeError) as refused:
        asyncio.run(read_async())
    said.append(str(refused.value))
    outbox = Outbox(old.url)
    outbox.start()
    outbox.publish(frame(0))
    until(lambda: NEEDED in outbox.state.words)
    said.append(outbox.state.words)
    outbox.close(0)
    outcome = mirante("camera", "list", "--redis", old.url)
    assert outcome.status == 1
    said.append(outcome.err.strip())
    old_words = "is older than Redis 6.0, or has no command HELLO"
    version = "is Redis 6.0.16" if "6.0.16" in old.hello else old_words
    found = {text.partition("***@")[2].partition(": ")[2] for text in said}
    assert found == {f"{version}; {NEEDED}"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("6.0.16", True), ("5.0", True), ("6.2.0", False), ("7.0.15", False), ("10.0", False)],
)
def test_versions_are_numbers(version: str, expected: bool) -> None:
    assert is_old(version) is expected


def test_a_version_that_is_no_number_is_taken() -> None:
    assert not is_old("unstable")
