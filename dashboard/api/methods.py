"""Methods that all routes have alike: HEAD, and ``Allow`` (RFC 9110, 9.3.2 and 10.2.1)."""

from __future__ import annotations

import asyncio
import re
from functools import cached_property

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.api.document import Documented


class Methods:
    """ASGI middleware: answers HEAD as GET without content, and completes ``Allow`` of a 405.

    Args:
        app: what is inside.
        documented: the application, whose document lists the methods of each path.
    """

    def __init__(self, app: ASGIApp, documented: Documented) -> None:
        self._app, self._documented = app, documented

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                allowed = self._allowed(scope["path"])
                MutableHeaders(scope=message)["Allow"] = ", ".join(allowed)
            await send(message)

        if scope["method"] == "HEAD":
            head = _Head(receive, send_allowed)
            await self._app({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await self._app(scope, receive, send_allowed)

    def _allowed(self, path: str) -> list[str]:
        found = (methods for pattern, methods in self._paths if re.fullmatch(pattern, path))
        return next(found, ["GET", "HEAD"])

    @cached_property
    def _paths(self) -> list[tuple[str, list[str]]]:
        """The pattern of each path and its methods, paths without a parameter first."""
        known = sorted(self._documented.openapi()["paths"].items(), key=lambda each: "{" in each[0])
        return [
            (re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)), sorted(map(str.upper, item)))
            for path, item in known
        ]


class _Head:
    """A GET whose answer ends with its head."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_asked, self._is_over = False, asyncio.Event()

    async def receive(self) -> Message:
        if not self._is_asked:
            self._is_asked = True
            return await self._receive()
        await self._is_over.wait()
        return {"type": "http.disconnect"}  # which ends an answer that has no end

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self._is_over.set()
