"""Who may call a route."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.access import Access
from dashboard.access.identity import Identity


class Guard:
    """Middleware."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def viewer(connection: HTTPConnection) -> Identity:
    return Identity("", "admin", "open")


def admin(connection: HTTPConnection) -> Identity:
    return Identity("", "admin", "open")


Viewer = Annotated[Identity, Depends(viewer)]
Admin = Annotated[Identity, Depends(admin)]
