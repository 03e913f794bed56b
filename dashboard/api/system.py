"""``/api/v1/system``: Redis, workers, bridges, consumers, and the dashboard itself."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import psutil
import redis
from fastapi import APIRouter

from dashboard.access.identity import Identity
from dashboard.access.rights import Viewer
from dashboard.access.sight import without_others
from dashboard.api import machine_shapes
from dashboard.api.seen import Seen
from dashboard.services import FromApp, Services
from mirante.client.account import Account, Tally, handed
from mirante.frame import Counts
from mirante.keys import KINDS, Kind, key
from mirante.redis_url import async_exchange, async_of_each
from mirante.refusal import eviction
from mirante.wire.errors import UNREADABLE
from pipeline.control.bridge_reports import bridges
from pipeline.control.fleet_report import reported
from pipeline.control.reports import WorkerReport

STREAMS: tuple[Kind, ...] = tuple(k for k in KINDS if k not in {"preview", "groups"})
_SAMPLES = 5  # entries that Redis measures to estimate a stream's memory
_PART = 500  # commands at once: pages and the sampler have their turns in between

router = APIRouter(prefix="/api/v1", tags=["system"])
_process = psutil.Process()


class _Counted(msgspec.Struct):
    epoch: int
    counts: Counts


_read_counted = msgspec.json.Decoder(_Counted)


class _Group(NamedTuple):
    """A group as XINFO GROUPS tells of it."""

    camera: str
    kind: Kind
    facts: dict[bytes, Any]

    @property
    def name(self) -> str:
        return str(self.facts[b"name"].decode("utf-8", "replace"))


@router.get(
    "/system", summary="Redis, workers, bridges, consumers", response_model=machine_shapes.System
)
async def get_system(services: FromApp, who: Viewer) -> dict[str, Any]:
    """Answers also while Redis is away, and then says so."""
    seen = Seen(services, who)
    try:
        facts, streams, groups = await _ask(seen)
        carried = await to_thread(bridges, services.redis) if who.sees_all else []
        fleet = await to_thread(reported, services.redis) if who.sees_all else None
        trouble = ""
    except (redis.RedisError, OSError) as error:
        facts, streams, groups, carried, fleet = [], [], [], [], None
        trouble = services.url.explain(error)
    reached = {"url": str(services.url), "connected": not trouble, "words": trouble}
    refused = "" if trouble else services.sampler.refused
    return {
        "redis": {**reached, "refused": refused, **_server(facts), "streams": streams},
        "workers": [_worker(who, each) for each in seen.reports().values()],
        "bridges": [msgspec.to_builtins(each) for each in carried],
        "fleet": fleet and msgspec.to_builtins(fleet),
        "groups": groups,
        "dashboard": _dashboard(services),
    }


def _worker(who: Identity, report: WorkerReport) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(report)
    if not who.sees_all:
        said["outbox"] |= dict.fromkeys(machine_shapes.OF_ALL_CAMERAS)
    return without_others(who, said)


async def _ask(
    seen: Seen,
) -> tuple[list[dict[str, str]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return INFO of each server, the streams of all cameras, and their groups."""
    services = seen.services
    places = [(camera["name"], kind) for camera in seen.cameras() for kind in STREAMS]
    facts = [_info(text) for text in await async_of_each(services.aredis, ("INFO",))]
    there = await _in_parts(services, [("EXISTS", key(*place)) for place in places])
    places = [place for place, is_there in zip(places, there, strict=True) if is_there == 1]
    commands: list[tuple[Any, ...]] = []
    for camera, kind in places:
        stream = key(camera, kind)
        commands += [
            ("XLEN", stream),
            ("MEMORY", "USAGE", stream, "SAMPLES", _SAMPLES),
            ("XINFO", "GROUPS", stream),
        ]
    rest = await _in_parts(services, commands)
    streams, groups = [], list[_Group]()
    for (camera, kind), length, size, found in zip(
        places, rest[::3], rest[1::3], rest[2::3], strict=True
    ):
        if not isinstance(length, int) or isinstance(found, redis.RedisError):
            continue  # there is no such stream, or this client may not see it
        measured = size if isinstance(size, int) else None
        streams.append(
            {
                "key": key(camera, kind),
                "camera": camera,
                "stream": kind,
                "length": length,
                "bytes": measured,
            }
        )
        groups += [_Group(camera, kind, dict(zip(g[::2], g[1::2], strict=True))) for g in found]
    return facts, streams, await _groups(services, groups)


async def _in_parts(services: Services, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    replies = list[Any]()
    for first in range(0, len(commands), _PART):
        replies += await async_exchange(services.aredis, commands[first : first + _PART])
    return replies


async def _groups(services: Services, groups: list[_Group]) -> list[dict[str, Any]]:
    commands: list[tuple[Any, ...]] = []
    for group in groups:
        behind = group.facts[b"last-delivered-id"].decode()
        stream = key(group.camera, group.kind)
        commands += [
            ("XRANGE", stream, f"({behind}", "+", "COUNT", 1),
            ("ZRANGE", key(group.camera, "groups"), 0, -1, "WITHSCORES"),
        ]
    replies = await _in_parts(services, commands)
    return [
        {
            "camera": group.camera,
            "stream": group.kind,
            "group": group.name,
            "consumers": group.facts[b"consumers"],
            "pending": group.facts[b"pending"],
            "lag": group.facts.get(b"lag"),
            "lost": _lost(group, following, notes),
        }
        for group, following, notes in zip(groups, replies[::2], replies[1::2], strict=True)
    ]


def _lost(group: _Group, following: Any, notes: Any) -> int | None:
    """Frames between the last that was delivered and the first that still can be."""
    if group.kind != "detections" or not isinstance(notes, list):
        return None
    marks = [
        Tally(int(epoch), int(float(score)))
        for member, score in zip(notes[::2], notes[1::2], strict=True)
        for name, _, epoch in [member.decode("utf-8", "replace").rpartition("/")]
        if name == group.name and epoch.isdigit()
    ]
    if not marks or not isinstance(following, list):
        return None
    if not following:
        return 0 if group.facts.get(b"lag") == 0 else None  # Redis 6.2 does not know it
    fields = dict(zip(following[0][1][::2], following[0][1][1::2], strict=True))
    try:
        said = _read_counted.decode(fields[b"json"])
    except (*UNREADABLE, KeyError):
        return None
    return Account(*sorted(marks)).missing_before(Tally(said.epoch, handed(said.counts)))


def _info(text: Any) -> dict[str, str]:
    if not isinstance(text, bytes):
        return {}
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _version(facts: dict[str, str]) -> str | None:
    """The server's own; what Valkey calls ``redis_version`` is the one that it began as."""
    own = facts.get("valkey_version")
    return f"{own} (Valkey)" if own else facts.get("redis_version")


def _server(servers: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What the servers of a cluster say together, or one by itself."""

    def number(name: str) -> int | None:
        found = [int(facts[name]) for facts in servers if facts.get(name, "").isdigit()]
        return sum(found) if found else None

    versions = sorted({version for facts in servers if (version := _version(facts))})
    policies = {policy for facts in servers if (policy := facts.get("maxmemory_policy"))}
    policy = next((policy for policy in sorted(policies) if eviction(policy)), None)
    policy = policy or next(iter(policies), None)
    return {
        "version": ", ".join(versions) or None,
        "used_memory_bytes": number("used_memory"),
        "maxmemory_bytes": number("maxmemory"),
        "clients": number("connected_clients"),
        "ops_per_s": number("instantaneous_ops_per_sec"),
        "maxmemory_policy": policy,
        "evicts": eviction(policy),
    }


def _dashboard(services: Services) -> dict[str, Any]:
    stats = services.hub.stats
    return {
        "pages": stats.pages,
        "pictures_sent": stats.pictures_sent,
        "pictures_skipped": stats.pictures_skipped,
        "bytes_sent": stats.bytes_sent,
        "cpu_percent": _process.cpu_percent(),
        "rss_bytes": _process.memory_info().rss,
    }
