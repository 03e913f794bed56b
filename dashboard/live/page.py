"""One page's WebSocket: the newest frame of each camera it watches, as fast as it can draw."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from dashboard.live.bundle import Bundle, framed
from dashboard.live.stats import Stats

IN_FLIGHT_MOST = 2  # frames of one camera that the page has not said to have drawn
CAMERAS_MOST = 1024


class Page:
    """What one page watches and what waits for it: per camera one frame at most.

    Args:
        socket: accepted.
        stats: counts what is sent.
    """

    def __init__(self, socket: WebSocket, stats: Stats) -> None:
        self.watching: frozenset[str] = frozenset()
        self._socket = socket
        self._stats = stats
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
        said = _parse(await self._socket.receive_text())
        if "ping" in said:
            self.tell({"type": "pong", "ping": said["ping"], "now": time.time() * 1e3})
        for camera, number in said.get("drawn", {}).items():
            self._drawn[camera] = min(int(number), self._sent[camera])
            self._wake.set()
        if "watch" not in said:
            return False
        before, self.watching = self.watching, frozenset(said["watch"][:CAMERAS_MOST])
        for camera in before - self.watching:
            self._frames.pop(camera, None)
        return before != self.watching

    async def close(self, code: int, reason: str) -> None:
        """Ends the connection, unless it has ended."""
        if self._socket.application_state == WebSocketState.CONNECTED:
            try:
                await self._socket.close(code, reason)
            except (RuntimeError, WebSocketDisconnect):  # it went while we were about to
                return

    def _may_send(self, camera: str) -> bool:
        return self._sent[camera] - self._drawn[camera] < IN_FLIGHT_MOST

    async def _out(self, message: bytes) -> None:
        self._stats.bytes_sent += len(message)
        await self._socket.send_bytes(message)


def _parse(text: str) -> dict[str, Any]:
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError(f"expected an object, got {type(said).__name__}")
    watch, drawn = said.get("watch", []), said.get("drawn", {})
    if not (isinstance(watch, list) and all(isinstance(name, str) for name in watch)):
        raise ValueError("watch: expected a list of cameras")
    if not (isinstance(drawn, dict) and all(isinstance(n, int) for n in drawn.values())):
        raise ValueError("drawn: expected numbers by camera")
    return said
