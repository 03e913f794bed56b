"""A small application behind the guard, whose routes themselves ask for nobody."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import argon2
from fastapi import FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from httpx2 import Response

from dashboard.access import Access
from dashboard.access.guard import Guard
from dashboard.access.rights import Admin, Viewer
from dashboard.api import session
from pipeline.config.dashboard import Dashboard
from tests.support.tokens import hashed

PASSWORD, TOKEN = "correct horse", "a-token-of-a-machine"
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash(
    PASSWORD, salt=bytes(16)
)  # in no time
USERS = {
    "anna": {"password": HASH, "role": "admin"},
    "ben": {"password": HASH, "role": "viewer"},
}
TOKENS = {"grafana": hashed(TOKEN, role="viewer")}
HOST = "http://127.0.0.1:8600"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Clock:
    """Unix seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def make_access(folder: Path, clock: Clock | None = None, **settings: Any) -> Access:
    """With a clock where one is given."""
    told = Dashboard.model_validate(settings)
    return Access(told, folder, clock) if clock else Access(told, folder)


@lru_cache(maxsize=4)
def guarded(access: Access) -> FastAPI:
    """The application, which many browsers may ask."""
    app = FastAPI()
    app.state.services = SimpleNamespace(access=access)
    app.include_router(session.router)
    app.add_middleware(Guard, access=access)

    @app.get("/")
    @app.get("/livez")
    @app.get("/api/v1/things")
    @app.post("/api/v1/things")
    @app.get("/metrics")
    def things() -> str:
        return "things"

    @app.post("/api/v1/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.get("/api/v1/who")
    def who(who: Viewer) -> str:
        return f"{who.name} {who.role} {who.how}"

    @app.delete("/api/v1/things")
    def removed(who: Admin) -> str:
        return who.name

    @app.websocket("/api/v1/live")
    async def live(socket: WebSocket, who: Viewer) -> None:
        await socket.accept()
        await socket.send_text(who.name or "anyone")
        await socket.close()

    return app


def browser(access: Access, **more: Any) -> TestClient:
    """A client that keeps cookies, at another address than the server's."""
    more = {"base_url": HOST, "client": ("192.0.2.7", 40_000)} | more
    return TestClient(guarded(access), **more)


def log_in(client: TestClient, user: str = "anna", password: str = PASSWORD) -> Response:
    """As the page does it."""
    return client.post("/api/v1/session", json={"user": user, "password": password})
