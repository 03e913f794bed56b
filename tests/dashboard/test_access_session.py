from __future__ import annotations

import errno
from pathlib import Path

import pytest

from dashboard.access.guard import COOKIE, ONLY_LOOKS
from dashboard.access.store import StoredUser
from pipeline.config.dashboard import Dashboard
from tests.support.full_disk import fill
from tests.support.guarded_app import (
    BEARER,
    HASH,
    PASSWORD,
    TOKENS,
    USERS,
    Clock,
    browser,
    log_in,
    make_access,
)


def test_login_and_logout(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path, users=USERS))
    nobody: dict[str, object] = {
        **{"user": None, "role": None, "may": [], "cameras": [], "login": True},
        **{"how": None, "logout_url": None, "words": ""},
    }
    assert client.get("/api/v1/session").json() == nobody
    answer = log_in(client)
    assert (answer.status_code, answer.json()) == (
        200,
        nobody
        | {"user": "anna", "role": "admin", "may": ["viewer", "operator", "admin"]}
        | {"cameras": ["*"], "how": "session"},
    )
    assert client.get("/api/v1/session").json() == answer.json()
    assert client.get("/api/v1/who").json() == "anna admin session"
    assert client.delete("/api/v1/things").json() == "anna"
    copy = client.cookies[COOKIE]
    assert client.delete("/api/v1/session").status_code == 204
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, copy)
    assert client.get("/api/v1/session").json() == nobody
    assert client.get("/api/v1/who").status_code == 401


@pytest.mark.parametrize("https", [False, True])
def test_the_cookie_is_kept_from_scripts_and_other_sites(tmp_path: Path, https: bool) -> None:
    client = browser(make_access(tmp_path, users=USERS, https=https, session_h=2))
    known, cookie = log_in(client).headers.get_list("set-cookie")
    for text, own in (
        (known, {"path=/api/v1/session", "max-age=31536000"}),
        (cookie, {"path=/", "max-age=7200"}),
    ):
        said = set(text.lower().split("; ")[1:])
        assert said == own | {"httponly", "samesite=strict"} | ({"secure"} if https else set())
        assert "argon2" not in text


@pytest.mark.parametrize(
    ("user", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("anna", HASH)]
)
def test_wrong_words(tmp_path: Path, user: str, password: str) -> None:
    client = browser(make_access(tmp_path, users=USERS))
    answer = log_in(client, user, password)
    assert (answer.status_code, answer.json()["detail"]) == (401, "user or password is wrong")
    assert "set-cookie" not in answer.headers


def test_an_unknown_user_costs_a_hash_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def verify(_self: object, hashed: str, _password: str) -> bool:
        compared.append(hashed)
        return True  # even so, nobody gets in without an account

    access = make_access(tmp_path, users=USERS)
    monkeypatch.setattr("argon2.PasswordHasher.verify", verify)
    assert access.log_in("nobody", PASSWORD) is None
    (hashed,) = compared
    assert hashed.startswith("$argon2id$")
    assert hashed != HASH


def test_a_body_that_is_no_login_is_not_repeated(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path, users=USERS))
    for body in (
        {"user": "anna", "password": {"x": "s3cret"}},
        {"user": "anna", "passwort": "s3cret"},
        {"user": "s3cret" * 11, "password": "y"},
        ["s3cret"],
        "s3cret",
    ):
        answer = client.post("/api/v1/session", json=body)
        assert answer.status_code == 422
        assert "s3cret" not in answer.text
    missing = client.post("/api/v1/session", json={"user": "anna"}).json()["detail"]
    assert missing == ["password: Field required"]


def test_a_cookie_that_was_changed(tmp_path: Path) -> None:
    access = make_access(tmp_path, users=USERS)
    client = browser(access)
    log_in(client, "ben")
    cookie = client.cookies[COOKIE]
    payload, stamp, signature = cookie.split(".")
    log_in(client, "anna")
    of_anna = client.cookies[COOKIE].split(".")[0]
    client.cookies.clear()
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    bad = [
        f"{of_anna}.{stamp}.{signature}",
        f"{payload}.{stamp}.{flipped}",
        payload,
        "x",
        cookie * 9,
    ]
    for each in bad:
        answer = client.get("/api/v1/who", headers={"Cookie": f"{COOKIE}={each}"})
        assert answer.status_code == 401, each
    assert client.get("/api/v1/who", headers={"Cookie": f"{COOKIE}={cookie}"}).is_success


def test_a_cookie_signed_by_another_dashboard(tmp_path: Path) -> None:
    cookie = make_access(tmp_path / "a", users=USERS).log_in("anna", PASSWORD)
    assert cookie is not None
    assert make_access(tmp_path / "a", users=USERS).by_session(cookie) is not None
    other = make_access(tmp_path / "b", users=USERS)
    assert other.log_in("ben", PASSWORD)
    assert other.by_session(cookie) is None
    assert make_access(tmp_path / "a", users=USERS, secret="x").by_session(cookie) is None


def test_a_session_ends_with_time(tmp_path: Path, clock: Clock) -> None:
    client = browser(make_access(tmp_path, clock, users=USERS, session_h=1))
    cookie = log_in(client).cookies[COOKIE]
    client.cookies.clear()
    header = {"Cookie": f"{COOKIE}={cookie}"}
    clock.now += 3599
    assert client.get("/api/v1/who", headers=header).status_code == 200
    clock.now += 2
    assert client.get("/api/v1/who", headers=header).status_code == 401


def test_a_session_ends_with_its_user_password_or_rights(tmp_path: Path) -> None:
    access, elsewhere = make_access(tmp_path), make_access(tmp_path)

    def become(user: StoredUser | None) -> None:
        with elsewhere.store.changing() as stored:
            stored.users.pop("eva", None)
            if user is not None:
                stored.users["eva"] = user

    other_hash = make_access(tmp_path, users=USERS).settings.users["anna"].password
    assert other_hash.get_secret_value() == HASH
    become(StoredUser(HASH, "viewer"))
    client = browser(access)
    for change in (
        None,
        StoredUser(HASH, "admin"),
        StoredUser(HASH + "A", "viewer"),
        StoredUser(HASH, "viewer", ("yard-*",)),
    ):
        become(StoredUser(HASH, "viewer"))
        assert log_in(client, "eva").status_code == 200
        identity = access.by_session(client.cookies[COOKIE])
        assert identity is not None
        assert access.still_valid(identity)
        become(change)
        with elsewhere.store.changing() as stored:  # so that it does not become an open dashboard
            stored.users["other"] = StoredUser(HASH, "viewer")
        assert client.get("/api/v1/who").status_code == 401, change
        assert not access.still_valid(identity)


def test_still_valid(tmp_path: Path) -> None:
    clock = Clock()
    access = make_access(tmp_path, clock, users=USERS, tokens=TOKENS, session_h=1)
    cookie = access.log_in("anna", PASSWORD)
    assert cookie is not None
    session, token = access.by_session(cookie), access.by_token("a-token-of-a-machine")
    assert session is not None
    assert token is not None
    assert cookie not in repr(session)
    assert access.still_valid(session)
    assert access.still_valid(token)
    access.log_out(session)
    assert not access.still_valid(session)
    assert access.still_valid(token)
    assert not make_access(tmp_path, users=USERS).still_valid(token)
    access.store.path.chmod(0o644)
    assert not access.still_valid(token)


def test_logout_outlives_a_restart_and_forgets_what_is_over(tmp_path: Path) -> None:
    clock = Clock()
    access = make_access(tmp_path, clock, users=USERS, session_h=1)
    cookies = [access.log_in("anna", PASSWORD) for _ in range(2)]
    first, second = (access.by_session(str(each)) for each in cookies)
    assert first is not None
    assert second is not None
    access.log_out(first)
    again = make_access(tmp_path, clock, users=USERS, session_h=1)
    assert not again.still_valid(first)
    assert again.still_valid(second)
    clock.now += 1800
    third = access.by_session(str(access.log_in("anna", PASSWORD)))
    assert third is not None
    clock.now += 1801
    access.log_out(third)
    assert len(access.store.read().ended) == 1


def test_open_where_nobody_is_configured(tmp_path: Path) -> None:
    access = make_access(tmp_path)
    client = browser(access)
    told = client.get("/api/v1/session").json()
    assert (told["user"], told["role"], told["login"], told["how"]) == (
        None,
        "admin",
        False,
        "open",
    )
    assert client.post("/api/v1/things").status_code == 200
    identity = access.by_nothing()
    assert identity is not None
    with make_access(tmp_path).store.changing() as stored:  # a user is added while it runs
        stored.users["eva"] = StoredUser(HASH, "viewer")
    assert client.post("/api/v1/things").status_code == 401
    assert not access.still_valid(identity)
    assert log_in(client, "eva").status_code == 200
    assert client.get("/api/v1/things").status_code == 200


def test_what_a_proxy_passes_on_is_never_open(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path))
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host"):
        assert client.get("/api/v1/things", headers={header: "192.0.2.9"}).status_code == 401


def test_a_viewer_looks(tmp_path: Path) -> None:
    client = browser(make_access(tmp_path, users=USERS, tokens=TOKENS))
    log_in(client, "ben")
    assert client.get("/api/v1/things").status_code == 200
    for answer in (client.post("/api/v1/things"), client.delete("/api/v1/things")):
        assert (answer.status_code, answer.json()["detail"]) == (403, ONLY_LOOKS)
    machine = browser(make_access(tmp_path, users=USERS, tokens=TOKENS), headers=BEARER)
    assert machine.get("/api/v1/who").json() == "grafana viewer token"
    assert machine.get("/metrics").status_code == 200
    assert machine.post("/api/v1/things").status_code == 403
    assert client.delete("/api/v1/session").status_code == 204


def test_a_secret_of_the_settings_needs_no_file(tmp_path: Path) -> None:
    access = make_access(tmp_path / "none", users=USERS, secret="s" * 32)
    assert access.by_session(str(access.log_in("anna", PASSWORD)))
    assert not access.store.path.exists()
    assert "s" * 32 not in repr(Dashboard.model_validate({"secret": "s" * 32}))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_where_nothing_can_be_written_sessions_last_as_long_as_the_process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    fill(monkeypatch, number)
    access = make_access(tmp_path, users=USERS)
    first, second = (access.by_session(str(access.log_in("anna", PASSWORD))) for _ in range(2))
    assert first is not None
    assert second is not None
    words = f"sessions end when this process does: {access.store.path} cannot be changed"
    assert words in caplog.text
    access.log_out(first)
    assert not access.still_valid(first)
    assert access.still_valid(second)
    assert not make_access(tmp_path, users=USERS).still_valid(second)
