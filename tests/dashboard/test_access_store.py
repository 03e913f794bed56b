from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import argon2
import pytest

from dashboard.access import AccessError
from dashboard.access.store import Store, StoredToken, StoredUser
from tests.support.full_disk import fill
from tests.support.guarded_app import HASH, PASSWORD, TOKENS, USERS, make_access


def test_the_file_is_the_owners(tmp_path: Path) -> None:
    store = Store(tmp_path / "new")
    with store.changing() as stored:
        stored.users["eva"] = StoredUser(HASH, "admin")
        stored.secret = "s3cret"
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o077 == 0
    read = Store(tmp_path / "new").read()
    assert read.users == {"eva": StoredUser(HASH, "admin")}
    assert "s3cret" not in repr(read)
    assert HASH not in repr(read.users)
    assert {path.name for path in store.path.parent.iterdir()} == {
        "dashboard.json",
        "dashboard.lock",
    }


def test_a_file_of_before_there_were_cameras(tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = {"users": {"eva": {"password": HASH, "role": "admin"}}}
    store.path.write_text(json.dumps(before))
    store.path.chmod(0o600)
    assert store.read().users["eva"].cameras == ("*",)
    with store.changing():
        pass
    assert json.loads(store.path.read_bytes())["users"] == before["users"]  # it reads it, too


def test_what_others_can_read_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.changing():
        pass
    store.path.chmod(0o640)
    with pytest.raises(AccessError, match=f"can be read by others: chmod 600 {store.path}"):
        store.read()
    with pytest.raises(AccessError, match="chmod 600"), store.changing():
        pytest.fail("nothing may be changed")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"users": {"a": 1}}', '{"users": {"a": {"password": "x"}}}', '{"x": 1}'],
)
def test_what_was_not_written_here_is_refused(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    store.path.write_text(text)
    store.path.chmod(0o600)
    with pytest.raises(AccessError, match=r"dashboard\.json: .*expected what `mirante dashboard"):
        store.read()
    with pytest.raises(AccessError), store.changing():
        pytest.fail("nothing may be changed")
    assert store.path.read_text() == text


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.changing() as stored:
        stored.users["eva"] = StoredUser(HASH, "admin")
    with pytest.raises(ZeroDivisionError), store.changing() as stored:
        stored.users.clear()
        _ = 1 / 0
    assert set(store.read().users) == {"eva"}
    assert set(json.loads(store.path.read_bytes())["users"]) == {"eva"}


def test_a_change_elsewhere_is_seen(tmp_path: Path) -> None:
    here, there = Store(tmp_path), Store(tmp_path)
    assert here.read().users == {}
    with there.changing() as stored:
        stored.users["eva"] = StoredUser(HASH, "viewer")
    assert set(here.read().users) == {"eva"}
    with there.changing() as stored:
        stored.users["eva"] = StoredUser(HASH, "admin")
    assert here.read().users["eva"].role == "admin"
    here.path.unlink()
    assert here.read().users == {}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AccessError, match="file"), Store(tmp_path / "file").changing():
        pytest.fail("nothing may be changed")


def test_the_configuration_says_where_both_do(tmp_path: Path) -> None:
    with Store(tmp_path).changing() as stored:
        stored.users["anna"] = StoredUser("$argon2id$other", "viewer")
        stored.users["eva"] = StoredUser(HASH, "viewer")
    access = make_access(tmp_path, users=USERS)
    found = {name: (user.role, user.where) for name, user in access.users().items()}
    assert found == {
        "anna": ("admin", "configuration"),
        "ben": ("viewer", "configuration"),
        "eva": ("viewer", "command"),
    }
    assert access.log_in("anna", PASSWORD)
    assert HASH not in repr(access.users())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "cams.lan"])
def test_others_may_not_reach_what_asks_for_nobody(tmp_path: Path, host: str) -> None:
    access = make_access(tmp_path)
    with pytest.raises(AccessError) as refused:
        access.check_binding(host)
    assert str(refused.value) == (
        f"dashboard.host: {host} can be reached by others, and nobody may log in yet: make a user "
        "with `mirante dashboard user NAME --role admin`, or set dashboard.users, "
        "dashboard.tokens or dashboard.trusted_header"
    )
    assert not access.is_open()
    make_access(tmp_path, users=USERS).check_binding(host)
    make_access(tmp_path, tokens=TOKENS).check_binding(host)
    with Store(tmp_path).changing() as stored:
        stored.users["eva"] = StoredUser(HASH, "viewer")
    access.check_binding(host)


@pytest.mark.parametrize("settings", [{"names": ["cams.lan"]}, {"https": True}])
def test_nor_through_a_proxy(tmp_path: Path, settings: dict[str, Any]) -> None:
    access = make_access(tmp_path, **settings)
    with pytest.raises(AccessError, match="through a proxy, and nobody may log in yet"):
        access.check_binding("127.0.0.1")
    assert access.by_nothing() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_may(tmp_path: Path, host: str) -> None:
    access = make_access(tmp_path)
    access.check_binding(host)
    assert access.is_open()


def test_a_hash_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"^dashboard\.users\.eva\.password: expected an argon2"):
        make_access(tmp_path, users={"eva": {"password": "$argon2id$v", "role": "admin"}})


def test_passwords_are_hashed_as_recommended(shipped_hasher: argon2.PasswordHasher) -> None:
    assert (
        argon2.extract_parameters(shipped_hasher.hash("x")) == argon2.profiles.RFC_9106_LOW_MEMORY
    )


def test_on_a_full_disk_users_and_tokens_are_removed_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with store.changing() as stored:
        stored.users = {name: StoredUser(f"{HASH}{name}", "admin") for name in ("anna", "ben")}
        stored.tokens = {name: StoredToken(name * 64, "viewer") for name in "ab"}
        stored.secret = "signs"
    fill(monkeypatch)
    with pytest.raises(AccessError, match="No space left"), store.changing() as stored:
        stored.users["anna"] = StoredUser(f"{HASH}new", "admin")
    with pytest.raises(AccessError, match="No space left"), store.changing() as stored:
        stored.users["eva"] = StoredUser(f"{HASH}eva", "admin")
        del stored.tokens["a"]
    assert (sorted(store.read().users), sorted(store.read().tokens)) == (
        ["anna", "ben"],
        ["a", "b"],
    )
    for kind, name in (("users", "ben"), ("tokens", "a")):
        with store.changing() as stored:
            del getattr(stored, kind)[name]
    for seen in (store.read(), Store(tmp_path).read()):
        assert seen.users == {"anna": StoredUser(f"{HASH}anna", "admin")}
        assert (list(seen.tokens), seen.secret) == (["b"], "signs")
    assert f"{HASH}ben" not in store.path.read_text()
    monkeypatch.undo()
    with store.changing():
        pass
    assert "ben" not in store.path.read_text(), "what was blank is gone too"
