"""The report that a worker writes to Redis about once a second."""

from __future__ import annotations

import logging
from typing import Any, Literal, cast

import msgspec
import redis

from mirante.frame import Counts
from mirante.keys import WORKERS, report_key

log = logging.getLogger(__name__)

KEPT_MS = 10_000


class ProcessReport(msgspec.Struct, frozen=True, kw_only=True):
    """The worker's process.

    Attributes:
        cpu_percent: of one core, since the report before; 200 is two cores.
        rss_bytes: memory that it holds.
        threads: how many it has.
    """

    cpu_percent: float
    rss_bytes: int
    threads: int


class MachineReport(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that it runs on.

    Attributes:
        cpu_percent: of all cores together, 0 to 100.
        cores: logical ones.
        memory_bytes, memory_used_bytes: of RAM; what only caches files is not used.
    """

    cpu_percent: float
    cores: int
    memory_bytes: int
    memory_used_bytes: int


class GpuReport(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU by NVIDIA.

    Attributes:
        name: the product's.
        utilisation_percent: of the last moment; None where the driver tells none (MIG).
        memory_bytes, memory_used_bytes: of all processes together.
    """

    name: str
    utilisation_percent: float | None
    memory_bytes: int
    memory_used_bytes: int


class OutboxReport(msgspec.Struct, frozen=True, kw_only=True):
    """The way to Redis; as ``pipeline.worker.metrics.OutboxSnapshot``."""

    connected: bool
    words: str
    depth: int
    sent: int
    lost: dict[str, int]
    refused: int


class CameraReport(msgspec.Struct, frozen=True, kw_only=True):
    """One camera; a paused one has neither account nor detections.

    Attributes:
        state: one of ``pipeline.cameras.state.State``.
        reason: the state in words, without credentials.
        counts: its account, without the frames in flight.
        in_flight: frames decoded and in no other counter yet.
        detections: boxes published since it was started.
    """

    state: str
    reason: str
    counts: Counts | None
    in_flight: int
    detections: int


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """The model that runs under a name; as ``engines.serving.InUse``."""

    name: str
    runs: str
    runtime: str
    precision: str
    parity: str
    before: tuple[str, ...]


class ZooReport(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a camera's stage may name on this worker.

    Attributes:
        name: what the stage says.
        task: as in its manifest.
        labels: what it may find.
        verb: what it does with them, before a list of them.
        finds_boxes, finds_masks: they are classes of boxes, names of masks. An earlier worker does
            not say so; then they may be either.
        needs_boxes: it says something about boxes that a model before it found.
        licence: SPDX identifier of the weights' licence.
        runs_on: the frame, or crops: boxes that a model before it found.
        ready: its file is on the worker's machine, or it runs on a server.
    """

    name: str
    task: str
    labels: tuple[str, ...]
    licence: str
    runs_on: Literal["frame", "crops"]
    ready: bool
    verb: str = "finds"
    finds_boxes: bool = True
    finds_masks: bool = True
    needs_boxes: bool = False


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it.

    Attributes:
        worker: its name.
        at: Unix seconds at which this was said.
        started: Unix seconds at which it was started.
        pid, host: its process.
        version: of Mirante.
        process, machine, gpus: what it costs, and what there is.
        outbox: the way to Redis.
        cameras: by name, paused ones too.
        models: what runs, one entry a name.
        builds: by model, how far its engine is, in words.
        zoo: what cameras may run.
        defaults: what a camera inherits that does not say otherwise; keys of ``CameraOptions``.
    """

    worker: str
    at: float
    started: float
    pid: int
    host: str
    version: str
    process: ProcessReport
    machine: MachineReport
    gpus: tuple[GpuReport, ...]
    outbox: OutboxReport
    cameras: dict[str, CameraReport]
    models: tuple[ModelReport, ...]
    builds: dict[str, str]
    zoo: tuple[ZooReport, ...]
    defaults: dict[str, Any]


def publish(client: redis.Redis, report: WorkerReport) -> None:
    """Puts a report in the place of the one before; it is gone 10 s later.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with client.pipeline(transaction=True) as pipe:
        pipe.set(report_key(report.worker), msgspec.json.encode(report), px=KEPT_MS)
        pipe.sadd(WORKERS, report.worker)
        pipe.execute()


def reports(client: redis.Redis) -> dict[str, WorkerReport]:
    """The workers that live, by name. One of another version may say what cannot be read: it is
    left out, and logged.

    Args:
        client: a Redis client that answers bytes.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    names = sorted(name.decode() for name in cast(set[bytes], client.smembers(WORKERS)))
    if not names:
        return {}
    raw = cast(list[bytes | None], client.mget([report_key(name) for name in names]))
    if gone := [name for name, report in zip(names, raw, strict=True) if report is None]:
        client.srem(WORKERS, *gone)
    found = {}
    for name, report in zip(names, raw, strict=True):
        if report is not None and (read := _read(name, report)) is not None:
            found[name] = read
    return found


def _read(worker: str, report: bytes) -> WorkerReport | None:
    try:
        return msgspec.json.decode(report, type=WorkerReport)
    except msgspec.MsgspecError as error:
        log.warning('worker "%s": its report cannot be read: %s', worker, error)
        return None
