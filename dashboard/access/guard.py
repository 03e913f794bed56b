"""Check every request: its origin, its identity, and the headers of its answer.

Every path but ``OPEN_PATHS`` needs an identity, and every unsafe method more than a viewer. What
else a route needs it declares itself (``dashboard.access.rights``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import cast

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import Access, AccessError
from dashboard.access.attempts import TooOftenError
from dashboard.access.client import client_address, is_forwarded
from dashboard.access.headers import add_headers
from dashboard.access.identity import Identity
from dashboard.access.origin import SAFE_METHODS, bearer, check_host, check_origin
from dashboard.access.signed_in import NoRightsError
from pipeline.control.image_links import PATH as LINKED_IMAGE

log = logging.getLogger(__name__)

COOKIE = "mirante_session"
SESSION_PATH = "/api/v1/session"
OPEN_PATHS = frozenset({"/", "/livez", "/readyz", SESSION_PATH, LINKED_IMAGE})
OPEN_FOLDER = "/static/"
MOST_BODY_BYTES = 1 << 20
ENDED = 4401  # the WebSocket close code that tells a page to log in; a browser hides HTTP's 401

NOT_LOGGED_IN = "log in first (POST /api/v1/session), or send Authorization: Bearer TOKEN"
ONLY_LOOKS = "a viewer may view, not change; ask an operator or an admin"
UNEXPECTED = "something went wrong here; the log says what"
TOO_LARGE = f"the body is larger than {MOST_BODY_BYTES >> 20} MiB"

_IDENTITY, _NO_RIGHTS = "mirante.identity", "mirante.no_rights"


class Guard:
    """ASGI middleware: refuses in words, says who asks, and adds headers to every answer.

    Args:
        app: what is guarded.
        access: who may view.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or one WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        answering = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answering
            answering = True
            if message["type"].endswith("http.response.start"):
                add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        try:
            self._admit(HTTPConnection(scope))
        except HTTPException as refusal:
            await _refuse(refusal, scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, _bounded(receive), send_with_headers)
        except Exception:
            if answering or scope["type"] == "websocket":
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            await _refuse(HTTPException(500, UNEXPECTED), scope, receive, send_with_headers)

    def _admit(self, connection: HTTPConnection) -> None:
        """Notes who asks.

        Raises:
            HTTPException: not to be answered.
        """
        # Never connection.url, of which a Host with a slash in it says the path.
        settings, path = self._access.settings, connection.scope["path"]
        check_host(connection, self._access.host, settings.names)
        check_origin(connection, settings.names, settings.https)
        if _length(connection) > MOST_BODY_BYTES:
            raise HTTPException(413, TOO_LARGE)
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
        try:
            identity = self._identify(connection)
        except AccessError as error:
            log.error("%s", error)
            if not is_open:
                raise HTTPException(503, "the accounts cannot be read; see the log") from None
            identity = None
        except NoRightsError as error:
            identity, connection.scope[_NO_RIGHTS] = None, str(error)
        connection.scope[_IDENTITY] = identity
        if is_open:
            return
        if words := no_rights(connection):
            raise HTTPException(403, words)
        unsafe = connection.scope.get("method", "GET") not in SAFE_METHODS
        if needed(identity).role == "viewer" and unsafe:
            raise HTTPException(403, ONLY_LOOKS)

    def _identify(self, connection: HTTPConnection) -> Identity | None:
        """Identify by what a proxy says, else by the token if one is sent, else by the cookie."""
        if (signed_in := self._access.signed_in.read(connection)) is not None:
            return signed_in
        token = bearer(connection)
        if token is not None:
            return self._by_token(token, client_address(connection, self._access.proxies))
        if cookie := connection.cookies.get(COOKIE):
            found = self._access.by_session(cookie)
            if found is not None:
                return found
        return None if is_forwarded(connection) else self._access.by_nothing()

    def _by_token(self, token: str, address: str) -> Identity:
        attempts = self._access.attempts
        try:
            attempts.check(address)
            identity = self._access.by_token(token)
            if identity is not None:
                return identity
            attempts.begin(address)
        except TooOftenError as error:
            raise too_often(error) from None
        raise HTTPException(401, "no such token", {"WWW-Authenticate": "Bearer"})


def asking(connection: HTTPConnection) -> Identity | None:
    """Return the identity of the request, or None if it carries none."""
    return cast(Identity | None, connection.scope.get(_IDENTITY))


def no_rights(connection: HTTPConnection) -> str:
    """Return why somebody whom a proxy signed in may do nothing here; empty where that is not."""
    return cast(str, connection.scope.get(_NO_RIGHTS, ""))


def needed(identity: Identity | None) -> Identity:
    """Return an identity that must be there.

    Raises:
        HTTPException: 401 where nobody has said who asks.
    """
    if identity is None:
        raise HTTPException(401, NOT_LOGGED_IN, {"WWW-Authenticate": "Bearer"})
    return identity


def too_often(error: TooOftenError) -> HTTPException:
    """The answer to one who guesses."""
    return HTTPException(429, str(error), {"Retry-After": str(error.retry_s)})


def _length(connection: HTTPConnection) -> int:
    length = connection.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise HTTPException(400, "Content-Length: expected a number of bytes")
    return int(length)


def _bounded(receive: Receive) -> Receive:
    """``receive`` for bodies that do not say their length either."""
    total = 0

    async def receive_some() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > MOST_BODY_BYTES:
                raise HTTPException(413, TOO_LARGE)
        return message

    return receive_some


async def _refuse(refusal: HTTPException, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        for message in _closed(refusal):
            await send(message)
        return
    headers = dict(refusal.headers or {})
    await JSONResponse({"detail": refusal.detail}, refusal.status_code, headers)(
        scope, receive, send
    )


def _closed(refusal: HTTPException) -> Iterable[Message]:
    """A page that must log in is let in to be told so; to others the handshake answers 403."""
    if refusal.status_code == 401:
        yield {"type": "websocket.accept"}
        yield {"type": "websocket.close", "code": ENDED, "reason": refusal.detail}
    else:
        yield {"type": "websocket.close"}
