"""Logs each request that changes something, and each that is refused for want of rights."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import Access, AccessError
from dashboard.access.client import client_address
from dashboard.access.guard import COOKIE, ENDED, asking
from dashboard.access.origin import SAFE_METHODS, bearer
from dashboard.audit.deeds import LOGIN, MOST_BODY_BYTES, deed_of
from dashboard.audit.log import AuditLog
from pipeline.control.audit import Entry, Result, short

_MOST_WORDS_BYTES = 4096  # of an answer that refuses
LEFT = 499  # no answer was sent: who asked has left
_read = msgspec.json.Decoder(dict[str, Any])


class Audited:
    """ASGI middleware around all others, so that what they refuse is logged too.

    Args:
        app: what is inside.
        access: who may view.
        log: where entries go.
    """

    def __init__(self, app: ASGIApp, access: Access, log: AuditLog) -> None:
        self._app, self._access, self._log = app, access, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or one WebSocket."""
        if scope["type"] not in {"http", "websocket"} or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        heard = _Heard(receive, send)
        try:
            await self._app(scope, heard.receive, heard.send)
        finally:
            entry = self._entry(HTTPConnection(scope), heard)
            if entry is not None:
                self._log.put(entry)

    def _entry(self, connection: HTTPConnection, heard: _Heard) -> Entry | None:
        """The entry of a request; None for one that neither changes anything nor lacks rights."""
        scope, status = connection.scope, heard.status or LEFT
        method, path = scope.get("method", "GET"), scope["path"]
        deed = deed_of(method, path, bytes(heard.body))
        who = asking(connection)
        camera = deed.get("camera", "")
        is_hidden = who is not None and bool(camera) and not who.sees(camera)
        if method in SAFE_METHODS and not (
            status == 403
            or (status == 401 and _has_proof(connection))
            or (status == 404 and is_hidden)
        ):
            return None
        if (method, path) == LOGIN:
            deed |= self._login(deed.pop("user", ""), status)
        elif who is not None:
            deed |= {"who": who.name, "how": who.how, "role": who.role}
        words = heard.words()
        said = {"words": words} if status >= 400 and words else {}
        return msgspec.convert(
            {"who": "", "how": "nobody", **deed, **said}
            | {
                "at": time.time(),
                "address": client_address(connection, self._access.proxies),
                "result": _result(status),
                "code": status,
            },
            Entry,
        )

    def _login(self, name: str, status: int) -> dict[str, str]:
        """Who logs in. A name that nobody has may be a password that was typed in its place."""
        try:
            account = self._access.users().get(name)
        except AccessError:
            account = None
        if account is None:
            return {"user": "(unknown)"}
        if status >= 400:
            return {"user": name}
        return {"user": name, "who": name, "how": "session", "role": account.role}


class _Heard:
    """What a request and its answer say, as far as it is logged."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.body, self.answer = bytearray(), bytearray()
        self.status: int | None = None
        self._receive, self._send = receive, send
        self._is_accepted = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and len(self.body) <= MOST_BODY_BYTES:
            self.body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
        elif kind == "http.response.body" and (self.status or 0) >= 400:
            room = _MOST_WORDS_BYTES - len(self.answer)
            self.answer += message.get("body", b"")[: max(0, room)]
        elif kind == "websocket.accept":
            self.status, self._is_accepted = 101, True
        elif kind == "websocket.close" and not self._is_accepted:
            self.status = 403
        elif kind == "websocket.close" and message.get("code") == ENDED:
            self.status = 401
        await self._send(message)

    def words(self) -> str:
        """Why it was refused, as far as the answer's own words tell."""
        try:
            detail = _read.decode(bytes(self.answer)).get("detail", "")
        except (ValueError, RecursionError):
            return ""
        lines = detail if isinstance(detail, list) else [detail]
        return short("; ".join(str(line) for line in lines))


def _has_proof(connection: HTTPConnection) -> bool:
    """Return whether a token or a session was sent, so that it was a wrong one."""
    return bearer(connection) is not None or COOKIE in connection.cookies


def _result(status: int) -> Result:
    if status < 400:
        return "ok"
    return "refused" if status < 500 and status != LEFT else "failed"
