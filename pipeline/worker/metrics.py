"""/metrics for Prometheus, /livez and /readyz: a worker's account over HTTP."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from pipeline.cameras.state import State
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.reports import BOUNDS_S, LatencyReport, WorkerState
from pipeline.worker.tenancy import STANDBY_STATE
from plugins.outbox.lane import LOST, REFUSED

STATES = (*(state.value for state in State), STANDBY_STATE)


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

    def report(self) -> LatencyReport:
        """Return what was collected so far."""
        with self._lock:
            return LatencyReport(counts=tuple(self._counts), sum_s=self._sum_s)


class WorkerCollector(Collector):
    """Metrics made from how the worker is at each scrape."""

    def __init__(self, state: Callable[[], WorkerState]) -> None:
        self._state = state

    def collect(
        self,
    ) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """The metric families."""
        now = self._state()
        yield from _frames(now)
        yield from _cameras(now)
        yield from _sleep(now)
        yield from _held(now)
        yield from _onvif(now)
        yield from _events(now)
        yield from _outbox(now.outbox)
        yield from _models(now)
        yield from _gpu_memory(now)
        yield GaugeMetricFamily(
            "mirante_standby",
            "1 while another worker runs under this one's name.",
            bool(now.standby),
        )
        paused = GaugeMetricFamily(
            "mirante_camera_paused",
            "1 for a camera that is paused; it has no state and no frames meanwhile.",
            labels=["camera"],
        )
        for name, camera in now.cameras.items():
            if camera.counts is None:
                paused.add_metric([name], 1)
        yield paused


def _frames(now: WorkerState) -> Iterator[CounterMetricFamily]:
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
    damaged = CounterMetricFamily(
        "mirante_frames_damaged",
        "Decoded frames that the decoder made up in part; each is counted above too.",
        labels=["camera"],
    )
    skipped = CounterMetricFamily(
        "mirante_frames_skipped",
        "Frames that no model looked at before they were published, by reason; counted above too.",
        labels=["camera", "reason"],
    )
    for name, camera, counts in now.accounts():
        for reason, frames in counts.skipped.items():
            skipped.add_metric([name, reason], frames)
        damaged.add_metric([name], counts.damaged)
        reasons = dict(counts.dropped)
        decoded.add_metric([name], counts.decoded + camera.in_flight)
        handed = counts.published + reasons.pop(LOST, 0) + reasons.pop(REFUSED, 0)
        published.add_metric([name], handed)
        failed.add_metric([name], counts.failed)
        for reason, frames in reasons.items():
            dropped.add_metric([name, reason], frames)
    yield from (decoded, published, failed, dropped, damaged, skipped)


def _cameras(
    now: WorkerState,
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
    for name, camera, _ in now.accounts():
        in_flight.add_metric([name], camera.in_flight)
        detections.add_metric([name], camera.detections)
        latency.add_metric([name], _buckets(camera.latency), camera.latency.sum_s)
        for each in STATES:
            state.add_metric([name, each], float(each == camera.state))
    yield from (in_flight, state, detections, latency)


def _sleep(now: WorkerState) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    cpu = CounterMetricFamily(
        "mirante_camera_cpu_seconds",
        "Processor time of a camera's own threads: receiving, decoding, stages.",
        labels=["camera"],
    )
    asleep = GaugeMetricFamily(
        "mirante_camera_asleep",
        "1 while key frames alone are decoded; of cameras that may sleep.",
        labels=["camera"],
    )
    slept = CounterMetricFamily(
        "mirante_camera_asleep_seconds", "Seconds for which it was asleep.", labels=["camera"]
    )
    wakes = CounterMetricFamily(
        "mirante_camera_wakes", "How often it woke, by reason.", labels=["camera", "reason"]
    )
    unseen = CounterMetricFamily(
        "mirante_camera_unseen_images",
        "Images that were kept asleep, and lost when the session ended.",
        labels=["camera"],
    )
    for name, camera, _ in now.accounts():
        cpu.add_metric([name], camera.cpu_s)
        if (sleep := camera.sleep) is None:
            continue
        asleep.add_metric([name], sleep.asleep)
        slept.add_metric([name], sleep.asleep_s)
        unseen.add_metric([name], sleep.unseen)
        for reason, number in sleep.wakes.items():
            wakes.add_metric([name, reason], number)
    yield from (cpu, asleep, slept, wakes, unseen)


def _held(now: WorkerState) -> Iterator[GaugeMetricFamily]:
    surfaces = GaugeMetricFamily(
        "mirante_camera_gpu_surfaces",
        "Decoded frames in a GPU's memory that are in use; of cameras with decode: nvidia.",
        labels=["camera"],
    )
    taken = GaugeMetricFamily(
        "mirante_camera_gpu_bytes", "Bytes of a GPU's memory that they take.", labels=["camera"]
    )
    for name, camera, _ in now.accounts():
        if (held := camera.held) is not None:
            surfaces.add_metric([name], held.surfaces)
            taken.add_metric([name], held.bytes)
    yield from (surfaces, taken)


def _onvif(now: WorkerState) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    subscribed = GaugeMetricFamily(
        "mirante_onvif_subscribed",
        "1 while the camera's own events are received; of cameras with the key onvif.",
        labels=["camera"],
    )
    events = CounterMetricFamily(
        "mirante_onvif_events", "Events that the camera has told.", labels=["camera"]
    )
    failures = CounterMetricFamily(
        "mirante_onvif_failures", "Subscriptions that failed or were lost.", labels=["camera"]
    )
    for name, camera, _ in now.accounts():
        if (onvif := camera.onvif) is not None:
            subscribed.add_metric([name], onvif.state == "subscribed")
            events.add_metric([name], onvif.events)
            failures.add_metric([name], onvif.failures)
    yield from (subscribed, events, failures)


def _events(now: WorkerState) -> Iterator[CounterMetricFamily]:
    events = CounterMetricFamily("mirante_events", "Events, by kind.", labels=["camera", "kind"])
    objects = CounterMetricFamily(
        "mirante_objects", "Objects that appeared.", labels=["camera", "label"]
    )
    zones = CounterMetricFamily(
        "mirante_zone_objects",
        "Objects that entered or left a zone.",
        labels=["camera", "zone", "way", "label"],
    )
    lines = CounterMetricFamily(
        "mirante_line_objects",
        "Objects that crossed a line, in or out.",
        labels=["camera", "line", "way", "label"],
    )
    for name, camera, _ in now.accounts():
        for kind, number in camera.events.items():
            events.add_metric([name, kind], number)
        for each in camera.counted:
            if each.metric == "new":
                objects.add_metric([name, each.label], each.number)
            else:
                family = lines if each.metric in ("in", "out") else zones
                family.add_metric([name, each.place, each.metric, each.label], each.number)
    yield from (events, objects, zones, lines)


def _buckets(latency: LatencyReport) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
    return [(bound, sum(latency.counts[: i + 1])) for i, bound in enumerate(bounds)]


def _outbox(outbox: OutboxReport) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
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
    events = CounterMetricFamily(
        "mirante_outbox_lost_events", "Events that Redis never got.", labels=["camera"]
    )
    for name, number in outbox.lost_events.items():
        events.add_metric([name], number)
    yield events
    cut = CounterMetricFamily(
        "mirante_retention_cut_entries",
        "Entries that left Redis before their time, as max_mib was full.",
        labels=["camera", "kind"],
    )
    for name, kinds in outbox.cut.items():
        for kind, each in kinds.items():
            cut.add_metric([name, kind], each.entries)
    yield cut


def _models(now: WorkerState) -> Iterator[GaugeMetricFamily]:
    running = GaugeMetricFamily(
        "mirante_model_info",
        "1 for what runs under a model's name.",
        labels=["model", "runs", "runtime", "precision", "parity"],
    )
    for each in now.models:
        running.add_metric([each.name, each.runs, each.runtime, each.precision, each.parity], 1)
    builds = GaugeMetricFamily(
        "mirante_engine_build", "1 for the state of a model's engine.", labels=["model", "state"]
    )
    for name, build in now.builds.items():
        builds.add_metric([name, build.state], 1)
    yield from (running, builds)


def _gpu_memory(now: WorkerState) -> Iterator[GaugeMetricFamily]:
    memory = GaugeMetricFamily(
        "mirante_gpu_memory_bytes",
        "Memory that the worker holds for work on a GPU, by use; pinned is the host's.",
        labels=["gpu", "use"],
    )
    for gpu, by_use in now.gpu_memory.items():
        for use, size in by_use.items():
            memory.add_metric([gpu, use], size)
    yield memory
