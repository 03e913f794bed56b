"""What one page is sent: the newest, never more than it can draw, and nothing it does not watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from starlette.websockets import WebSocket

from dashboard.live.bundle import Bundle
from dashboard.live.page import IN_FLIGHT_MOST, Page
from dashboard.live.stats import Stats
from tests.support.bundles import unpacked


class Socket:
    """A page that is told what to say, and remembers what it is sent."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.connected = False
        self.open = asyncio.Event()  # the network takes what is sent
        self.open.set()

    async def receive(self) -> dict[str, Any]:
        if not self.connected:
            self.connected = True
            return {"type": "websocket.connect"}
        said = await self.said.get()
        return {"type": "websocket.receive", "text" if isinstance(said, str) else "bytes": said}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.open.wait()
        if message["type"] == "websocket.send":
            self.sent.append(unpacked(message["bytes"]))

    @property
    def pictures(self) -> list[bytes]:
        return [parts[0] for _, parts in self.sent if parts]


class Seen:
    """A page that sends, and what it sent."""

    def __init__(self, watch: list[str]) -> None:
        self.socket, self.stats = Socket(), Stats()
        self.web = WebSocket({"type": "websocket"}, self.socket.receive, self.socket.send)
        self.page = Page(self.web, self.stats)
        self.page.watching = frozenset(watch)

    async def says(self, message: Any) -> bool:
        self.socket.said.put_nowait(json.dumps(message))
        changed = await self.page.receive()
        await settled()
        return changed

    async def offered(self, *pictures: bytes, camera: str = "gate") -> None:
        for picture in pictures:
            self.page.offer(Bundle(camera, (), (picture, b"{}")))
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def with_page(test: Callable[[Seen], Awaitable[None]], *watch: str) -> None:
    async def run() -> None:
        seen = Seen(list(watch or ("gate",)))
        await seen.web.accept()
        sending = asyncio.create_task(seen.page.send())
        try:
            await test(seen)
        finally:
            sending.cancel()

    asyncio.run(run())


def test_the_latest_wins_while_two_are_not_drawn() -> None:
    async def test(seen: Seen) -> None:
        await seen.offered(b"1")
        await seen.offered(b"2")
        await seen.offered(b"3", b"4", b"5")
        assert seen.socket.pictures == [b"1", b"2"]
        await seen.says({"drawn": {"gate": 1}})
        assert seen.socket.pictures == [b"1", b"2", b"5"]
        header, _ = seen.socket.sent[-1]
        assert (header["number"], header["skipped"]) == (3, 2)
        assert (seen.stats.pictures_sent, seen.stats.pictures_skipped) == (3, 2)
        await seen.offered(b"6")
        assert len(seen.socket.pictures) == 3, "two are on their way still"
        await seen.says({"drawn": {"gate": 3}})
        assert seen.socket.pictures[-1] == b"6"
        assert seen.socket.sent[-1][0]["skipped"] == 0

    with_page(test)


def test_a_page_that_never_says_it_drew_gets_two() -> None:
    async def test(seen: Seen) -> None:
        for n in range(50):
            await seen.offered(b"%d" % n)
        assert len(seen.socket.pictures) == IN_FLIGHT_MOST
        assert seen.stats.pictures_skipped == 50 - IN_FLIGHT_MOST - 1

    with_page(test)


def test_a_page_cannot_say_it_drew_what_it_was_not_sent() -> None:
    async def test(seen: Seen) -> None:
        await seen.says({"drawn": {"gate": 10**9}})
        for n in range(10):
            await seen.offered(b"%d" % n)
        assert len(seen.socket.pictures) == IN_FLIGHT_MOST

    with_page(test)


def test_a_camera_that_waits_holds_no_other_up() -> None:
    async def test(seen: Seen) -> None:
        await seen.offered(b"g1")
        await seen.offered(b"g2")
        await seen.offered(b"g3")
        await seen.offered(b"y1", camera="yard")
        assert seen.socket.pictures == [b"g1", b"g2", b"y1"]

    with_page(test, "gate", "yard")


def test_a_network_that_stalls_leaves_one_frame_a_camera_waiting() -> None:
    async def test(seen: Seen) -> None:
        seen.socket.open.clear()
        for n in range(100):
            await seen.offered(b"g%d" % n)
            await seen.offered(b"y%d" % n, camera="yard")
            seen.page.tell({"type": "cameras", "cameras": [n]})
        seen.socket.open.set()
        await settled()
        assert set(seen.socket.pictures[-2:]) == {b"g99", b"y99"}
        assert len(seen.socket.sent) <= 5
        told = [header["cameras"] for header, parts in seen.socket.sent if not parts]
        assert told[-1] == [99], "of news the newest"

    with_page(test, "gate", "yard")


def test_what_is_not_watched_is_not_sent() -> None:
    async def test(seen: Seen) -> None:
        await seen.offered(b"1", camera="yard")
        assert seen.socket.sent == []
        assert await seen.says({"watch": ["yard"]})
        await seen.offered(b"2")
        await seen.offered(b"3", camera="yard")
        assert seen.socket.pictures == [b"3"]
        assert not await seen.says({"watch": ["yard", "yard"]})

    with_page(test)


def test_what_waits_is_dropped_when_it_is_watched_no_longer() -> None:
    async def test(seen: Seen) -> None:
        await seen.offered(b"1")
        await seen.offered(b"2")
        await seen.offered(b"3")
        assert await seen.says({"watch": []})
        await seen.says({"drawn": {"gate": 2}})
        assert seen.socket.pictures == [b"1", b"2"]

    with_page(test)


def test_it_is_told_the_time_it_asks_for() -> None:
    async def test(seen: Seen) -> None:
        await seen.says({"ping": 12.5})
        header, _ = seen.socket.sent[-1]
        assert (header["type"], header["ping"]) == ("pong", 12.5)
        assert header["now"] > 1.6e12

    with_page(test)


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"watch": ["not a camera\'s name"]}',
        '{"watch": "gate"}',
        '{"watch": [1]}',
        '{"drawn": ["gate"]}',
        '{"drawn": {"gate": "one"}}',
        '{"drawn": {"gate": null}}',
        '{"ping": {"a": 1}}',
        '{"ping": "' + "long " * 1000 + '"}',
        "NaN",
        '{"ping": NaN}',
        '{"a": ' * 5000,
        b'{"watch": []}',
    ],
)
def test_what_pages_do_not_say_is_a_value_error(said: str | bytes) -> None:
    async def test(seen: Seen) -> None:
        seen.socket.said.put_nowait(said)
        with pytest.raises(ValueError):
            await seen.page.receive()

    with_page(test)


def test_drawn_of_cameras_that_do_not_exist_takes_no_memory() -> None:
    async def test(seen: Seen) -> None:
        for n in range(100):
            await seen.says({"drawn": {f"made-up-{n}": 1}})
        assert len(seen.page._drawn) == 0

    with_page(test)
