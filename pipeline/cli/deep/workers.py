"""Workers by what they report to Redis, wherever they run: lease, clock, outbox, limits, disks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import redis

from mirante.keys import lease_key, report_key
from pipeline.cli.deep.finding import Finding, judged
from pipeline.cli.deep.server import SET_CLOCK, is_off, off_words
from pipeline.control.reports import KEPT_MS, DiskReport, WorkerReport, reports

_GIB = 1 << 30
_DISK_LEAST = {"state": 1 * _GIB, "log": 1 * _GIB, "shm": _GIB // 16}
_NEARLY = 0.8  # of the files that a process may open


def worker_findings(
    client: redis.Redis, name: str, report: WorkerReport | None, ours: str
) -> Iterator[Finding]:
    """Look at a worker.

    Args:
        client: of its Redis.
        name: its name.
        report: its newest report; None where it writes none.
        ours: the version of this command.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    yield _lease(client, name, report)
    if report is None:
        mend = "mirante up CONFIG; mirante doctor --deep --worker NAME for another"
        yield Finding("worker", name, "wrong", "it reports nothing: it does not run", mend)
        return
    words = f"process {report.pid} on {report.host}, version {report.version}"
    other = f"{words}; this command is {ours}" if report.version != ours else ""
    yield judged("worker", name, words, other, "pip install --upgrade mirante, there", "note")
    yield _clock(client, report)
    outbox = report.outbox
    words = f"{outbox.sent} frames sent, {outbox.depth} wait"
    away = "" if outbox.connected else f"no results reach Redis: {outbox.words}"
    yield judged("outbox", name, words, away or outbox.words, "redis.url, and the area redis above")
    lost = {camera: frames for camera, frames in outbox.lost.items() if frames}
    shown = ", ".join(f"{camera} {frames}" for camera, frames in lost.items())
    yield judged(
        "outbox",
        f"{name}: lost",
        "none",
        f"frames that Redis never got: {shown}" if lost else "",
        "redis.ring_s, redis.ring_mib hold more while Redis is away",
        "note",
    )
    yield from _limits(report)
    for disk in report.machine.disks:
        yield disk_finding(disk, report.host)


def _lease(client: redis.Redis, name: str, report: WorkerReport | None) -> Finding:
    value, left_s = client.get(lease_key(name)), client.ttl(lease_key(name))
    holder: dict[str, Any] = {}
    if isinstance(value, bytes):
        try:
            holder = msgspec.json.decode(value, type=dict[str, Any])
        except msgspec.MsgspecError:
            return Finding("lease", name, "wrong", "its lease is none", f"DEL {lease_key(name)}")
    if not holder:
        words = "nobody has the name"
        if report is None:
            return Finding("lease", name, "note", words, "mirante up CONFIG takes it")
        return Finding(
            "lease",
            name,
            "wrong",
            f"{words}, and process {report.pid} on {report.host} reports under it",
            "its log says whether it lost it; restart it",
        )
    who = f"process {holder.get('pid')} on {holder.get('host')}"
    if report is None:
        words = f"{who} has the name for {left_s} s more, and reports nothing"
        mend = "ask again in 10 s: a name whose worker died is free then"
        return Finding("lease", name, "wrong", words, mend)
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.started))
    is_same = (holder.get("pid"), holder.get("host")) == (report.pid, report.host)
    other = "" if is_same else f"{who} has the name, and {report.pid} on {report.host} reports"
    return judged("lease", name, f"{who}, since {since}", other, "stop one of the two workers")


def _clock(client: redis.Redis, report: WorkerReport) -> Finding:
    """Compare a worker's clock with Redis' by a report's time to live, which Redis counts."""
    area, name = "clock", f"worker {report.worker}"
    key = report_key(report.worker)
    try:
        asked_s, left_ms = _time(client), client.pttl(key)
        newest = reports(client).get(report.worker, report)
        if newest.at != report.at or left_ms < 0:  # it has reported again meanwhile
            asked_s, left_ms = _time(client), client.pttl(key)
        answered_s = _time(client)
    except redis.exceptions.NoPermissionError:
        return Finding(area, name, "unknown", "this user may not ask TIME and PTTL", "+time +pttl")
    written_s = (asked_s + answered_s) / 2 - (KEPT_MS - left_ms) / 1e3
    off_s = newest.at - written_s
    words = f"the clock of {report.host} is {off_words(off_s)} Redis'"
    return judged(area, name, words, is_off(off_s, answered_s - asked_s), SET_CLOCK)


def _time(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6


def _limits(report: WorkerReport) -> Iterator[Finding]:
    process, name = report.process, report.worker
    used, most = process.fds, process.fds_most
    if used is None or most is None:
        yield Finding("limits", name, "unknown", "an earlier version does not tell its open files")
        return
    mend = "LimitNOFILE= of its unit, or ulimit -n"
    yield judged("limits", name, f"{used} of {most} open files", used > _NEARLY * most, mend)
    machine = report.machine
    share = machine.memory_used_bytes / max(1, machine.memory_bytes)
    words = (
        f"{process.rss_bytes >> 20} MiB, {process.threads} threads, "
        f"{process.cpu_percent:.0f} % of a core; memory of {report.host} {share:.0%} used"
    )
    yield judged("limits", f"{name}: memory", words, share > 0.95, "fewer cameras, or more memory")


def disk_finding(disk: DiskReport, host: str) -> Finding:
    """Return what is to be said of a folder that a process writes to."""
    least = _DISK_LEAST[disk.of]
    words = (
        f"{disk.path} on {host}: {disk.free_bytes / _GIB:.1f} GiB of {disk.bytes / _GIB:.1f} free"
    )
    if not disk.is_writable:
        words, mend = (
            f"{disk.path} on {host}: not to be written to",
            f"chown or mount of {disk.path}",
        )
        return Finding("disk", disk.of, "wrong", words, mend)
    is_short = disk.free_bytes < min(least, disk.bytes // 20)
    mend = {
        "state": f"du -sh {disk.path}/*; mirante engines prune; MIRANTE_HOME elsewhere",
        "log": "journalctl --vacuum-size=500M, or logrotate",
        "shm": "shm_size of the container, or mount -o remount,size=1G /dev/shm",
    }[disk.of]
    return judged("disk", disk.of, words, is_short, mend)
