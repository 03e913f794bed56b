"""Pages at the hub, over real WebSockets: what they get, what is refused, when they are closed."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import redis
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dashboard.access.identity import Identity
from dashboard.live import hub as hubs
from dashboard.live.hub import Hub
from mirante.keys import key
from mirante.redis_url import RedisUrl
from mirante.wire.framed import framed
from pipeline.worker.redis_server import RedisServer
from tests.support.bundles import unpacked

pytestmark = pytest.mark.redis


class Cameras:
    """Stands in for the sampler."""

    connected = True
    words = ""
    refused = ""

    def cameras(self) -> list[dict[str, Any]]:
        return [{"name": "gate"}]

    async def change(self) -> None:
        await asyncio.sleep(3600)


class Served:
    """A hub behind a server of its own."""

    def __init__(self, url: str) -> None:
        self.hub = Hub(RedisUrl(url), Cameras())  # type: ignore[arg-type]
        self.valid = True
        self.who = Identity("", "viewer", "open")
        self.address = ""

    async def page(self, socket: WebSocket) -> None:
        await self.hub.serve(socket, self.who, lambda: self.valid)

    def app(self) -> Starlette:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> Any:
            task = asyncio.create_task(self.hub.run())
            yield
            task.cancel()

        return Starlette(routes=[WebSocketRoute("/", self.page)], lifespan=lifespan)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        config = uvicorn.Config(self.app(), port=0, log_config=None, lifespan="on")
        web = uvicorn.Server(config)
        thread = threading.Thread(target=web.run)
        thread.start()
        try:
            until(lambda: web.started)
            port = web.servers[0].sockets[0].getsockname()[1]
            self.address = f"ws://127.0.0.1:{port}/"
            yield
        finally:
            web.should_exit = True
            thread.join(20)


opened = partial(connect, open_timeout=60)


def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as made:
        yield made


@pytest.fixture
def served(client: redis.Redis) -> Iterator[Served]:
    port = client.connection_pool.connection_kwargs["port"]
    made = Served(f"redis://127.0.0.1:{port}")
    with made.at_work():
        yield made


def next_of(page: ClientConnection, kind: str) -> tuple[dict[str, Any], list[bytes]]:
    """The next message of a type."""
    while True:
        message = page.recv(timeout=60)
        assert isinstance(message, bytes)
        header, parts = unpacked(message)
        if header["type"] == kind:
            return header, parts


def publish_one(client: redis.Redis, camera: str, number: int) -> None:
    """Publish a frame."""
    head = {"camera": camera, "seq": number, "epoch": 1}
    client.publish(key(camera, "preview"), framed(head, b"jpeg %d" % number))
    client.xadd(key(camera, "detections"), {"json": json.dumps(head | {"masks": 0})})


def publishing(client: redis.Redis, camera: str, stop: threading.Event) -> threading.Thread:
    def publish() -> None:
        for number in range(100_000):
            if stop.wait(0.02):
                return
            publish_one(client, camera, number)

    thread = threading.Thread(target=publish)
    thread.start()
    return thread


@pytest.fixture
def gate(client: redis.Redis) -> Iterator[None]:
    """A camera that publishes."""
    stop = threading.Event()
    thread = publishing(client, "gate", stop)
    yield
    stop.set()
    thread.join()


def test_a_page_is_told_of_cameras_and_redis_without_asking(served: Served) -> None:
    with opened(served.address) as page:
        assert next_of(page, "redis")[0]["connected"] is True
        assert next_of(page, "cameras")[0]["cameras"] == [{"name": "gate"}]
        assert next_of(page, "cameras"), "again, though nothing changed"


@pytest.mark.usefixtures("gate")
def test_picture_and_results_of_one_frame_come_together(served: Served) -> None:
    with opened(served.address) as page:
        page.send(json.dumps({"watch": ["gate"]}))
        for expected in range(1, 20):
            header, parts = next_of(page, "frame")
            assert header["number"] == expected
            assert parts[0] == b"jpeg %d" % json.loads(parts[1])["seq"]
            page.send(json.dumps({"drawn": {"gate": header["number"]}}))


@pytest.mark.usefixtures("gate")
def test_nobody_is_listened_to_for_pages_that_watch_nothing(
    served: Served, client: redis.Redis
) -> None:
    def listeners() -> int:
        return int(client.pubsub_numsub(key("gate", "preview"))[0][1])

    with opened(served.address) as first, opened(served.address) as second:
        assert listeners() == 0
        for page in (first, second):
            page.send(json.dumps({"watch": ["gate"]}))
            next_of(page, "frame")
        assert listeners() == 1, "one for all pages"
        first.send(json.dumps({"watch": []}))
        next_of(second, "frame")
        assert listeners() == 1
    until(lambda: listeners() == 0)
    assert served.hub.stats.pages == 0


@pytest.mark.usefixtures("gate")
def test_names_that_no_camera_has_are_not_followed(served: Served, client: redis.Redis) -> None:
    with opened(served.address) as page:
        page.send(json.dumps({"watch": ["gate", *(f"invented-{n}" for n in range(1000))]}))
        until(lambda: client.pubsub_numsub(key("gate", "preview"))[0][1] == 1)
        assert client.pubsub_channels() == [key("gate", "preview").encode()]


def drawn(page: ClientConnection, number: int) -> dict[str, Any]:
    """Draw each frame that comes until that of a number; return its header."""
    while True:
        header, parts = next_of(page, "frame")
        page.send(json.dumps({"drawn": {"gate": header["number"]}}))
        if parts[0] == b"jpeg %d" % number:
            return header


def test_a_page_that_does_not_read_costs_the_others_nothing(
    served: Served, client: redis.Redis
) -> None:
    """The next frame comes when the page has drawn the last: it is late for none, however slow."""
    with opened(served.address, max_queue=1) as stuck, opened(served.address) as page:
        for one in (stuck, page):
            one.send(json.dumps({"watch": ["gate"]}))
            one.send(json.dumps({"ping": 1}))
            next_of(one, "pong")
        stop = threading.Event()
        thread = publishing(client, "gate", stop)
        try:
            next_of(page, "frame")
        finally:
            stop.set()
            thread.join()
        publish_one(client, "gate", 200_000)  # behind all that are on their way
        first = drawn(page, 200_000)["number"]
        for number in range(1, 60):
            publish_one(client, "gate", 200_000 + number)
            header = drawn(page, 200_000 + number)
            assert (header["number"], header["skipped"]) == (first + number, 0)
        numbers = [next_of(stuck, "frame")[0]["number"] for _ in range(2)]
        assert numbers == [1, 2]
        stuck.send(json.dumps({"drawn": {"gate": 2}}))
        assert next_of(stuck, "frame")[0]["skipped"] > 20


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{", "not a message of pages"),
        ('{"watch": "gate"}', "watch"),
        ('{"watch": ["no camera is called so"]}', "no camera is called so"),
        (b"{}", "expected text"),
    ],
)
def test_bad_messages_close_with_words(
    served: Served, said: str | bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(served.address) as page, opened(served.address) as other:
        page.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(100):
                page.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == hubs.POLICY
        assert words in closed.value.rcvd.reason
        other.send(json.dumps({"ping": 1}))
        assert next_of(other, "pong")
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


def test_what_waits_for_a_page_that_was_closed_is_no_failure() -> None:
    async def send(_message: Any) -> None:
        return None

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def say_after_closing() -> None:
        socket = WebSocket({"type": "websocket"}, receive, send)
        await socket.accept()
        await socket.close()
        await socket.send_bytes(b"x")

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(say_after_closing())
    assert hubs._is_gone(caught.value)


def test_a_page_whose_session_has_ended_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "NEWS_S", 0.02)
    with opened(served.address) as page:
        next_of(page, "cameras")
        served.valid = False
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(1000):
                page.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "log in again" in closed.value.rcvd.reason) == (4401, True)


def test_more_pages_than_there_is_room_for_are_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "PAGES_MOST", 1)
    with opened(served.address) as page:
        next_of(page, "cameras")
        with pytest.raises(InvalidStatus, match="403"):
            opened(served.address)
        page.send(json.dumps({"ping": 1}))
        assert next_of(page, "pong")
    until(lambda: served.hub.stats.pages == 0)
