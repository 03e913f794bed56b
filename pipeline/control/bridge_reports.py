"""The report that a bridge writes to Redis about once a second."""

from __future__ import annotations

import logging
from typing import Annotated, Literal, cast

import msgspec
import redis

from mirante.keys import BRIDGES, bridge_key
from mirante.wire.errors import UNREADABLE
from pipeline.control.reports import told

log = logging.getLogger(__name__)

_KEPT_S = 86_400  # so that one which died is missed
BridgeState = Literal["connecting", "running", "away", "stopped", "failed", "gone"]


class BridgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge, and how far it is."""

    name: str
    kind: str
    target: Annotated[str, told("where it carries things to, without secrets")]
    state: Annotated[
        BridgeState,
        told("away: its other side takes nothing; gone: it ended without a word, or hangs"),
    ]
    words: Annotated[str, told("why, in words; empty while it runs")] = ""
    at: Annotated[float, told("Unix seconds at which this was said")]
    started: float
    pid: int
    host: str
    version: str
    group: Annotated[str, told("of consumers, in which it reads")]
    cameras: Annotated[int, told("whose streams it reads")] = 0
    lag: Annotated[
        int | None, told("entries that it has yet to deliver; null: Redis does not say")
    ] = None
    lag_s: Annotated[float, told("age of the oldest of them; 0 where there is none")] = 0.0
    delivered: Annotated[int, told("items that its other side acknowledged")] = 0
    failed: Annotated[int, told("attempts that failed; what failed is tried again")] = 0
    dead: Annotated[int, told("items that its other side will never take")] = 0
    lost: Annotated[int, told("frames that were trimmed before it read them")] = 0
    last_error: str = ""
    last_error_at: float | None = None


_read = msgspec.json.Decoder(BridgeReport)


def publish(client: redis.Redis, report: BridgeReport) -> None:
    """Put a report in the place of the one before.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with client.pipeline(transaction=True) as pipe:
        pipe.set(bridge_key(report.name, "report"), msgspec.json.encode(report), ex=_KEPT_S)
        pipe.sadd(BRIDGES, report.name)
        pipe.expire(BRIDGES, _KEPT_S)
        pipe.execute()


def reported(client: redis.Redis, name: str) -> BridgeReport | None:
    """Return what a bridge of a name reported last; None where there is nothing that can be read.

    Args:
        client: a Redis client that answers bytes.
        name: of the bridge.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    raw = cast(bytes | None, client.get(bridge_key(name, "report")))
    try:
        return None if raw is None else _read.decode(raw)
    except UNREADABLE:
        return None


def bridges(client: redis.Redis) -> list[BridgeReport]:
    """Return the bridges that run, or ran within a day, by name. One that holds its lease no more
    and did not say that it stopped is gone; one of another version may be left out, and logged.

    Args:
        client: a Redis client that answers bytes.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    names = sorted(name.decode() for name in cast(set[bytes], client.smembers(BRIDGES)))
    if not names:
        return []
    asked = [bridge_key(name, what) for name in names for what in ("report", "lease")]
    raw = cast(list[bytes | None], client.mget(asked))
    found = []
    for name, report, lease in zip(names, raw[::2], raw[1::2], strict=True):
        if report is None:
            continue
        try:
            read = _read.decode(report)
        except UNREADABLE as error:
            log.warning('bridge "%s": its report cannot be read: %s', name, error)
            continue
        is_over = read.state in {"stopped", "failed"}
        found.append(read if lease or is_over else msgspec.structs.replace(read, state="gone"))
    return found
