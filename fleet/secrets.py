"""``mirante fleet key``: the key that seals cameras' passwords on their way to their workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import redis

from pipeline.cli.camera import connected
from pipeline.config.camera_url import ADDRESSES
from pipeline.config.environment import REFERENCE, UnresolvedReferenceError
from pipeline.control.audit import by_command
from pipeline.control.credentials import Credentials
from pipeline.control.entries import Desired
from pipeline.control.private_file import PrivateFile
from pipeline.control.registry import Registry
from pipeline.control.sealing import (
    PREFIX,
    FleetKeyError,
    FleetKeys,
    default_path,
    find_keys,
    key_text,
    made_key,
)

Step = Literal["rotate", "reseal", "drop-old"]


def change(step: Step | None, redis_url: str | None) -> str:
    """Take one step; return what was done, in words, and nothing of a key.

    Args:
        step: None makes the first key.
        redis_url: option of the command.

    Raises:
        FleetKeyError: the step is not one to take now.
        UnresolvedReferenceError, CredentialsError, RegistryError: as of ``reseal``.
        RedisAwayError: Redis does not answer.
    """
    if step == "reseal":
        with connected(redis_url) as client, by_command("reseal passwords", client):
            done = reseal(client)
        return f"resealed with the newest key: {', '.join(done) or 'none needed it'}"
    if step == "drop-old":
        with connected(redis_url) as client:
            return f"dropped: {', '.join(drop_old(client)) or 'there was only one key'}"
    path = rotate() if step == "rotate" else make()
    return f"{path}: key {_own_file().names[0]}; every machine of the fleet needs this file"


def make() -> Path:
    """Make the file of keys with one in it; return its path.

    Raises:
        FleetKeyError: there is one, or it cannot be written.
    """
    path = default_path()
    file = PrivateFile(path, FleetKeyError)
    with file.locked():
        if path.exists():
            raise FleetKeyError(f"{path} is there already; --rotate puts a new key before it")
        file.write(key_text([made_key()]).encode())
    return path


def rotate() -> Path:
    """Put a new key before those of the file, which it does not take away; return its path.

    Raises:
        FleetKeyError: there is no file of keys, or it cannot be changed.
    """
    path = default_path()
    file = PrivateFile(path, FleetKeyError)
    with file.locked():
        file.write(key_text([made_key(), *_own_file().keys]).encode())
    return path


def reseal(client: redis.Redis) -> list[str]:
    """Seal with the newest key what others sealed; return the names of the cameras.

    Raises:
        FleetKeyError: there is no key.
        UnresolvedReferenceError: one that sealed a password is not here.
        CredentialsError, RegistryError, redis.RedisError: as of the registry.
    """
    newest = _keys().names[0]
    registry, credentials = Registry(client), Credentials()

    def sealed_anew(entry: Desired) -> dict[str, str]:
        urls = {key: str(entry.spec[key]) for key in ADDRESSES if entry.spec.get(key)}
        return {
            key: credentials.withdraw(entry.name, credentials.revealed(entry.name, url))
            for key, url in urls.items()
            if _sealers([url]) - {newest}
        }

    due = [name for name, entry in registry.cameras().items() if sealed_by(entry) - {newest}]
    for name in due:
        try:
            registry.edit(name, sealed_anew)
        except UnresolvedReferenceError as error:
            raise UnresolvedReferenceError(f'camera "{name}": {error}') from None
    return due


def drop_old(client: redis.Redis) -> tuple[str, ...]:
    """Remove all keys but the newest from the file; return their names.

    Raises:
        FleetKeyError: a camera's password is sealed with one of them, or there is no file.
        redis.RedisError: Redis does not answer.
    """
    file = PrivateFile(default_path(), FleetKeyError)
    with file.locked():
        keys = _own_file()
        old = keys.names[1:]
        used = [n for n, entry in Registry(client).cameras().items() if sealed_by(entry) & {*old}]
        if used:
            raise FleetKeyError(f"old keys are in use by {', '.join(used)}; --reseal comes first")
        file.write(key_text(keys.keys[:1]).encode())
    return old


def sealed_by(entry: Desired) -> set[str]:
    """Return the names of the keys that sealed passwords of a camera."""
    return _sealers([str(entry.spec.get(key) or "") for key in ADDRESSES])


def _sealers(urls: Sequence[str]) -> set[str]:
    found = [match[1] or "" for url in urls for match in REFERENCE.finditer(url)]
    return {
        name.removeprefix(PREFIX).partition(".")[0] for name in found if name.startswith(PREFIX)
    }


def _keys() -> FleetKeys:
    if (keys := find_keys()) is None:
        raise FleetKeyError(f"{default_path()}: not found; make a key with: mirante fleet key")
    return keys


def _own_file() -> FleetKeys:
    """Return the keys of the file, which is what the steps change.

    Raises:
        FleetKeyError: a variable says another, or there is none.
    """
    keys = _keys()
    if keys.place != str(default_path()):
        raise FleetKeyError(f"{keys.place} names the key here: change it where that comes from")
    return keys
