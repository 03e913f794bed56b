"""The one thread of a worker that speaks to OpenTelemetry."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from mirante.frame import FrameResult
from pipeline.config import telemetry as config
from pipeline.control.reports import WorkerState
from pipeline.worker.metrics import WorkerCollector
from pipeline.worker.telemetry.outage import Outage
from pipeline.worker.telemetry.points import Points
from pipeline.worker.telemetry.spans import end_spans
from plugins.trace import Trace

RATIO = 0.01
INTERVAL_S = 60.0
SPANS_EVERY_S = 1.0
HELD = 2048  # traces that wait at most; the oldest are forgotten
RETRY_S = 10.0  # after spans could not be sent
CLOSE_S = 3.0  # for what is left when the worker ends

_SCOPE = "mirante"


class Telemetry:
    """Sends the traces of sampled frames, and a worker's metrics. Frame threads never wait for it.

    What the configuration leaves open is as the variables ``OTEL_…`` say it, which exporters and
    SDK read by themselves.

    Args:
        settings: where to, and how much.
        worker: the worker's name.
    """

    def __init__(self, settings: config.Telemetry, worker: str) -> None:
        resource = _resource(settings.service_name, worker)
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        base = settings.endpoint
        self._spans = OTLPSpanExporter(base and f"{base}/v1/traces", headers=headers)
        self._metrics = OTLPMetricExporter(base and f"{base}/v1/metrics", headers=headers)
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self._tracer = provider.get_tracer(_SCOPE, version("mirante"))
        self._points = Points(resource, InstrumentationScope(_SCOPE, version("mirante")))
        self._sampler = _sampler(settings.ratio)
        self._interval_s = settings.interval_s or _interval_s()
        self._address = base or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP")
        self._ended: deque[Trace] = deque(maxlen=HELD)
        self._stop = threading.Event()
        self._spans_due_s = 0.0

    def sample(self, frame: FrameResult, decoded_ns: int) -> Trace | None:
        """Return the trace of a frame, if it is sampled; ``decoded_ns``: when it was decoded."""
        chosen = self._sampler.should_sample(None, random.getrandbits(128), "frame")
        if chosen.decision is Decision.DROP:
            return None
        return Trace(frame, decoded_ns, self._ended.append)

    @contextmanager
    def running(self, state: Callable[[], WorkerState]) -> Iterator[None]:
        """Send from now on; at the end what is left, for a few seconds at most.

        Args:
            state: how the worker is; called on the thread that sends.
        """
        collector = WorkerCollector(state)
        thread = threading.Thread(
            target=self._run, args=(collector,), name="telemetry", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(CLOSE_S)
            for exporter in (self._spans, self._metrics):
                exporter.shutdown()  # which ends its waiting, too

    def _run(self, collector: WorkerCollector) -> None:
        outage = Outage(self._address)
        due_s = time.monotonic() + self._interval_s
        while not self._stop.wait(SPANS_EVERY_S):
            self._send_spans(outage)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + self._interval_s
                self._send_metrics(outage, collector)
        if "traces" not in outage.out:
            self._send_spans(outage)
        if "metrics" not in outage.out:
            self._send_metrics(outage, collector)
        outage.close()

    def _send_spans(self, outage: Outage) -> None:
        if not self._ended or time.monotonic() < self._spans_due_s:
            return
        for _ in range(len(self._ended)):
            end_spans(self._tracer, self._ended.popleft())
        spans = self._memory.get_finished_spans()
        self._memory.clear()
        is_sent = self._spans.export(spans) is SpanExportResult.SUCCESS
        self._spans_due_s = 0.0 if is_sent else time.monotonic() + RETRY_S
        outage.note("traces", is_sent)

    def _send_metrics(self, outage: Outage, collector: WorkerCollector) -> None:
        report = self._points.report(collector.collect())
        outage.note("metrics", self._metrics.export(report) is MetricExportResult.SUCCESS)


def _resource(service_name: str | None, worker: str) -> Resource:
    """What is measured; the configuration goes before the environment."""
    ours: dict[str, str | int] = {
        "service.version": version("mirante"),
        "service.instance.id": worker,
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
    }
    if service_name is not None:
        ours[SERVICE_NAME] = service_name
    said = Resource.create(ours)
    is_named = not str(said.attributes[SERVICE_NAME]).startswith("unknown_service")
    return said if is_named else said.merge(Resource({SERVICE_NAME: "mirante"}))


def _sampler(ratio: float | None) -> Sampler:
    if ratio is None and "OTEL_TRACES_SAMPLER" in os.environ:
        return TracerProvider(shutdown_on_exit=False).sampler
    return TraceIdRatioBased(RATIO if ratio is None else ratio)


def _interval_s() -> float:
    text = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")
    try:
        return max(1.0, float(text) / 1e3) if text else INTERVAL_S
    except ValueError:
        raise ValueError(
            f'OTEL_METRIC_EXPORT_INTERVAL: "{text}"; expected a number of milliseconds'
        ) from None
