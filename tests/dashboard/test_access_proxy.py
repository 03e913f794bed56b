"""What is believed of a proxy: the client's address, and whom it has signed in."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from dashboard.access.accounts import PROXY_SAID_S
from dashboard.access.client import client_address
from dashboard.access.guard import ENDED
from pipeline.config.dashboard import Dashboard
from tests.support.guarded_app import BEARER, TOKENS, USERS, Clock, browser, log_in, make_access

PROXY, ELSEWHERE = ("10.0.3.9", 1), ("10.0.4.9", 1)
RIGHTS = {"admins": "admin", "yard": {"role": "operator", "cameras": ["yard-*"]}}
HEADER = {"user": "Remote-User", "groups": "Remote-Groups", "rights": RIGHTS}
BEHIND = {"proxies": ["10.0.3.0/24"], "trusted_header": HEADER}


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("10.0.3.9", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.3.9", ["6.6.6.6, 203.0.113.1"], "203.0.113.1"),
        ("10.0.3.9", ["6.6.6.6", "203.0.113.1"], "203.0.113.1"),
        ("10.0.3.9", ["6.6.6.6, 203.0.113.1, 10.0.3.7, 127.0.0.1"], "203.0.113.1"),
        ("10.0.3.9", ["10.0.3.7"], "10.0.3.7"),
        ("10.0.3.9", ["6.6.6.6, nonsense"], "10.0.3.9"),
        ("10.0.3.9", ["6.6.6.6, nonsense, 127.0.0.1"], "127.0.0.1"),
        ("10.0.3.9", [], "10.0.3.9"),
        ("10.0.3.9", [""], "10.0.3.9"),
        ("10.0.3.9", ["203.0.113.1:51234"], "203.0.113.1"),
        ("10.0.3.9", ["[2001:db8::1]:51234"], "2001:db8::1"),
        ("10.0.3.9", ["::ffff:203.0.113.1"], "203.0.113.1"),
        ("::ffff:10.0.3.9", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.4.9", ["203.0.113.1"], "10.0.4.9"),  # private, and no proxy
        ("192.0.2.1", ["203.0.113.1"], "192.0.2.1"),
        ("", ["203.0.113.1"], ""),
    ],
)
def test_an_address_is_read_from_the_right(peer: str, forwarded: list[str], found: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    headers.append((b"forwarded", b"for=9.9.9.9"))
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    networks = Dashboard(proxies=["10.0.3.0/24", "127.0.0.1"]).proxy_networks()
    assert client_address(HTTPConnection(scope), networks) == found


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trusted_header": HEADER}, "expected dashboard.proxies to name the proxy that sends it"),
        ({"proxies": ["0.0.0.0/0"]}, "0.0.0.0/0 is every address"),
        ({"proxies": ["proxy.lan"]}, "expected an address or a network"),
        (BEHIND | {"trusted_header": HEADER | {"rights": {}}}, "at least one group"),
        (BEHIND | {"trusted_header": HEADER | {"groups": None}}, 'expected "*" alone'),
        (BEHIND | {"trusted_header": HEADER | {"user": "Cookie"}}, "the name of a header"),
        (BEHIND | {"trusted_header": HEADER | {"user": "Remote User"}}, "the name of a header"),
        (BEHIND | {"trusted_header": HEADER | {"groups": "remote-user"}}, "another header"),
        (BEHIND | {"trusted_header": HEADER | {"logout_url": "javascript:x"}}, "pattern"),
        (BEHIND | {"trusted_header": HEADER | {"rights": {"a": "root"}}}, "'viewer'"),
        ({"users": {"a": {"password": "$argon2", "cameras": []}}}, "at least one name"),
        ({"users": {"a": {"password": "$argon2", "cameras": ["a[0]"]}}}, "the name of a camera"),
    ],
)
def test_refused_in_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("*", r"\*")):
        Dashboard.model_validate(settings)


def behind(folder: Path, client: Any = PROXY, **more: Any) -> TestClient:
    return browser(make_access(folder, **(BEHIND | more)), client=client)


def test_people_whom_the_proxy_signed_in(tmp_path: Path) -> None:
    client = behind(tmp_path, users=USERS)
    for groups, who in (
        ("admins", "eva admin proxy"),
        ("staff,yard", "eva operator proxy"),
        ("yard|admins", "eva admin proxy"),  # the first of the rights that holds
    ):
        headers = {"Remote-User": "eva", "Remote-Groups": groups}
        assert client.get("/api/v1/who", headers=headers).json() == who
    told = client.get("/api/v1/session", headers=headers | {"Remote-Groups": "yard"}).json()
    assert (told["user"], told["role"], told["cameras"]) == ("eva", "operator", ["yard-*"])
    assert (told["how"], told["login"], told["logout_url"]) == ("proxy", True, None)
    named = {b"Remote-User": "Zoë".encode(), b"Remote-Groups": b"admins"}
    assert client.get("/api/v1/who", headers=named).json() == "Zoë admin proxy"
    assert client.get("/api/v1/who").status_code == 401  # signed out
    assert client.get("/api/v1/who", headers={"Remote-User": ""}).status_code == 401
    assert log_in(client).status_code == 200  # users of one's own are still let in
    assert client.get("/api/v1/who", headers=headers).json() == "eva admin proxy"


def test_somebody_without_rights_is_told_so(tmp_path: Path) -> None:
    client = behind(tmp_path)
    stranger = {"Remote-User": "mallory", "Remote-Groups": "staff"}
    answer = client.get("/api/v1/who", headers=stranger)
    assert answer.status_code == 403
    assert '"mallory" is signed in but has no rights here' in answer.json()["detail"]
    told = client.get("/api/v1/session", headers=stranger).json()
    assert (told["role"], told["words"]) == (None, answer.json()["detail"])
    assert client.get("/", headers=stranger).status_code == 200
    everybody = HEADER | {"rights": RIGHTS | {"*": "viewer"}}
    client = behind(tmp_path, trusted_header=everybody)
    assert client.get("/api/v1/who", headers=stranger).json() == "mallory viewer proxy"


@pytest.mark.parametrize("users", [USERS, {}])
def test_the_header_of_others_is_not_believed(
    tmp_path: Path, users: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    claims = {"Remote-User": "eva", "Remote-Groups": "admins"}
    for peer in (ELSEWHERE, ("127.0.0.1", 1), ("203.0.113.1", 1)):
        for more in ({}, {"X-Forwarded-For": "10.0.3.9"}):
            client = behind(tmp_path, client=peer, users=users)
            assert client.get("/api/v1/who", headers=claims | more).status_code == 401
            assert client.post("/api/v1/things", headers=claims | more).status_code == 401
    assert "Remote-User from 10.0.4.9 is not believed" in caplog.text
    told = client.get("/api/v1/session", headers=claims).json()
    assert (told["user"], told["role"]) == (None, None)
    machine = behind(tmp_path, client=ELSEWHERE, tokens=TOKENS)
    assert machine.get("/api/v1/who", headers=claims | BEARER).json() == "grafana viewer token"


def test_nor_is_it_where_nothing_is_configured(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path))  # open: whoever sits here is admin
    assert client.get("/api/v1/who").json() == " admin open"
    for name in ("Remote-User", "X-Forwarded-User", "X-Auth-Request-Email", "X-authentik-username"):
        assert client.get("/api/v1/who", headers={name: "eva"}).status_code == 401


def test_a_header_that_came_twice_was_written_by_the_client(tmp_path: Path) -> None:
    client = behind(tmp_path)
    for name in HEADER["user"], HEADER["groups"]:
        twice = [("Remote-User", "eva"), ("Remote-Groups", "yard"), (str(name), "admins")]
        answer = client.get("/api/v1/who", headers=twice)
        assert answer.status_code == 400
        assert answer.json()["detail"] == (
            f"{name} came 2 times; the proxy must replace what clients send"
        )
    long = {"Remote-User": "x" * 129, "Remote-Groups": "admins"}
    assert client.get("/api/v1/who", headers=long).status_code == 400


def test_forgery_and_websockets_behind_a_proxy(tmp_path: Path) -> None:
    client = behind(tmp_path, names=["cams.lan"], https=True)
    who = {"Remote-User": "eva", "Remote-Groups": "admins", "Host": "cams.lan"}
    ours, evil = {"Origin": "https://cams.lan"}, {"Origin": "https://evil.example"}
    assert client.post("/api/v1/things", headers=who | ours).status_code == 200
    assert client.post("/api/v1/things", headers=who | evil).status_code == 403
    with client.websocket_connect("/api/v1/live", headers=who | ours) as page:
        assert page.receive_text() == "eva"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/api/v1/live", headers=who | evil),
    ):
        pass
    with client.websocket_connect("/api/v1/live", headers={"Host": "cams.lan"} | ours) as page:
        with pytest.raises(WebSocketDisconnect) as closed:
            page.receive_text()
        assert closed.value.code == ENDED


def test_a_proxys_word_is_asked_for_again(tmp_path: Path) -> None:
    clock = Clock()
    access = make_access(tmp_path, clock, **BEHIND)
    headers = [(b"remote-user", b"eva"), (b"remote-groups", b"yard")]
    found = access.signed_in.read(
        HTTPConnection({"type": "http", "client": PROXY, "headers": headers})
    )
    assert found is not None
    assert access.still_valid(found)
    clock.now += PROXY_SAID_S
    assert not access.still_valid(found)


def test_old_configurations_are_told_what_to_add(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_access(tmp_path, users=USERS, https=True, proxies=["127.0.0.1"]).check_binding("127.0.0.1")
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        make_access(tmp_path, users=USERS, https=True).check_binding("127.0.0.1")
    assert "dashboard.proxies names no proxy" in caplog.text
