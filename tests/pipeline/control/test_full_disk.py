"""Passwords on a disk without room: what is removed is gone, and nothing else is."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.config.environment import UnresolvedReferenceError
from pipeline.control.credentials import PREFIX, Credentials, CredentialsError
from pipeline.control.private_file import SECTOR
from pipeline.control.registry import Registry, connect
from pipeline.worker.redis_server import RedisServer
from tests.support.full_disk import fill

ODD = ['a"b', "back\\slash", 'end\\"', "\x07", "ü€", " lead", "${NAME}", '"x": "', "{},[]"]
SECRETS = {f"cam-{n}": f"u:{n}{word * (1 + n % 3)}" for n, word in enumerate(ODD * 4)}


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def kept_in(path: Path, entries: dict[str, str] = SECRETS) -> Credentials:
    path.write_text(json.dumps(entries, indent=1))
    path.chmod(0o600)
    return Credentials(path)


def named(name: str) -> str:
    return f"rtsp://${{{PREFIX}{name}}}@h/x"


@pytest.mark.parametrize("order", [1, -1])
def test_each_password_is_removed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    path = tmp_path / "credentials.json"
    credentials, left = kept_in(path), dict(SECRETS)
    fill(monkeypatch)
    for name in list(SECRETS)[::order]:
        credentials.forget(named(name))
        secret = left.pop(name)
        assert json.dumps(secret) not in path.read_text()
        json.loads(path.read_text())
        assert {each: credentials.lookup(each) for each in left} == left
        with pytest.raises(UnresolvedReferenceError, match="its password is not in"):
            credentials.lookup(name)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "credentials.json",
        "credentials.lock",
    ]
    monkeypatch.undo()
    credentials.withdraw("gate", "rtsp://u:new@h/x")
    assert list(json.loads(path.read_text()).values()) == ["u:new"], "what was blank is gone too"


def test_a_machine_that_stops_between_two_sectors_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry is blanked as far as the end of the first sector that it touches."""
    written, torn = os.pwrite, 0

    def pwrite(handle: int, data: bytes, start: int) -> int:
        nonlocal torn
        room = SECTOR - start % SECTOR
        torn += room < len(data)
        return written(handle, data[:room], start)

    fill(monkeypatch)
    monkeypatch.setattr(os, "pwrite", pwrite)
    path = tmp_path / "credentials.json"
    for name in SECRETS:
        credentials = kept_in(path)
        credentials.forget(named(name))
        others = SECRETS.keys() - {name}
        assert {each: credentials.lookup(each) for each in others} == {
            each: SECRETS[each] for each in others
        }
    assert torn, "none crossed a sector's end"


def test_a_password_that_cannot_be_kept_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials.json"
    credentials = kept_in(path)
    before = path.read_bytes()
    fill(monkeypatch)
    with pytest.raises(CredentialsError) as said:
        credentials.withdraw("gate", "rtsp://u:hunter2@h/x")
    assert str(said.value) == f"{path} cannot be changed: {os.strerror(errno.ENOSPC)}"
    assert path.read_bytes() == before


@pytest.mark.redis
def test_a_camera_is_removed_after_its_password(
    client: redis.Redis, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry(client).put("gate", {"url": "rtsp://u:hunter2@h/x", "view": "rtsp://u:hunter3@h/y"})
    file = home / "credentials.json"
    with monkeypatch.context() as read_only:
        fill(read_only, errno.EROFS)
        with pytest.raises(CredentialsError, match=f"{file} cannot be changed: Read-only file"):
            Registry(client).remove("gate")
    assert list(Registry(client).cameras()) == ["gate"]
    assert Registry(client).resolved("gate").url.password == "hunter2"
    fill(monkeypatch)
    Registry(client).remove("gate")
    assert list(Registry(client).cameras()) == []
    assert json.loads(file.read_text()) == {}


@pytest.mark.redis
def test_a_worker_lives_without_the_file(
    client: redis.Redis, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be read is a camera's failure, in words, and no end of the worker."""
    Registry(client).put("gate", {"url": "rtsp://u:hunter2@h/x"})
    read = Path.read_bytes

    def refused(path: Path) -> Any:
        if path.name == "credentials.json":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(RuntimeError, match=r'camera "gate": .*json cannot be read: Permission'):
        Registry(client).resolved("gate")
