"""Read from Redis the configured cameras, each one's newest messages, and the live workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import redis
import redis.asyncio

from mirante.frame import Counts
from mirante.keys import CAMERAS, PROBE, WORKERS, Kind, key, lease_key, report_key
from mirante.redis_url import async_exchange
from mirante.refusal import refusal
from mirante.status import Status
from mirante.wire.errors import UNREADABLE
from pipeline.control.entries import Desired, read_entries
from pipeline.control.reports import WorkerReport, read_report

PER_CAMERA: tuple[Kind, ...] = ("detections", "status")


class _Object(msgspec.Struct):
    label: str


class Message(msgspec.Struct):
    """The part of a ``detections`` message that is sampled."""

    epoch: int
    ts: float
    size: tuple[int, int]
    objects: list[_Object]
    timings: dict[str, float]
    counts: Counts


class _Stage(msgspec.Struct):
    """The part of a camera's entry that is read here, so that no other shape passes."""

    model: str | None = None


class _Spec(msgspec.Struct):
    stages: list[_Stage] = []


class Sampled(NamedTuple):
    """The newest message of a camera.

    Attributes:
        entry_id: of the entry.
        sent: Unix seconds at which the publisher handed it to Redis; None where it does not say.
        message: what it says.
    """

    entry_id: bytes
    sent: float | None
    message: Message


class Newest(NamedTuple):
    """A camera's newest messages; None where none is kept.

    Attributes:
        sampled: its newest results.
        status: its newest change of state.
        trouble: why one of them cannot be read, in words.
    """

    sampled: Sampled | None = None
    status: Status | None = None
    trouble: str = ""

    def since(self, added: float, before: Newest | None = None) -> Newest:
        """Without what an earlier camera of that name said.

        Args:
            added: Unix seconds at which this one was added; 0 where that is not known.
            before: what was there when this one was first seen. What differs is its own, also
                where its worker's clock is behind.
        """
        if not added:
            return self
        status, sampled = self.status, self.sampled
        if status and status.ts < added and (before is None or status == before.status):
            status = None
        if sampled and sampled.message.ts < added and (before is None or sampled == before.sampled):
            sampled = None
        return Newest(sampled, status, self.trouble)


@dataclass(frozen=True, slots=True)
class Look:
    """Redis at one moment.

    Attributes:
        wanted: the registry, sorted by name.
        newest: by camera; only those that were asked for.
        reports: by worker, likewise.
        alive: workers that hold their name.
        workers: all that are known of.
        refused: the error by which Redis refuses writes; None where it takes them, or where this
            client may not try.
    """

    wanted: Mapping[str, Desired]
    newest: Mapping[str, Newest]
    reports: Mapping[str, WorkerReport]
    alive: frozenset[str]
    workers: frozenset[str]
    refused: redis.RedisError | None = None


_message = msgspec.json.Decoder(Message)
_status = msgspec.json.Decoder(Status)


async def look(
    client: redis.asyncio.Redis, cameras: Collection[str], workers: Collection[str]
) -> Look:
    """Read in one round trip; the caller names the cameras and workers known so far.

    Raises:
        redis.RedisError: Redis does not answer, or does not show its registry to this client.
    """
    commands: list[tuple[Any, ...]] = [
        ("RPUSHX", PROBE, ""),
        ("HGETALL", CAMERAS),
        ("SMEMBERS", WORKERS),
    ]
    for worker in workers:
        commands += [("EXISTS", lease_key(worker)), ("GET", report_key(worker))]
    for camera in cameras:
        commands += [("XREVRANGE", key(camera, kind), "+", "-", "COUNT", 1) for kind in PER_CAMERA]
    probed, registry, names, *rest = await async_exchange(client, commands)
    for reply in (registry, names, *rest[: 2 * len(workers)]):
        if isinstance(reply, redis.RedisError):
            raise reply
    wanted = _wanted(registry)
    leases = dict(zip(workers, rest[: 2 * len(workers) : 2], strict=True))
    reports = dict(zip(workers, rest[1 : 2 * len(workers) : 2], strict=True))
    said = rest[2 * len(workers) :]
    return Look(
        wanted,
        {name: _newest(*pair) for name, pair in zip(cameras, _pairs(said), strict=True)},
        {name: found for name, raw in reports.items() if (found := _reported(raw)) is not None},
        frozenset(name for name, held in leases.items() if held),
        frozenset(
            {entry.worker for entry in wanted.values() if entry.worker}
            | {n.decode("utf-8", "replace") for n in names}
        ),
        probed if refusal(probed) else None,
    )


def _wanted(flat: list[bytes]) -> dict[str, Desired]:
    """The registry without entries whose stages cannot be read; their worker tells of those."""
    return {name: entry for name, entry in read_entries(flat[1::2]).items() if _is_shaped(entry)}


def _is_shaped(entry: Desired) -> bool:
    try:
        msgspec.convert(entry.spec, _Spec)
    except msgspec.MsgspecError:
        return False
    return True


def _reported(raw: bytes | None) -> WorkerReport | None:
    """None for one that has expired, and for one of a version that says it otherwise."""
    try:
        return None if raw is None else read_report(raw)
    except ValueError:
        return None


def _pairs(replies: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(replies[::2], replies[1::2], strict=True))


def _newest(detections: Any, status: Any) -> Newest:
    for reply in (detections, status):
        if isinstance(reply, redis.RedisError):
            return Newest(trouble=f"its results cannot be read: {reply}")
    try:
        return Newest(_sampled(detections), _said(status))
    except (*UNREADABLE, KeyError, ValueError) as error:
        return Newest(trouble=f"its newest entry is no message of format 1: {error}")


def _sampled(reply: Any) -> Sampled | None:
    if not reply:
        return None
    [(entry_id, flat)] = reply
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    sent = float(fields[b"sent"]) if b"sent" in fields else None
    return Sampled(entry_id, sent, _message.decode(fields[b"json"]))


def _said(reply: Any) -> Status | None:
    if not reply:
        return None
    [(_, flat)] = reply
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return _status.decode(fields[b"json"])
