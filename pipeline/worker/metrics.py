"""/metrics for Prometheus, /livez and /readyz: a worker's account over HTTP."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from mirante.frame import Counts
from pipeline.cameras.state import State

if TYPE_CHECKING:
    from engines.serving import InUse

STATES = tuple(state.value for state in State)
BOUNDS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class LatencySnapshot:
    """A histogram of seconds: how many fell at or below each of ``BOUNDS_S``, and above the last.

    Attributes:
        counts: one per bound and one more, not cumulative.
        sum_s: sum of all.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0


class Latency:
    """Collects seconds from capture to publishing. Safe between threads."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        self._lock = threading.Lock()

    def observe(self, seconds: float) -> None:
        """Adds one frame."""
        with self._lock:
            self._counts[bisect_left(BOUNDS_S, seconds)] += 1
            self._sum_s += seconds

    def snapshot(self) -> LatencySnapshot:
        """Return what was collected so far."""
        with self._lock:
            return LatencySnapshot(tuple(self._counts), self._sum_s)


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """One camera now.

    Attributes:
        state: one of ``STATES``.
        reason: the state in words, without credentials.
        counts, in_flight: as ``Ledger.counts`` gives them.
        detections: boxes published since the worker started.
        latency: seconds from capture to publishing.
        tried: it has been running or failed at least once since it was added.
    """

    state: str
    reason: str
    counts: Counts
    in_flight: int
    detections: int = 0
    latency: LatencySnapshot = LatencySnapshot()
    tried: bool = True


@dataclass(frozen=True, slots=True)
class OutboxSnapshot:
    """The way to Redis now.

    Attributes:
        connected: Redis takes entries.
        words: why not, without credentials.
        depth: entries held that Redis has not confirmed.
        sent: frames that Redis took.
        lost: frames that Redis never got, per camera; ``refused`` is part of it.
        refused: frames refused because another publisher writes the camera's streams.
    """

    connected: bool
    words: str = ""
    depth: int = 0
    sent: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ModelsSnapshot:
    """Models now.

    Attributes:
        in_use: what runs, one entry a name.
        builds: by name, how far its engine is, in words.
    """

    in_use: tuple[InUse, ...] = ()
    builds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """A worker now.

    Attributes:
        cameras: those that it runs, by name.
        outbox: its way to Redis.
        models: its models.
        paused: names of cameras that it would run.
    """

    cameras: Mapping[str, CameraSnapshot]
    outbox: OutboxSnapshot
    models: ModelsSnapshot = ModelsSnapshot()
    paused: tuple[str, ...] = ()

    def not_ready(self) -> list[str]:
        """Why it is not ready, in words: Redis is away, or a camera was not tried yet.

        A camera that failed does not count: its trouble is its own, and the others work.
        """
        words = [] if self.outbox.connected else [f"redis: {self.outbox.words or 'not connected'}"]
        return words + [
            f"camera {name}: {camera.state}: {camera.reason}"
            for name, camera in self.cameras.items()
            if not camera.tried
        ]


class WorkerCollector(Collector):
    """Metrics made from one snapshot at each scrape."""

    def __init__(self, snapshot: Callable[[], WorkerSnapshot]) -> None:
        self._snapshot = snapshot

    def collect(
        self,
    ) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """The metric families."""
        snapshot = self._snapshot()
        yield from _frames(snapshot.cameras)
        yield from _cameras(snapshot.cameras)
        yield from _outbox(snapshot.outbox)
        yield from _models(snapshot.models)
        paused = GaugeMetricFamily(
            "mirante_camera_paused",
            "1 for a camera that is paused; it has no state and no frames meanwhile.",
            labels=["camera"],
        )
        for name in snapshot.paused:
            paused.add_metric([name], 1)
        yield paused


def _frames(cameras: Mapping[str, CameraSnapshot]) -> Iterator[CounterMetricFamily]:
    """The account. A frame that was published and then outlived the ring stays published here, as
    a counter must never fall; ``mirante_outbox_lost_frames`` counts it.
    """
    decoded = CounterMetricFamily(
        "mirante_frames_decoded",
        "Frames decoded = published + dropped + failed + in flight.",
        labels=["camera"],
    )
    published = CounterMetricFamily(
        "mirante_frames_published", "Frames whose results were handed on.", labels=["camera"]
    )
    failed = CounterMetricFamily(
        "mirante_frames_failed", "Frames on which a stage failed.", labels=["camera"]
    )
    dropped = CounterMetricFamily(
        "mirante_frames_dropped", "Frames dropped, by reason.", labels=["camera", "reason"]
    )
    for name, camera in cameras.items():
        reasons = dict(camera.counts.dropped)
        decoded.add_metric([name], camera.counts.decoded + camera.in_flight)
        published.add_metric([name], camera.counts.published + reasons.pop("outbox", 0))
        failed.add_metric([name], camera.counts.failed)
        for reason, frames in reasons.items():
            dropped.add_metric([name, reason], frames)
    yield from (decoded, published, failed, dropped)


def _cameras(
    cameras: Mapping[str, CameraSnapshot],
) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
    in_flight = GaugeMetricFamily(
        "mirante_frames_in_flight", "Frames decoded and in no other counter yet.", labels=["camera"]
    )
    state = GaugeMetricFamily(
        "mirante_camera_state", "1 for the state that the camera is in.", labels=["camera", "state"]
    )
    detections = CounterMetricFamily("mirante_detections", "Boxes published.", labels=["camera"])
    latency = HistogramMetricFamily(
        "mirante_capture_to_publish_seconds",
        "From capture (or arrival, where the camera tells no time) to publishing.",
        labels=["camera"],
    )
    for name, camera in cameras.items():
        in_flight.add_metric([name], camera.in_flight)
        detections.add_metric([name], camera.detections)
        latency.add_metric([name], _buckets(camera.latency), camera.latency.sum_s)
        for each in STATES:
            state.add_metric([name, each], float(each == camera.state))
    yield from (in_flight, state, detections, latency)


def _buckets(latency: LatencySnapshot) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    return [(bound, sum(latency.counts[: i + 1])) for i, bound in enumerate(bounds)]


def _outbox(outbox: OutboxSnapshot) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    yield GaugeMetricFamily(
        "mirante_redis_connected", "1 while Redis takes entries.", outbox.connected
    )
    yield GaugeMetricFamily(
        "mirante_outbox_depth", "Entries that Redis has not confirmed.", outbox.depth
    )
    yield CounterMetricFamily("mirante_outbox_sent", "Frames that Redis took.", outbox.sent)
    yield CounterMetricFamily(
        "mirante_outbox_refused",
        "Frames refused: another publisher writes the stream.",
        outbox.refused,
    )
    lost = CounterMetricFamily(
        "mirante_outbox_lost_frames", "Published frames that Redis never got.", labels=["camera"]
    )
    for name, frames in outbox.lost.items():
        lost.add_metric([name], frames)
    yield lost


def _models(models: ModelsSnapshot) -> Iterator[GaugeMetricFamily]:
    running = GaugeMetricFamily(
        "mirante_model_info",
        "1 for what runs under a model's name.",
        labels=["model", "runs", "runtime", "precision", "parity"],
    )
    for each in models.in_use:
        running.add_metric([each.name, each.runs, each.runtime, each.precision, each.parity], 1)
    builds = GaugeMetricFamily(
        "mirante_engine_build", "1 for the state of a model's engine.", labels=["model", "state"]
    )
    for name, words in models.builds.items():
        builds.add_metric([name, words.split(maxsplit=1)[0].rstrip(":")], 1)
    yield from (running, builds)
