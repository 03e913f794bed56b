"""The report that a worker writes to Redis about once a second."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, cast

import msgspec
import redis

from mirante.frame import Counts
from mirante.keys import WORKERS, report_key
from mirante.nesting import check_nesting
from mirante.wire.errors import UNREADABLE
from pipeline.config.standard import Standard
from pipeline.control.build_report import BuildReport
from pipeline.control.counted_report import CountedReport
from pipeline.control.held_report import HeldReport
from pipeline.control.onvif_report import OnvifReport
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.room import RoomReport
from pipeline.control.sleep_report import SleepReport

log = logging.getLogger(__name__)

KEPT_MS = 10_000
_KNOWN_S = 86_400  # for which names of workers stay after the last report of all
BOUNDS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def told(description: str) -> msgspec.Meta:
    """Return what the API's schema says of a field."""
    return msgspec.Meta(description=description)


class ProcessReport(msgspec.Struct, frozen=True, kw_only=True):
    """The worker's process.

    Attributes:
        cpu_percent: of one core, since the report before; 200 is two cores.
        rss_bytes: memory that it holds.
        threads: how many it has.
        fds, fds_most: files and sockets that it has open, and may have; None from an earlier
            worker.
    """

    cpu_percent: float
    rss_bytes: int
    threads: int
    fds: int | None = None
    fds_most: int | None = None


class DiskReport(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that the worker needs, and the file system that it is on.

    Attributes:
        of: what lies there: its ``state`` (models, engines, passwords), the ``log``, shared
            memory (``shm``).
        path: of the folder, or of the log's file.
        is_writable: the worker may write there.
        bytes, free_bytes: of the file system, and those that are left to this user.
    """

    of: Literal["state", "log", "shm"]
    path: str
    is_writable: bool
    bytes: int
    free_bytes: int


class MachineReport(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that it runs on.

    Attributes:
        cpu_percent: of all cores together, 0 to 100.
        cores: logical ones.
        memory_bytes, memory_used_bytes: of RAM; what only caches files is not used.
        disks: where the worker writes; none from an earlier worker.
    """

    cpu_percent: float
    cores: int
    memory_bytes: int
    memory_used_bytes: int
    disks: tuple[DiskReport, ...] = ()


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


class LatencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram of seconds from capture to publishing.

    Attributes:
        counts: frames at or below each of ``BOUNDS_S``, and above the last; not cumulative.
        sum_s: sum of all.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0


class ViewReport(msgspec.Struct, frozen=True, kw_only=True):
    """The view stream of a camera.

    Attributes:
        state: one of ``pipeline.cameras.state.State``; "idle" while nobody watches.
        reason: why, in words, without credentials.
        code: why, as a ``FaultCode``; None when nothing is wrong.
        size: width and height of its frames; None while it gives none.
        off_ms: milliseconds between the newest image and the results drawn on it.
    """

    state: Annotated[str, told("a camera's state; idle: nobody watches")]
    reason: Annotated[str, told("why, in words")] = ""
    code: Annotated[str | None, told("why it gives no images, as a code")] = None
    size: Annotated[tuple[int, int] | None, told("width, height of its frames in pixels")] = None
    off_ms: Annotated[float | None, told("between the newest image and its results")] = None


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """The stream of a camera that runs.

    Attributes:
        decoder: GStreamer's element that decodes it; None where nothing is decoded.
        clock_off_s: how many seconds the camera's clock is ahead of the worker's, less the time
            that an image or answer took to come; None where the camera does not tell the time.
        clock_by: how: ``rtcp``, to the millisecond, or the ``date`` of an answer, to the second.
    """

    decoder: str | None = None
    clock_off_s: float | None = None
    clock_by: Literal["rtcp", "date"] | None = None


class CameraReport(msgspec.Struct, frozen=True, kw_only=True):
    """One camera; a paused one has neither account nor detections.

    Attributes:
        state, reason: one of ``pipeline.cameras.state.State``, and in words without credentials.
        counts: its account, without the frames in flight.
        in_flight: frames decoded and in no other counter yet.
        detections, latency: boxes published since it was started, and of the frames with them.
        tried: it has been running or failed at least once since it was added.
        view: the stream that people see; None where it is that which is analysed.
        code: why it is not running, as a ``FaultCode``; None when nothing is wrong.
        stream: what is known of its stream; None while none comes.
        events: number of its events since it was started, by kind.
        counted: objects that it counted.
        sleep, onvif, held: how it sleeps, hears its own events, uses a GPU; None where it does not.
        cpu_s: processor time of its own threads since it was started: receiving, decoding, stages.
        cpu_percent: what they take of a core, over the last ten seconds; None until that is known.
    """

    state: str
    reason: str
    counts: Counts | None
    in_flight: int
    detections: int
    latency: LatencyReport = LatencyReport()
    tried: bool = True
    view: ViewReport | None = None
    code: str | None = None
    stream: StreamReport | None = None
    events: dict[str, int] = {}
    counted: tuple[CountedReport, ...] = ()
    sleep: SleepReport | None = None
    cpu_s: float = 0.0
    cpu_percent: float | None = None
    onvif: OnvifReport | None = None
    held: HeldReport | None = None


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """The model that runs under a name."""

    name: str
    runs: str
    runtime: str
    precision: str
    parity: Annotated[str, told("how its results agree with the model as it came")]
    before: Annotated[tuple[str, ...], told("what ran before, which a rollback brings back")]


class ZooHead(msgspec.Struct, frozen=True, kw_only=True):
    """What is read from a model's outputs; a network with several tasks has several heads."""

    task: Annotated[str, told("what it is for, as its manifest says")]
    labels: tuple[str, ...]
    verb: Annotated[str, told("what it does with the labels, before a list of them")] = "finds"
    finds_boxes: Annotated[bool, told("the labels are classes of boxes")] = True
    finds_masks: Annotated[bool, told("the labels are names of masks")] = True


class ZooModel(ZooHead, frozen=True, kw_only=True):
    """A model that a camera's stage may name; an earlier worker does not say all of it.

    Attributes:
        licence: SPDX identifier of the weights' licence.
        runs_on: the frame, or crops: boxes that a model before it found.
    """

    name: str
    licence: str
    runs_on: Literal["frame", "crops"]
    needs_boxes: Annotated[bool, told("it says something about boxes of another model")] = False
    gives_vectors: Annotated[bool, told("it gives embeddings, which a stage may publish")] = False
    scored: Annotated[
        tuple[str, ...] | None, told("the labels that have a threshold; null: unknown")
    ] = None
    ms: Annotated[float | None, told("of an image on 2 threads; null: not measured")] = None
    heads: Annotated[
        tuple[ZooHead, ...],
        told("of a network with several tasks, each by itself; of others none"),
    ] = ()

    def labels_of(self, meant: Callable[[ZooHead], bool]) -> tuple[str, ...]:
        """Return the labels of those heads, each once."""
        heads = [head for head in self.heads or (self,) if meant(head)]
        return tuple(dict.fromkeys(label for head in heads for label in head.labels))


class ZooReport(ZooModel, frozen=True, kw_only=True):
    """Such a model on this worker.

    Attributes:
        ready: its file is on the worker's machine, or it runs on a server.
    """

    ready: bool


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of a worker's cameras, models and way to Redis; for metrics, too.

    Attributes:
        outbox: the way to Redis.
        standby: why another worker may run the cameras, in words; empty where this one does.
        cameras: by name, paused ones too.
        models, builds: what runs, one entry a name; by model, how far its engine is.
        gpu_memory: bytes that it holds by use, by index of the GPU; ``pinned`` are the host's.
    """

    outbox: OutboxReport
    cameras: dict[str, CameraReport]
    models: tuple[ModelReport, ...]
    builds: dict[str, BuildReport]
    standby: str = ""
    gpu_memory: dict[str, dict[str, int]] = {}

    def accounts(self) -> Iterator[tuple[str, CameraReport, Counts]]:
        """Yield each camera that is not paused, with its account."""
        for name, camera in self.cameras.items():
            if camera.counts is not None:
                yield name, camera, camera.counts

    def not_ready(self) -> list[str]:
        """Return why it is not ready, in words: Redis is away, or a camera was not tried yet.

        A camera that failed does not count, as others work. Who stands by says that alone.
        """
        if self.standby:
            return [self.standby]
        words = [] if self.outbox.connected else [f"redis: {self.outbox.words or 'not connected'}"]
        return words + [
            f"camera {name}: {camera.state}: {camera.reason}"
            for name, camera in self.cameras.items()
            if not camera.tried
        ]


class WorkerReport(WorkerState, frozen=True, kw_only=True):
    """The whole of it.

    Attributes:
        worker: its name.
        at: Unix seconds at which this was said.
        started: Unix seconds at which it was started.
        pid, host: its process.
        version: of Mirante.
        process, machine, gpus: what it costs, and what there is.
        zoo: what cameras may run.
        defaults: what a camera inherits that does not say otherwise; keys of ``CameraOptions``.
        standard: what runs where a camera names no stages, as it was chosen so far; None where the
            configuration's defaults name some.
        room: how many more cameras its machine holds; None until that was measured.
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
    zoo: tuple[ZooReport, ...]
    defaults: dict[str, Any]
    standard: Standard | None = None
    room: Annotated[
        RoomReport | None, told("for more cameras, from the last minute; null: not measured yet")
    ] = None

    def stages_of(self, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what the frames of a camera pass that this worker runs, in its keys or by default.

        Args:
            spec: keys of the camera.
        """
        stages: list[dict[str, Any]] | None = spec.get("stages")
        if stages is not None:
            return stages
        if self.standard is None:
            return self.defaults.get("stages") or []
        preview = {**self.defaults.get("preview", {}), **(spec.get("preview") or {})}
        return self.standard.stages(preview.get("blur") or ())


_read_report = msgspec.json.Decoder(WorkerReport)


def publish(client: redis.Redis, report: WorkerReport) -> None:
    """Puts a report in the place of the one before; it is gone 10 s later.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with client.pipeline(transaction=True) as pipe:
        pipe.set(report_key(report.worker), msgspec.json.encode(report), px=KEPT_MS)
        pipe.sadd(WORKERS, report.worker)
        pipe.expire(WORKERS, _KNOWN_S)
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
        try:
            if report is not None:
                found[name] = read_report(report)
        except ValueError as error:
            log.warning('worker "%s": its report cannot be read: %s', name, error)
    return found


def read_report(report: bytes) -> WorkerReport:
    """Read what a worker published.

    Raises:
        ValueError: a worker of another version says it otherwise, or it is no report.
    """
    try:
        read = _read_report.decode(report)
    except UNREADABLE as error:
        raise ValueError(str(error)) from None
    check_nesting(read.defaults)
    return read
