"""One page's WebSocket: the newest frame of each camera it watches, as fast as it draws."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from dashboard.live.bundle import Bundle
from dashboard.live.stats import Stats
from mirante.keys import check_camera
from mirante.wire.errors import UNREADABLE
from mirante.wire.framed import framed

IN_FLIGHT_MOST = 2  # frames of one camera that the page has not said to have drawn
CAMERAS_MOST = 1024
STATIC = Path(__file__).parents[1] / "static"


@cache
def version() -> str:
    """Return the version of the page's files, as they were when it was first asked for."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(map(Path.read_bytes, files))).hexdigest()[:16]


class _Said(msgspec.Struct):
    """A message from a page; each part may be absent."""

    watch: list[str] | None = None
    drawn: dict[str, int] = {}
    ping: float | None = None


_read_said = msgspec.json.Decoder(_Said)


class Page:
    """The cameras that one page watches, and the frame of each that waits for it.

    Args:
        socket: accepted.
        stats: counts what is sent.
        sees: whether a camera of that name exists for whoever watches.
    """

    def __init__(
        self, socket: WebSocket, stats: Stats, sees: Callable[[str], bool] = lambda _name: True
    ) -> None:
        self.watching: frozenset[str] = frozenset()
        self._socket = socket
        self._stats = stats
        self._sees = sees
        self._frames: dict[str, Bundle] = {}
        self._news: dict[str, bytes] = {}  # by type: the newest replaces one that waits
        self._sent: Counter[str] = Counter()
        self._drawn: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._wake = asyncio.Event()

    def offer(self, bundle: Bundle) -> None:
        """A frame of a camera; replaces one that still waits."""
        if bundle.camera not in self.watching:
            return
        if bundle.camera in self._frames:
            self._skipped[bundle.camera] += 1
            self._stats.pictures_skipped += 1
        self._frames[bundle.camera] = bundle
        self._wake.set()

    def tell(self, header: dict[str, Any]) -> None:
        """A message without parts; replaces one of its type that still waits."""
        self._news[header["type"]] = framed(header)
        self._wake.set()

    async def send(self) -> None:
        """Sends until cancelled or the page is gone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for kind in list(self._news):
                await self._out(self._news.pop(kind))
            for camera in [c for c in self._frames if self._may_send(c)]:
                bundle = self._frames.pop(camera, None)
                if bundle is None:
                    continue
                self._sent[camera] += 1
                message = bundle.message(self._sent[camera], self._skipped.pop(camera, 0))
                self._stats.pictures_sent += 1
                await self._out(message)

    async def receive(self) -> bool:
        """Takes one message of the page; True when it watches other cameras than before.

        Raises:
            WebSocketDisconnect: it is gone.
            ValueError: it is not a message that pages send.
        """
        said = await self._said()
        if said.ping is not None:
            self.tell({"type": "pong", "ping": said.ping, "now": time.time() * 1e3})
        for camera, number in said.drawn.items():
            if camera in self._sent:
                self._drawn[camera] = min(number, self._sent[camera])
                self._wake.set()
        if said.watch is None:
            return False
        named = {check_camera(name) for name in said.watch[:CAMERAS_MOST]}
        watched = frozenset(name for name in named if self._sees(name))
        before, self.watching = self.watching, watched
        for camera in before - watched:
            self._frames.pop(camera, None)
        return before != watched

    async def close(self, code: int, reason: str) -> None:
        """Ends the connection, unless it has ended."""
        if self._socket.application_state == WebSocketState.CONNECTED:
            try:
                await self._socket.close(code, reason)
            except (RuntimeError, WebSocketDisconnect):  # it went while we were about to
                return

    async def _said(self) -> _Said:
        try:
            return _read_said.decode(await self._socket.receive_text())
        except KeyError:  # as Starlette says that the message is not text
            raise ValueError("expected text, got bytes") from None
        except UNREADABLE as error:
            raise ValueError(f"not a message of pages: {error}") from None

    def _may_send(self, camera: str) -> bool:
        return self._sent[camera] - self._drawn[camera] < IN_FLIGHT_MOST

    async def _out(self, message: bytes) -> None:
        self._stats.bytes_sent += len(message)
        await self._socket.send_bytes(message)
