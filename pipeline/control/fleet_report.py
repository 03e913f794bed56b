"""The report on a fleet that its keeper writes to Redis about once a second."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import msgspec
import redis

from mirante.keys import FLEET_REPORT
from mirante.wire.errors import UNREADABLE
from pipeline.control.reports import told

_KEPT_MS = 86_400_000  # so that a keeper that died is missed
AWAY_S = 10.0  # after which a keeper that said nothing is held to be gone
DRAINED = "drained"  # what limits a machine whose workers are all to have no cameras
MemberState = Literal["running", "draining", "gone"]


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """A machine of the fleet, or a container, as its workers tell of it."""

    name: str
    workers: int
    cameras: int
    cores: int
    cpu_percent: Annotated[float, told("of all its cores together, 0 to 100")]
    memory_bytes: int
    memory_used_bytes: int
    gpus: int = 0
    gpu_percent: Annotated[float | None, told("of its busiest GPU; null: none, or unknown")] = None
    more: Annotated[
        int | None, told("cameras like those of the fleet that fit besides; null: not known yet")
    ] = None
    limited_by: Annotated[str, told("what runs out first there")] = ""


class MemberReport(msgspec.Struct, frozen=True, kw_only=True):
    """A worker of the fleet."""

    name: str
    node: Annotated[str, told("empty where it never reported")] = ""
    state: Annotated[
        MemberState, told("draining: its cameras are taken over; gone: it no longer reports")
    ]
    cameras: Annotated[int, told("that it has been given")] = 0
    running: Annotated[int, told("of them, that run")] = 0
    load_percent: Annotated[
        float | None, told("of one core, that its cameras take; null: not measured yet")
    ] = None


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that was given to a worker."""

    at: float
    camera: str
    source: Annotated[str | None, told("the worker that had it; null: none")] = None
    target: Annotated[str | None, told("the worker that has it now; null: none")] = None
    why: str


class WaitingReport(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that no worker has."""

    camera: str
    why: str


class FleetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet: where its cameras are, what moved, and how many more fit."""

    at: Annotated[float, told("Unix seconds at which the keeper said this")]
    state: Annotated[
        Literal["running", "gone"], told("of the keeper; gone: nobody moves cameras now")
    ] = "running"
    keeper: Annotated[str, told("its process, in words")] = ""
    nodes: tuple[NodeReport, ...] = ()
    workers: tuple[MemberReport, ...] = ()
    cameras: Annotated[int, told("of the fleet, paused ones too")] = 0
    placed: Annotated[int, told("of them, those that a worker has")] = 0
    waiting: Annotated[tuple[WaitingReport, ...], told("the first 50 of those that none has")] = ()
    moves: Annotated[tuple[MoveReport, ...], told("the last 50, newest first")] = ()
    moved: Annotated[int, told("moves since the keeper was started")] = 0
    more: Annotated[
        int | None, told("cameras like its own, on average, that fit; null: not measured yet")
    ] = None
    limited_by: Annotated[str, told("what runs out first")] = ""
    redis_more: Annotated[int | None, told("cameras that Redis takes yet; null: not measured")] = (
        None
    )
    each_percent: Annotated[
        float | None, told("of one core, that a camera of the fleet takes on average")
    ] = None
    each_bytes: Annotated[int | None, told("memory of one, with its share of the models")] = None


_read = msgspec.json.Decoder(FleetReport)


def publish(client: redis.Redis, report: FleetReport) -> None:
    """Put a report in the place of the one before.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client.set(FLEET_REPORT, msgspec.json.encode(report), px=_KEPT_MS)


def reported(client: redis.Redis) -> FleetReport | None:
    """Return what the keeper of a fleet said last, within a day; None where there is no fleet, and
    of one of another version that cannot be read. How old it is Redis knows, not our clock.

    Args:
        client: a Redis client that answers bytes.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with client.pipeline(transaction=False) as pipe:  # one that is full refuses to queue even reads
        pipe.get(FLEET_REPORT)
        pipe.pttl(FLEET_REPORT)
        raw, left_ms = cast(tuple[bytes | None, int], pipe.execute())
    try:
        found = None if raw is None else _read.decode(raw)
    except UNREADABLE:
        return None
    if found is None or _KEPT_MS - left_ms < AWAY_S * 1000:
        return found
    return msgspec.structs.replace(found, state="gone")
