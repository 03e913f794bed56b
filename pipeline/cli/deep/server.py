"""The Redis server: version, role, memory, disk, clients, and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import redis

from mirante.keys import PROBE
from mirante.redis_greeting import is_old, needed
from mirante.redis_url import RedisUrl
from mirante.refusal import WORDS, eviction, refusal
from mirante.servers.cluster import Cluster
from pipeline.cli.deep.finding import Finding, judged

_AREA = "redis"
_FULL = 0.9  # of memory or clients, from which on it is said
CLOCK_MOST_S = 1.0
SLOW_MS = 20.0
_MIB = 1 << 20
ASK = "give the user of this command the rights of an administrator of Redis: +info +config|get"
SET_CLOCK = "timedatectl set-ntp true, on both machines"


def server_findings(client: redis.Redis, url: RedisUrl) -> Iterator[Finding]:
    """Look at the server that a client talks to; of a cluster at each primary.

    Raises:
        redis.RedisError: it does not answer. What its access list forbids is a finding.
    """
    if not isinstance(client, Cluster):
        yield from _findings(client, str(url))
        return
    for place, node in client.primaries().items():
        try:
            for found in _findings(node, place):
                yield msgspec.structs.replace(found, subject=f"{found.subject} of {place}")
        except (redis.RedisError, OSError) as error:
            mend = "start it, or CLUSTER FAILOVER on a replica of it"
            yield Finding(_AREA, f"answer of {place}", "wrong", url.explain(error), mend)


def refusing(client: redis.Redis) -> Finding | None:
    """Return that a server takes no writes; None where it does, or where this user may not try."""
    try:
        client.rpushx(PROBE, "")  # of a list that is never made
    except redis.RedisError as error:
        if (code := refusal(error)) is None:
            return None
        words, _, mend = WORDS[code].partition(": ")
        return Finding(_AREA, "writes", "wrong", words, mend)
    return None


def _findings(client: redis.Redis, place: str) -> Iterator[Finding]:
    client.ping()  # which connects
    began_s = time.monotonic()
    client.ping()
    ms = (time.monotonic() - began_s) * 1e3
    words = f"{place}: {ms:.1f} ms"
    yield judged(_AREA, "answer", words, ms > SLOW_MS, "redis-cli --latency", "note")
    yield from _clock(client)
    try:
        facts = client.info()
    except redis.exceptions.NoPermissionError:
        yield Finding(_AREA, "version, memory, disk", "unknown", "this user may not ask INFO", ASK)
        return
    yield from _what(facts)
    yield from _memory(facts)
    yield from _disk(client, facts)


def _what(facts: dict[str, Any]) -> Iterator[Finding]:
    version = str(facts.get("redis_version", ""))
    name = "Valkey" if facts.get("server_name") == "valkey" else "Redis"
    shown = str(facts.get("valkey_version", version))
    words = f"{name} {shown}, {facts.get('redis_mode', 'standalone')}"
    old = f"{words}: {needed()}" if is_old(version) else ""
    yield judged(_AREA, "version", words, old, "install a newer one")
    is_replica = facts.get("role") == "slave"
    of = f"{facts.get('master_host')}:{facts.get('master_port')}"
    yield judged(
        _AREA,
        "role",
        f"primary with {facts.get('connected_slaves', 0)} replicas",
        f"a replica of {of}: it takes no writes" if is_replica else "",
        f"redis.url: the address of the primary, {of}, or redis+sentinel://",
    )
    used, most = int(facts.get("connected_clients", 0)), int(facts.get("maxclients", 0))
    words = f"{used} of {most or 'any number of'} clients"
    yield judged(
        _AREA, "clients", words, bool(most) and used > _FULL * most, "maxclients of redis.conf"
    )


def _memory(facts: dict[str, Any]) -> Iterator[Finding]:
    policy = facts.get("maxmemory_policy")
    yield judged(
        _AREA,
        "policy",
        f"maxmemory-policy {policy}",
        eviction(policy),
        "redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf",
    )
    used, most = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    limit = f" of {most // _MIB}" if most else ", no limit"
    yield judged(
        _AREA,
        "memory",
        f"{used // _MIB} MiB{limit}",
        bool(most) and used > _FULL * most,
        "redis.retention keeps less; redis-cli CONFIG SET maxmemory BYTES allows more",
    )


def _disk(client: redis.Redis, facts: dict[str, Any]) -> Iterator[Finding]:
    failed = [
        what
        for what, key in (
            ("RDB", "rdb_last_bgsave_status"),
            ("AOF", "aof_last_write_status"),
            ("AOF rewrite", "aof_last_bgrewrite_status"),
        )
        if facts.get(key, "ok") != "ok"
    ]
    if facts.get("loading"):
        yield Finding(_AREA, "disk", "wrong", "it is loading its data", "wait, then ask again")
        return
    if failed:
        words = f"the last save failed ({', '.join(failed)}): it refuses writes, or will lose data"
        yield Finding(_AREA, "disk", "wrong", words, "its log says why; df -h of its folder (dir)")
        return
    try:
        said = cast(dict[str, str], client.config_get("save", "min-replicas-to-write"))
    except redis.RedisError:  # forbidden, or renamed
        yield Finding(_AREA, "disk", "unknown", "this user may not ask CONFIG GET", ASK)
        return
    keeps = bool(facts.get("aof_enabled")) or bool(said.get("save"))
    yield judged(
        _AREA,
        "disk",
        "what it holds is kept on disk",
        "" if keeps else "it keeps nothing: cameras added at run time and swaps go with it",
        "redis-cli CONFIG SET appendonly yes, and in redis.conf; the private Redis keeps nothing",
        "note",
    )
    asked, there = int(said.get("min-replicas-to-write", 0)), int(facts.get("connected_slaves", 0))
    if asked:
        good = int(facts.get("min_slaves_good_slaves", there))
        words = f"{good} of {asked} replicas that writing needs"
        mend = "start the replicas, or redis-cli CONFIG SET min-replicas-to-write 0"
        yield judged(_AREA, "replicas", words, good < asked, mend)


def _clock(client: redis.Redis) -> Iterator[Finding]:
    began_s = time.time()
    try:
        seconds, micros = client.time()
    except redis.exceptions.NoPermissionError:
        yield Finding("clock", "redis", "unknown", "this user may not ask TIME", ASK)
        return
    ended_s = time.time()
    off_s = seconds + micros / 1e6 - (began_s + ended_s) / 2
    words = f"Redis' clock is {off_words(off_s)} this machine's"
    yield judged("clock", "redis", words, is_off(off_s, ended_s - began_s), SET_CLOCK)


def is_off(off_s: float, took_s: float) -> bool:
    """Return whether a clock is wrong for certain.

    Args:
        off_s: how far it is ahead, if it was read in the middle of the time that asking took.
        took_s: that time. It may have been read at any moment of it.
    """
    return abs(off_s) - took_s / 2 > CLOCK_MOST_S


def off_words(off_s: float) -> str:
    """Return how far a clock is ahead, in words before the other clock."""
    by = f"{abs(off_s):.1f} s" if abs(off_s) >= 1 else f"{abs(off_s) * 1e3:.0f} ms"
    return f"{by} {'ahead of' if off_s >= 0 else 'behind'}"
