"""The audit log: who did what to which camera, user or model, and what came of it.

It is written twice: to a file that only its owner can read and that is never rewritten, and to a
stream of Redis, which is bounded and which the page shows. Nothing that is secret is in it: an
address is there without its login, of all else that a request holds the names alone.
"""

from __future__ import annotations

import errno
import os
import pwd
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
import redis

from mirante.home import home
from mirante.keys import AUDIT
from pipeline.config.camera import Camera
from pipeline.config.camera_url import ADDRESSES, CameraUrl, redact

FILE = "audit.jsonl"
MOST_ENTRIES = 10_000  # in Redis
MOST_WORDS = 300

How = Literal["session", "token", "proxy", "open", "local", "nobody"]
Result = Literal["ok", "refused", "failed"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deed, or a try at one.

    Attributes:
        at: Unix seconds.
        who: name of the user or token; of the account on the machine for the command line.
        how: they were known: by a login, a token, a proxy, by nothing where nobody needs to log in
            (``open``), by their shell (``local``), or not at all.
        role: theirs.
        address: they came from; empty for the command line.
        action: in words.
        camera, user, token, model, worker: what it was done to; empty where it is of none.
        detail: what was said of it, such as the keys that were changed.
        result: ``refused`` by a rule, ``failed`` for another reason.
        code: the HTTP status; None for the command line.
        words: why not.
        times: how often, where the same was refused many times.
    """

    at: float
    who: str
    how: How
    action: str
    result: Result
    role: str = ""
    address: str = ""
    camera: str = ""
    user: str = ""
    token: str = ""
    model: str = ""
    worker: str = ""
    detail: str = ""
    code: int | None = None
    words: str = ""
    times: int = 1


def default_path() -> Path:
    """Return the file: beside ``credentials.json``."""
    return home("config") / FILE


def append(path: Path, entries: list[Entry]) -> None:
    """Write entries at the end of the file, opened anew, so that it may be rotated at any time.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
    file = os.open(path, flags, 0o600)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":  # a line that a full disk cut
            lines = b"\n" + lines
        if os.write(file, lines) < len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def publish(client: redis.Redis, entries: list[Entry]) -> None:
    """Add entries to the stream.

    Raises:
        redis.RedisError: Redis does not take them.
    """
    with client.pipeline(transaction=False) as pipe:
        for entry in entries:
            fields: dict[Any, Any] = {"json": msgspec.json.encode(entry)}
            pipe.xadd(AUDIT, fields, maxlen=MOST_ENTRIES, approximate=True)
        pipe.execute()


def told_keys(keys: Mapping[str, Any]) -> str:
    """Return the keys of a camera in words: addresses without their login, of others the names."""
    said = [f"{key} {_address(keys[key])}" for key in ADDRESSES if keys.get(key) is not None]
    others = sorted(key for key in keys if key in Camera.model_fields and key not in ADDRESSES)
    return "; ".join([*said, *([f"keys {', '.join(others)}"] if others else [])])


def _address(text: object) -> str:
    """Return an address; nothing of one that is none, of which any part may be a login."""
    try:
        return short(str(CameraUrl(str(text))))
    except ValueError:
        return "(not an address)"


def short(words: str) -> str:
    """Return words fit for an entry: one line, without what may be a login, not too long."""
    line = redact(" ".join(words.split()))
    return "".join(each if each.isprintable() else "?" for each in line)[:MOST_WORDS]


@contextmanager
def by_command(
    action: str, client: redis.Redis | None = None, **about: str
) -> Iterator[dict[str, str]]:
    """Log what a command does inside, and whether it could. That it cannot be logged stops nothing.
    Yields what is logged of it, to be completed.

    Args:
        action: in words.
        client: of the Redis whose page shows it; None where the command knows of none.
        about: ``camera``, ``user``, ``token``, ``model``, ``worker`` and ``detail``.
    """
    told: dict[str, Any] = {"result": "ok"}
    said = {"action": action, **about}
    try:
        yield said
    except Exception as error:
        told = {"result": "failed", "words": short(str(error))}
        raise
    finally:
        entry = Entry(**{"at": time.time(), "who": _account(), "how": "local", **said, **told})
        with suppress(OSError):
            append(default_path(), [entry])
        with suppress(redis.RedisError, OSError):
            if client is not None:
                publish(client, [entry])


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # of a container, perhaps
        return f"uid {os.getuid()}"
