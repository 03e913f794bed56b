"""The plan of a subscription: its arguments, checked."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Literal, TypedDict, get_args

from mirante.client.items import Gap
from mirante.keys import KINDS, EntryId, Kind, check_camera
from mirante.redis_url import DEFAULT, RedisUrl
from mirante.where import Where

FrameKind = Literal["detections", "masks"]
StateKind = Literal["detections", "masks", "status"]
EventsKind = Literal["events"]
SubscribedKind = Literal["detections", "masks", "events", "status"]
Since = str | datetime | float | None

_LAST_SEQ = 2**64 - 1
_PATTERN = re.compile(r"[A-Za-z0-9_.*?\[\]!-]{1,64}")
_consumers = count(1)


class Options(TypedDict, total=False):
    """Further arguments of ``subscribe``; explained there."""

    redis: str | RedisUrl | None
    consumer: str | None
    block_s: float
    timeout_s: float | None
    claim_s: float
    on_gap: Callable[[Gap], None] | None
    where: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Checked arguments of ``subscribe``; explained there.

    Attributes:
        cameras: names.
        patterns: of the names of further cameras, which may appear later.
        kinds: the kinds to read; masks beside detections are not read but looked up.
        join_masks: masks are looked up.
        since: the entry to begin behind, or None for what is new.
        resume: ``since`` was the ID of an entry, so nothing may be missing behind it.
    """

    cameras: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    kinds: tuple[Kind, ...]
    join_masks: bool
    since: EntryId | None
    resume: bool
    url: RedisUrl
    group: str | None = None
    consumer: str
    block_s: float = 1.0
    timeout_s: float | None = None
    claim_s: float = 30.0
    on_gap: Callable[[Gap], None] | None = None
    where: Where | None = None

    def __post_init__(self) -> None:
        for name in ("block_s", "timeout_s", "claim_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: expected more than 0 seconds, got {value!r}")


def make_plan(
    cameras: str | Iterable[str],
    kinds: SubscribedKind | Iterable[SubscribedKind],
    group: str | None,
    since: Since,
    options: Options,
) -> Plan:
    """Checks the arguments of ``subscribe``.

    Raises:
        ValueError: naming the argument, the value and what was expected.
        TypeError: there is no such argument.
    """
    wanted = {kinds} if isinstance(kinds, str) else set(kinds)
    if not wanted or not wanted <= set(get_args(SubscribedKind)):
        known = ", ".join(get_args(SubscribedKind))
        raise ValueError(f"kinds: expected some of {known}, got {kinds!r}")
    names, patterns = _cameras((cameras,) if isinstance(cameras, str) else tuple(cameras))
    rest: dict[str, Any] = dict(options)
    url = rest.pop("redis", None) or os.environ.get("MIRANTE_REDIS_URL") or DEFAULT
    consumer = rest.pop("consumer", None)
    if consumer is not None and group is None:
        raise ValueError(f"consumer: expected a group with it, got consumer={consumer!r} alone")
    where = rest.pop("where", None)
    if where is not None and "events" not in wanted:
        raise ValueError(f"where: expected events among the kinds, got kinds={kinds!r}")
    join = {"detections", "masks"} <= wanted
    start, resume = _start(since)
    return Plan(
        cameras=names,
        patterns=patterns,
        kinds=tuple(kind for kind in KINDS if kind in wanted and not (join and kind == "masks")),
        join_masks=join,
        since=start,
        resume=resume,
        url=RedisUrl(url),
        group=group,
        consumer=consumer or f"{socket.gethostname()}-{os.getpid()}-{next(_consumers)}",
        where=None if where is None else Where(where),
        **rest,
    )


def is_pattern(camera: str) -> bool:
    """Return whether a text is a pattern of names, such as ``*`` or ``gate-?``."""
    return any(sign in camera for sign in "*?[")


def _cameras(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names and the patterns of names.

    Raises:
        ValueError: there is none, or one that no camera can have.
    """
    if not texts:
        raise ValueError("cameras: expected a name, several, or '*', got none")
    patterns = [text for text in texts if isinstance(text, str) and is_pattern(text)]
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(
                "cameras: expected a pattern of letters, digits, '_', '.', '-' with '*', '?' or "
                f"'[…]', got {pattern!r}"
            )
    names = map(check_camera, (text for text in texts if text not in patterns))
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(patterns))


def _start(since: Since) -> tuple[EntryId | None, bool]:
    """The ID to begin behind, and whether it is that of an entry."""
    if since is None:
        return None, False
    if since == "0":
        return EntryId(0, 0), False
    if isinstance(since, str):
        return EntryId.parse(since), True
    moment_s = since.timestamp() if isinstance(since, datetime) else time.time() - since
    return EntryId(max(0, int(moment_s * 1000) - 1), _LAST_SEQ), False
