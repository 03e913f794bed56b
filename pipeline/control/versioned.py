"""The hash of configured cameras and its version, which are read and written as one.

Redis evicts either of them by itself, and people delete them. Each change therefore notes beside
its number how many cameras it left: a hash that is gone is one whose cameras were all removed
where that is 0, and one that Redis lost where it is not. It also notes which cameras it was about,
and which workers, so that one that saw the change before reads what concerns it, and not all.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple, cast

import msgspec
import redis
from redis.client import Pipeline

from mirante.keys import CAMERAS, CAMERAS_VERSION
from pipeline.control.entries import Desired, read_entries, read_entry

KEPT_CHANGES = 256
_FIELDS = ("generation", "number", "left")
_read_note = msgspec.json.Decoder(dict[str, list[str]])  # workers by camera, none for all


class Version(NamedTuple):
    """The version of the hash of cameras.

    Attributes:
        generation: another one after Redis lost the hash or its version; empty before the first
            change.
        number: grows with each change of a generation.
        is_whole: the hash and its version are there as the last change left them.
    """

    generation: str
    number: int
    is_whole: bool

    def lost_since(self, seen: Version) -> bool:
        """Return whether Redis lost something after ``seen`` was read, a change or all of it."""
        return not self.is_whole or self.generation != seen.generation or self.number < seen.number


def read_version(client: redis.Redis) -> Version:
    """Return the version, in one cheap round trip."""
    with client.pipeline(transaction=True) as pipe:  # a change between the two reads is no loss
        pipe.hmget(CAMERAS_VERSION, _FIELDS)
        pipe.exists(CAMERAS)
        fields, is_there = pipe.execute()
    return _version(fields, bool(is_there))


def read(client: redis.Redis) -> tuple[Version, dict[str, Desired], bytes | None]:
    """Return the version, the entries that belong to it, and the token of the change behind it."""
    with client.pipeline(transaction=True) as pipe:
        pipe.hmget(CAMERAS_VERSION, _FIELDS)
        pipe.hgetall(CAMERAS)
        fields, entries = pipe.execute()
    version = _version(fields, bool(entries))
    # HMGET as everywhere: who may use that alone need not be given HGET.
    [token] = cast(
        list[bytes | None], client.hmget(CAMERAS_VERSION, [_token_field(version.number)])
    )
    return version, read_entries(entries.values()), token


def read_since(
    client: redis.Redis, seen: Version, token: bytes | None, now: Version, worker: str | None = None
) -> tuple[dict[str, Desired | None], bytes] | None:
    """Return the entries that changed between two versions, None for one that was removed, and the
    token of the last of the changes; None where that is not known, and all are to be read.

    Args:
        client: a Redis client that answers bytes.
        seen: the version that was read last.
        token: of ``seen``, which tells it from another change of that number: a replica that took
            over may not have had the one that was seen.
        now: the version as it was found to be.
        worker: whom the changes are to concern; moves of the fleet's cameras between other workers
            are left out. None for all.
    """
    if token is None or now.lost_since(seen) or now.number - seen.number > KEPT_CHANGES:
        return None
    numbers = range(seen.number + 1, now.number + 1)
    fields = [_token_field(seen.number), _token_field(now.number), *map(_note_field, numbers)]
    first, last, *notes = cast(list[bytes | None], client.hmget(CAMERAS_VERSION, fields))
    if first != token or last is None or None in notes:
        return None
    about = [_read_note.decode(note).items() for note in notes if note]
    names = sorted(
        {n for one in about for n, who in one if not who or worker is None or worker in who}
    )
    if not names:
        return {}, last
    with client.pipeline(transaction=True) as pipe:
        pipe.hmget(CAMERAS_VERSION, _FIELDS)
        pipe.exists(CAMERAS)
        pipe.hmget(CAMERAS, names)
        kept, is_there, entries = pipe.execute()
    if _version(kept, bool(is_there)).lost_since(now):
        return None
    changed: dict[str, Desired | None] = dict.fromkeys(names)
    return changed | read_entries(each for each in entries if each is not None), last


def watch(pipe: Pipeline) -> tuple[Version, dict[bytes, bytes]]:
    """Begin a transaction; return the version and the entries as they are stored."""
    pipe.watch(CAMERAS, CAMERAS_VERSION)
    fields = cast(list[bytes | None], pipe.hmget(CAMERAS_VERSION, list(_FIELDS)))
    entries = cast(dict[bytes, bytes], pipe.hgetall(CAMERAS))
    return _version(fields, bool(entries)), entries


def watch_some(pipe: Pipeline, names: Sequence[str]) -> tuple[Version, dict[bytes, bytes], int]:
    """Begin a transaction about some cameras; return the version, their entries as they are stored,
    and how many others there are. Where the last change did not note that, it is held not whole.
    """
    pipe.watch(CAMERAS, CAMERAS_VERSION)
    fields = cast(list[bytes | None], pipe.hmget(CAMERAS_VERSION, list(_FIELDS)))
    is_there = bool(pipe.exists(CAMERAS))
    values = cast(list[bytes | None], pipe.hmget(CAMERAS, list(names)))
    found = {n.encode(): v for n, v in zip(names, values, strict=True) if v is not None}
    version = _version(fields, is_there)
    of, _, count = (fields[2] or b"").decode("utf-8", "replace").partition(":")
    if of != str(version.number) or not count.isdecimal():
        return version._replace(is_whole=False), found, 0
    return version, found, int(count) - len(found)


def write(
    pipe: Pipeline,
    version: Version,
    before: Mapping[bytes, bytes],
    changed: Mapping[str, Desired | None],
    is_lost: bool,
    others: int = 0,
) -> None:
    """End a transaction that ``watch`` began.

    Args:
        pipe: the transaction.
        version: what ``watch`` returned.
        before: likewise.
        changed: entries to write by name, None for one to remove.
        is_lost: Redis lost something, which begins a generation.
        others: cameras that are not in ``before``.

    Raises:
        redis.WatchError: somebody else wrote since it began, or Redis did not answer.
    """
    left = set(before)
    pipe.multi()
    for name, entry in changed.items():
        if entry is None:
            left.discard(name.encode())
            pipe.hdel(CAMERAS, name)
        else:
            left.add(name.encode())
            pipe.hset(CAMERAS, name, json.dumps(asdict(entry)))
    number = version.number + 1
    is_new = is_lost or not version.generation
    generation = secrets.token_hex(8) if is_new else version.generation
    fields = (generation, number, f"{number}:{len(left) + others}")
    pipe.hset(CAMERAS_VERSION, mapping=dict(zip(_FIELDS, fields, strict=True)))
    outdated = number - KEPT_CHANGES
    pipe.hdel(CAMERAS_VERSION, _note_field(outdated), _token_field(outdated))
    about = {name: _concerned(before.get(name.encode()), new) for name, new in changed.items()}
    pipe.hset(CAMERAS_VERSION, _note_field(number), msgspec.json.encode(about))
    pipe.hset(CAMERAS_VERSION, _token_field(number), secrets.token_hex(4))
    pipe.execute()


def _concerned(before: bytes | None, after: Desired | None) -> list[str]:
    """The workers that are to know of a change: of a move within the fleet those that it is about;
    none stands for all.
    """
    old = None if before is None else read_entry(before)
    if old is None or after is None or not after.fleet:
        return []
    if replace(old, worker=after.worker, before=after.before) != after:
        return []
    return sorted({old.worker, old.before, after.worker, after.before} - {""})


def _token_field(number: int) -> str:
    return f"token:{number}"


def _note_field(number: int) -> str:
    return f"change:{number}"


def _version(fields: list[bytes | None], is_there: bool) -> Version:
    generation, number, left = ((field or b"").decode("utf-8", "replace") for field in fields)
    # A change by an earlier version leaves no such note: then nothing is known to be lost.
    of, _, cameras = left.partition(":")
    expected = of == number and cameras not in ("", "0")
    is_whole = bool(generation) if is_there else not expected
    return Version(generation, int(number) if number.isdecimal() else 0, is_whole)
