"""Every route of the dashboard, found by walking them: none is open by oversight."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.access.guard import ONLY_LOOKS, OPEN_PATHS
from dashboard.access.origin import SAFE_METHODS
from dashboard.app import make_app, make_services
from dashboard.services import Services
from pipeline.control.credentials import Credentials
from tests.support.guarded_app import BEARER, HOST, TOKENS, USERS, log_in, make_access
from tests.support.routes import walk

NO_REDIS = "redis://127.0.0.1:1"
OPEN_ROUTES = {
    ("GET", "/"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/event-image"),
    ("GET", "/api/v1/session"),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
}


def services(folder: Path, redis: str = NO_REDIS) -> Services:
    access = make_access(folder, users=USERS, tokens=TOKENS)
    credentials = Credentials(folder / "credentials.json")
    return make_services(redis, access.settings, access, credentials)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Without the tasks that follow Redis: nothing here gets as far."""
    return TestClient(make_app(services(tmp_path)), base_url=HOST)


def routes_of(client: TestClient) -> set[tuple[str, str]]:
    return {(each.method, each.of("gate")) for each in walk(client.app.routes)}  # type: ignore[attr-defined]


def test_the_walk_finds_the_routes(client: TestClient) -> None:
    found = routes_of(client)
    assert found > OPEN_ROUTES | {
        ("GET", "/api/v1/cameras"),
        ("POST", "/api/v1/cameras"),
        ("DELETE", "/api/v1/cameras/gate"),
        ("GET", "/api/v1/cameras/gate/snapshot.jpg"),
        ("GET", "/api/v1/results/gate/stream"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/openapi.json"),
        ("WEBSOCKET", "/api/v1/live"),
    }
    assert {path for _, path in OPEN_ROUTES} == OPEN_PATHS


def test_nobody_gets_anything_but_the_open_routes(client: TestClient) -> None:
    routes = routes_of(client) - {("WEBSOCKET", "/api/v1/live")}
    answered = {each for each in routes if client.request(*each).status_code != 401}
    assert {each for each in answered if each[0] != "HEAD"} == OPEN_ROUTES
    assert {path for _, path in answered} == OPEN_PATHS
    assert client.get("/static/index.html").status_code == 200
    assert client.get("/static/../../api/session.py").status_code in {401, 404}


def test_a_viewer_changes_nothing(client: TestClient) -> None:
    log_in(client, "ben")
    unsafe = {
        (method, path)
        for method, path in routes_of(client)
        if method not in SAFE_METHODS | {"WEBSOCKET"} and path != "/api/v1/session"
    }
    assert len(unsafe) >= 7
    for method, path in unsafe:
        for headers in ({}, BEARER):
            answer = client.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["detail"]) == (403, ONLY_LOOKS), path
