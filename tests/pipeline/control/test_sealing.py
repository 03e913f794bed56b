"""Passwords of a fleet's cameras: sealed in Redis, opened where the key is, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from mirante.keys import CAMERAS
from pipeline.config.environment import KEY_VARIABLE, UnresolvedReferenceError
from pipeline.control.credentials import Credentials, CredentialsError
from pipeline.control.registry import Registry, connect
from pipeline.control.sealing import (
    FILE_VARIABLE,
    FleetKeyError,
    default_path,
    find_keys,
    key_text,
    made_key,
    name_of,
)
from pipeline.worker.redis_server import RedisServer

URL = "rtsp://admin:hunt%40er2@h:554/x?channel=1&token=hunter3"


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The key of this installation."""
    key = made_key()
    monkeypatch.setenv(KEY_VARIABLE, key_text([key]))
    return key


def stored(client: redis.Redis, camera: str = "gate") -> str:
    value = client.hget(CAMERAS, camera)
    assert isinstance(value, bytes)
    return value.decode()


@pytest.mark.redis
@pytest.mark.usefixtures("key")
def test_a_password_is_sealed_beside_its_camera_and_goes_with_it(
    client: redis.Redis, home: Path
) -> None:
    Registry(client).put("gate", {"url": URL, "view": "rtsp://admin:hunter4@h/main"})
    assert "hunt" not in stored(client)
    assert stored(client).count("${sealed:") == 3
    assert "channel=1" in stored(client)
    assert not (home / "credentials.json").exists()
    camera = Registry(client, "elsewhere").resolved("gate")  # no file came along
    assert (camera.url.username, camera.url.password) == ("admin", "hunt@er2")
    assert camera.url.query == "channel=1&token=hunter3"
    assert camera.view is not None
    assert camera.view.password == "hunter4"
    Registry(client).edit("gate", {"fps": 3, "url": "rtsp://***@h:554/x?channel=1&token=***"})
    assert Registry(client).resolved("gate").url.password == "hunt@er2", "as it is shown: it stays"
    Registry(client).remove("gate")
    assert client.hget(CAMERAS, "gate") is None


@pytest.mark.redis
def test_without_its_key_a_camera_fails_alone(
    client: redis.Redis, key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.control.changing import RegistryError

    registry = Registry(client)
    registry.put("gate", {"url": URL})
    registry.put("yard", {"url": "rtsp://h/x"})
    monkeypatch.delenv(KEY_VARIABLE)
    words = rf'camera "gate": .* key {name_of(key)}, .* put it into .*fleet\.key'
    with pytest.raises(RegistryError, match=words) as raised:
        registry.resolved("gate")
    assert "hunt" not in str(raised.value)
    assert registry.resolved("yard").url.host == "h"
    other = made_key()
    monkeypatch.setenv(KEY_VARIABLE, key_text([other]))
    with pytest.raises(RegistryError, match=rf"key {name_of(key)}; .* has {name_of(other)}"):
        registry.resolved("gate")


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("camera", "changed"),
    [
        ("yard", lambda url: url),
        ("gate", lambda url: url.replace("@h:", "@evil:")),
        ("gate", lambda url: url.replace("rtsp:", "rtsps:")),
        ("gate", lambda url: f"{url[:40]}{'B' if url[40] == 'A' else 'A'}{url[41:]}"),
        ("gate", lambda url: url.replace("}", "=}")),
    ],
)
def test_what_is_sealed_serves_one_camera_at_one_host(camera: str, changed: object) -> None:
    credentials = Credentials()
    sealed = credentials.withdraw("gate", URL)
    assert credentials.revealed("gate", sealed) == URL
    assert callable(changed)
    with pytest.raises(UnresolvedReferenceError, match="sealed for another camera or address"):
        credentials.revealed(camera, changed(sealed))


def test_a_password_that_travels_needs_a_key(home: Path) -> None:
    with pytest.raises(CredentialsError, match=r'camera "gate": .* mirante fleet key'):
        Credentials().withdraw("gate", URL, travels=True)
    assert Credentials().withdraw("gate", "rtsp://h/x", travels=True) == "rtsp://h/x"
    assert not (home / "credentials.json").exists()


def test_a_password_of_the_file_is_put_back_as_it_was_given() -> None:
    """``%40`` stands for ``@`` once, not twice."""
    credentials = Credentials()
    held = credentials.withdraw("gate", "rtsp://admin:p%40ss@h/${X}")
    assert credentials.revealed("gate", held) == "rtsp://admin:p%40ss@h/${X}"


def test_the_newest_key_seals_and_all_open(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = made_key(), made_key()
    monkeypatch.setenv(KEY_VARIABLE, key_text([old]))
    by_old = Credentials().withdraw("gate", URL)
    monkeypatch.setenv(KEY_VARIABLE, key_text([new, old]))
    by_new = Credentials().withdraw("gate", URL)
    assert [Credentials().revealed("gate", each) for each in (by_old, by_new)] == [URL, URL]
    assert f"sealed:{name_of(new)}." in by_new
    monkeypatch.setenv(KEY_VARIABLE, key_text([new]))
    with pytest.raises(UnresolvedReferenceError, match=name_of(old)):
        Credentials().revealed("gate", by_old)


def test_keys_come_from_a_variable_a_mounted_file_or_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_keys() is None
    own, mounted, said = made_key(), made_key(), made_key()
    default_path().parent.mkdir(parents=True)
    default_path().write_text(key_text([own]))
    with pytest.raises(FleetKeyError, match=r"fleet\.key can be read by others: chmod 600"):
        find_keys()
    default_path().chmod(0o600)
    found = find_keys()
    assert found is not None
    assert found.keys == (own,)
    (tmp_path / "key").write_text(key_text([mounted]))  # mode 0644, as Kubernetes mounts it
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "key"))
    found = find_keys()
    assert found is not None
    assert found.keys == (mounted,)
    monkeypatch.setenv(KEY_VARIABLE, key_text([said]).strip())
    found = find_keys()
    assert found is not None
    assert found.keys == (said,)
    assert key_text([said]).strip() not in repr(found)


@pytest.mark.parametrize("text", ["hunter2", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 43 + "="])
def test_what_is_no_key_is_refused_without_a_word_of_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f"{key_text([made_key()])}{text}")
    with pytest.raises(FleetKeyError, match=rf"{KEY_VARIABLE}: key 2 — expected 43 ") as raised:
        find_keys()
    assert text not in str(raised.value)


@pytest.mark.redis
@pytest.mark.usefixtures("key")
def test_no_address_may_have_the_key_sent(client: redis.Redis) -> None:
    from pipeline.control.changing import RegistryError

    Registry(client).put("gate", {"url": f"rtsp://a:${{{KEY_VARIABLE}}}@h/x"})
    with pytest.raises(RegistryError, match=f"{KEY_VARIABLE} is a key"):
        Registry(client).resolved("gate")
    assert json.loads(stored(client))["spec"]["url"].count(KEY_VARIABLE) == 1


def test_a_folder_in_the_place_of_a_key_is_said_to_be_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker makes one where what it is to mount is missing."""
    assert default_path().is_relative_to(home)
    default_path().mkdir(parents=True)
    with pytest.raises(FleetKeyError, match=r"fleet\.key is a folder, as Docker makes where the"):
        find_keys()
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path))
    with pytest.raises(FleetKeyError, match=f"{FILE_VARIABLE}: {tmp_path} is a folder, as Docker"):
        find_keys()
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(FleetKeyError, match=r"none cannot be read: No such file or directory$"):
        find_keys()
