"""The hash of configured cameras and its version, which are read and written as one.

Redis evicts either of them by itself, and people delete them. Each change therefore notes beside
its number how many cameras it left: a hash that is gone is one whose cameras were all removed
where that is 0, and one that Redis lost where it is not. It also notes which cameras it was about,
and which workers, so that one that saw the change before reads what concerns it, and not all.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple, cast

import msgspec
import redis
from redis.client import Pipeline

from mirante.keys import CAMERAS, CAMERAS_VERSION
from pipeline.control.entries import Desired, read_entries

KEPT_CHANGES = 256
_FIELDS = ("generation", "number", "left")
LOOK = (("HMGET", CAMERAS_VERSION, *_FIELDS), ("EXISTS", CAMERAS))
"""The commands by which one sees whether anything changed, who looks for many workers at once."""
_encode = msgspec.json.Encoder().encode
_read_note = msgspec.json.Decoder(dict[str, list[str]])  # workers by camera; none: all; "": nobody


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
        """Return whether Redis lost something after ``seen`` was read, a change or all of it; of
        what never was there is nothing to lose.
        """
        is_another = seen.generation not in ("", self.generation)
        return not self.is_whole or is_another or self.number < seen.number


class Known(NamedTuple):
    """The cameras as somebody knows them who follows all changes.

    Attributes:
        version: of all cameras.
        entries: of those that are followed, by name.
        token: of the change that led to them, which tells it from another of that number; None
            where it is not known.
    """

    version: Version
    entries: Mapping[str, Desired]
    token: bytes | None


def read_version(client: redis.Redis) -> Version:
    """Return the version, in one cheap round trip."""
    with client.pipeline(transaction=True) as pipe:  # a change between the two reads is no loss
        pipe.hmget(CAMERAS_VERSION, _FIELDS)
        pipe.exists(CAMERAS)
        fields, is_there = pipe.execute()
    return _version(fields, bool(is_there))


def read(
    client: redis.Redis, worker: str | None = None
) -> tuple[Version, dict[str, Desired], bytes | None]:
    """Return the version, the entries that belong to it, and the token of the change behind it.

    Args:
        client: a Redis client that answers bytes.
        worker: whom they are to concern; cameras of the fleet that other workers have are left out.
            None for all.
    """
    with client.pipeline(transaction=True) as pipe:
        pipe.hmget(CAMERAS_VERSION, _FIELDS)
        pipe.hgetall(CAMERAS)
        fields, entries = pipe.execute()
    version = _version(fields, bool(entries))
    # HMGET as everywhere: who may use that alone need not be given HGET.
    [token] = cast(
        list[bytes | None], client.hmget(CAMERAS_VERSION, [_token_field(version.number)])
    )
    return version, read_entries(entries.values(), worker), token


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
        worker: whom the changes are to concern; the fleet's cameras of other workers count as
            removed, and their moves are left out. None for all.
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
    return changed | read_entries((each for each in entries if each is not None), worker), last


class Part(NamedTuple):
    """The cameras that a transaction is about.

    Attributes:
        version: of all cameras.
        entries: of them, by name.
        there: names of those that are there, some of which may not be readable.
        others: how many there are besides.
    """

    version: Version
    entries: Mapping[str, Desired]
    there: Set[bytes]
    others: int = 0


def watch(pipe: Pipeline) -> Part:
    """Begin a transaction about all cameras."""
    pipe.watch(CAMERAS, CAMERAS_VERSION)
    fields = cast(list[bytes | None], pipe.hmget(CAMERAS_VERSION, list(_FIELDS)))
    entries = cast(dict[bytes, bytes], pipe.hgetall(CAMERAS))
    return Part(_version(fields, bool(entries)), read_entries(entries.values()), entries.keys())


def watch_some(pipe: Pipeline, names: Sequence[str], known: Known | None = None) -> Part:
    """Begin a transaction about some cameras. Where the last change did not note how many there
    are, the version is held not whole.

    Args:
        pipe: the transaction.
        names: of the cameras.
        known: the cameras as they were seen last; those are not read again where it is so still.
    """
    pipe.watch(CAMERAS, CAMERAS_VERSION)
    asked = [*_FIELDS, _token_field(known.version.number if known else 0)]
    *fields, token = cast(list[bytes | None], pipe.hmget(CAMERAS_VERSION, asked))
    version = _version(fields, bool(pipe.exists(CAMERAS)))
    if known is not None and version == known.version and token == known.token is not None:
        entries = {name: known.entries[name] for name in names if name in known.entries}
        there: Set[bytes] = {name.encode() for name in entries}
    else:
        values = cast(list[bytes | None], pipe.hmget(CAMERAS, list(names)))
        found = {n.encode(): v for n, v in zip(names, values, strict=True) if v is not None}
        entries, there = read_entries(found.values()), found.keys()
    of, _, count = (fields[2] or b"").decode("utf-8", "replace").partition(":")
    if of != str(version.number) or not count.isdecimal():
        return Part(version._replace(is_whole=False), entries, there, 0)
    return Part(version, entries, there, int(count) - len(there))


def write(
    pipe: Pipeline, part: Part, changed: Mapping[str, Desired | None], is_lost: bool
) -> tuple[Version, bytes]:
    """End a transaction that ``watch`` or ``watch_some`` began; return the version that it leaves,
    and its token.

    Args:
        pipe: the transaction.
        part: what it was begun with.
        changed: entries to write by name, None for one to remove.
        is_lost: Redis lost something, which begins a generation.

    Raises:
        redis.WatchError: somebody else wrote since it began, or Redis did not answer.
    """
    written: dict[Any, Any] = {
        name: _encode(entry) for name, entry in changed.items() if entry is not None
    }
    removed = [name for name, entry in changed.items() if entry is None]
    left = (part.there | {name.encode() for name in written}) - {name.encode() for name in removed}
    number, token = part.version.number + 1, secrets.token_hex(4)
    is_new = is_lost or not part.version.generation
    generation = secrets.token_hex(8) if is_new else part.version.generation
    fields = (generation, number, f"{number}:{len(left) + part.others}")
    outdated = number - KEPT_CHANGES
    about = {name: _concerned(part.entries.get(name), new) for name, new in changed.items()}
    pipe.multi()
    if removed:
        pipe.hdel(CAMERAS, *removed)
    if written:
        pipe.hset(CAMERAS, mapping=written)
    pipe.hset(CAMERAS_VERSION, mapping=dict(zip(_FIELDS, fields, strict=True)))
    pipe.hdel(CAMERAS_VERSION, _note_field(outdated), _token_field(outdated))
    pipe.hset(CAMERAS_VERSION, _note_field(number), _encode(about))
    pipe.hset(CAMERAS_VERSION, _token_field(number), token)
    pipe.execute()
    return Version(generation, number, is_whole=True), token.encode()


def _concerned(old: Desired | None, new: Desired | None) -> list[str]:
    """The workers that are to know of a change: of a camera of the fleet those that have it, and
    have had it; none stands for all.
    """
    said = [entry for entry in (old, new) if entry is not None]
    if not all(entry.fleet for entry in said):
        return []
    return sorted({name for entry in said for name in (entry.worker, entry.before)} - {""}) or [""]


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
