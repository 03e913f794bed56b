from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from dashboard.access.guard import COOKIE, ENDED, MOST_BODY_BYTES
from dashboard.access.headers import HEADERS, POLICY
from tests.support.guarded_app import (
    BEARER,
    HOST,
    TOKENS,
    USERS,
    browser,
    guarded,
    log_in,
    make_access,
)

THINGS = "/api/v1/things"
OURS = {"Origin": HOST}
EVIL = {"Origin": "http://evil.example"}


def test_headers_are_on_every_answer(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path, users=USERS))
    answers = {
        "page": client.get("/"),
        "refused": client.get(THINGS),
        "other site": client.post(THINGS, headers=EVIL),
        "other name": client.get("/", headers={"Host": "evil.example"}),
        "login": log_in(client),
        "api": client.get(THINGS),
        "none": client.get("/api/v1/nothing"),
    }
    statuses = {what: answer.status_code for what, answer in answers.items()}
    assert statuses == {
        "page": 200,
        "refused": 401,
        "other site": 403,
        "other name": 421,
        "login": 200,
        "api": 200,
        "none": 404,
    }
    for what, answer in answers.items():
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (what, name)
        kept = answer.headers.get("cache-control")
        assert kept == ("no-store" if answer.url.path.startswith("/api/") else None), what
    assert "unsafe-inline" not in POLICY
    assert "access-control-allow-origin" not in answers["api"].headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8600", 200),
        ("127.0.0.1", 200),
        ("localhost:1234", 200),
        ("[::1]:8600", 200),
        ("cams.lan", 200),
        ("CAMS.lan:443", 200),
        ("evil.example:8600", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),  # listens on loopback: nobody comes by another address
        ("x@localhost", 400),
        ("localhost/x", 400),
        ("localhost:port", 400),
        ("", 400),
    ],
)
def test_names_of_the_dashboard(tmp_path: Path, host: str, status: int) -> None:
    client = browser(make_access(tmp_path, users=USERS, names=["cams.lan"]))
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == status, answer.text
    if status == 421:
        assert "dashboard.names" in answer.json()["detail"]


def test_a_name_that_was_rebound_reaches_nothing(tmp_path: Path) -> None:
    """The page of evil.example, whose name now leads here, is of one origin with itself."""
    client = browser(make_access(tmp_path))
    there = {
        "Host": "evil.example:8600",
        "Origin": "http://evil.example:8600",
        "Sec-Fetch-Site": "same-origin",
    }
    assert client.get(THINGS, headers=there).status_code == 421
    assert client.post(THINGS, headers=there).status_code == 421
    assert client.post(THINGS, headers=there | {"Authorization": "Bearer x"}).status_code == 401


def test_where_others_reach_it_any_address_will_do(tmp_path: Path) -> None:
    access = make_access(tmp_path, users=USERS, tokens=TOKENS)
    access.check_binding("0.0.0.0")
    client = browser(access)
    assert client.get("/", headers={"Host": "192.0.2.1:8600"}).status_code == 200
    assert client.get("/", headers={"Host": "dashboard:8600"}).status_code == 421
    named = {"Host": "dashboard:8600"} | BEARER  # as Prometheus asks a container
    assert client.get("/metrics", headers=named).status_code == 200


def test_a_host_does_not_say_the_path(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path, users=USERS, tokens=TOKENS))
    for host in ("127.0.0.1/livez?", "127.0.0.1/static/?", "[", "x/livez#"):
        assert client.post(THINGS, headers={"Host": host}).status_code == 400
        assert client.post(THINGS, headers={"Host": host} | BEARER).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # curl
        (OURS, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        (EVIL, 403),
        (EVIL | {"Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),  # another program of this machine
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://localhost:8600"}, 403),
        ({"Origin": "ftp://127.0.0.1:8600"}, 403),
        ({"Origin": "http://127.0.0.1:8600.evil.example"}, 403),
        ({"Origin": ""}, 403),
    ],
)
def test_other_sites_change_nothing(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    client = browser(make_access(tmp_path))  # open: no cookie stands in the way
    answer = client.post(THINGS, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert "Origin" in answer.json()["detail"]
    login = client.post("/api/v1/session", json={"user": "a", "password": "b"}, headers=headers)
    assert login.status_code == (401 if status == 200 else 403)


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://cams.lan", "cams.lan", 200),
        ("https://cams.lan", "127.0.0.1:8600", 200),  # a proxy that keeps no Host
        ("https://cams.lan:443", "cams.lan", 200),
        ("http://cams.lan", "cams.lan", 403),
        ("https://cams.lan:8443", "cams.lan", 403),
        ("https://evil.example", "cams.lan", 403),
        ("http://127.0.0.1:8600", "127.0.0.1:8600", 200),
    ],
)
def test_origins_behind_a_proxy(tmp_path: Path, origin: str, host: str, status: int) -> None:
    access = make_access(tmp_path, users=USERS, names=["cams.lan"], https=True)
    client = browser(access)
    answer = client.post(
        "/api/v1/session",
        json={"user": "anna", "password": "correct horse"},
        headers={"Origin": origin, "Host": host},
    )
    assert answer.status_code == status, answer.text


def test_other_sites_ask_for_nothing_in_the_background(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path))
    there = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get(THINGS, headers=there).status_code == 403
    assert client.get("/", headers=there | {"Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert client.get("/livez").status_code == 200


def test_bodies_are_bounded(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path))
    most = b"x" * MOST_BODY_BYTES
    assert client.post("/api/v1/length", content=most).json() == MOST_BODY_BYTES
    parts: Iterator[bytes] = iter([most, b"x"])
    for answer in (
        client.post("/api/v1/length", content=most + b"x"),
        client.post("/api/v1/length", content=parts),  # says no length
        client.post("/api/v1/length", headers={"Content-Length": "9999999999"}),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (
            413,
            "the body is larger than 1 MiB",
        )
    assert client.post("/api/v1/length", headers={"Content-Length": "-1"}).status_code == 400


def test_a_file_that_cannot_be_used_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = make_access(tmp_path)
    with access.store.changing():
        pass
    access.store.path.chmod(0o644)
    answer = browser(access).get(THINGS)
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text
    assert f"chmod 600 {access.store.path}" in caplog.text
    assert browser(access).get("/livez").status_code == 200, "the process is alive all the same"


class Served:
    """The application behind a real server, in a thread."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.access = make_access(path, **settings)
        app = guarded(self.access)
        config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", proxy_headers=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            self._thread.join(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


def hear(address: str, origin: str | None, **headers: str) -> str | int:
    """What the WebSocket says first, or the status or close code that refuses it."""
    try:
        with connect(
            f"ws://{address}/api/v1/live",
            origin=Origin(origin) if origin else None,
            additional_headers=headers,
            open_timeout=60,
        ) as socket:
            return str(socket.recv(timeout=60))
    except InvalidStatus as refused:
        return refused.response.status_code
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return closed.rcvd.code


def test_origins_of_a_websocket_where_it_is_open(tmp_path: Path) -> None:
    with Served(tmp_path) as at:
        assert hear(at, f"http://{at}") == "anyone"
        assert hear(at, None) == "anyone"  # a program; browsers always say it
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{at}.evil"):
            assert hear(at, origin) == 403, origin
        assert hear(at, None, **{"Sec-Fetch-Site": "cross-site"}) == 403


def test_origins_of_a_websocket_with_a_session(tmp_path: Path) -> None:
    with Served(tmp_path, users=USERS, tokens=TOKENS) as at:
        body = {"user": "ben", "password": "correct horse"}
        login = httpx.post(f"http://{at}/api/v1/session", json=body, timeout=60)
        cookie = {"Cookie": f"{COOKIE}={login.cookies[COOKIE]}"}
        assert hear(at, f"http://{at}", **cookie) == "ben"
        assert hear(at, "http://evil.example", **cookie) == 403
        assert hear(at, f"http://{at}") == ENDED
        assert hear(at, None) == ENDED
        assert hear(at, None, **BEARER) == "grafana"
        assert hear(at, None, Authorization="Bearer wrong") == ENDED
        assert hear(at, "http://evil.example", **BEARER) == 403


def test_others_are_answered_while_a_password_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = make_access(tmp_path, users=USERS)
    comparing, released = threading.Event(), threading.Event()

    def wait(_user: str, _password: str) -> None:
        comparing.set()
        assert released.wait(60)

    monkeypatch.setattr(access, "log_in", wait)
    app = guarded(access)

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            body = {"user": "anna", "password": "x"}
            login = asyncio.create_task(client.post("/api/v1/session", json=body))
            while not comparing.is_set():
                await asyncio.sleep(0)
            meanwhile = await client.get("/")
            released.set()
            return [meanwhile.status_code, (await login).status_code]

    assert asyncio.run(ask()) == [200, 401]


def test_what_fails_behind_it_is_answered_with_the_headers_and_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = guarded(make_access(tmp_path))

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise KeyError("a secret")

    answer = TestClient(app, base_url=HOST).get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "something went wrong here; the log says what"}
    assert "Content-Security-Policy" in answer.headers
    assert "KeyError" in caplog.text
