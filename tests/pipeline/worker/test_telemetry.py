"""Traces and metrics as a collector of OpenTelemetry gets them."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from mirante.frame import Counts, FrameResult
from mirante.keys import key
from pipeline.config.load import parse_settings
from pipeline.config.messages import ConfigError
from pipeline.config.settings import Settings
from pipeline.control.registry import connect
from pipeline.doctor import needs_of
from pipeline.gst.camera import CameraRunner
from pipeline.worker.metrics import WorkerCollector
from pipeline.worker.process import run_worker
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.telemetry import TelemetryError, telemetry_of
from pipeline.worker.worker import Worker
from plugins.trace import FAILED, PUBLISHED
from tests.support.outcome import Run
from tests.support.ports import free_port
from tests.support.worker_states import GATE, READY, with_models, worker

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra telemetry")

from tests.support.otlp_receiver import OtlpReceiver, attributes

SENDER = "pipeline.worker.telemetry.sender"
STAGES: list[dict[str, Any]] = [
    {"model": "test-boxes"},
    {
        "python": "tests.support.recorded_stages:Record",
        "options": {"fail": [*range(0, 999, 3)], "drop": [*range(1, 999, 3)]},
    },
]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of this machine."""
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(f"{SENDER}.SPANS_EVERY_S", 0.05)


def settings_of(**telemetry: Any) -> Settings:
    return Settings.model_validate({"telemetry": telemetry})


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)


def analyse(redis_url: str, telemetry: dict[str, Any], enough: Callable[[Worker], object]) -> None:
    """Run a worker with one camera until it is enough."""
    off, stop = {"port": None}, threading.Event()
    camera = {"url": "test://?size=160x96&fps=15", "stages": STAGES}
    settings = Settings.model_validate(
        {
            "redis": {"url": redis_url},
            "metrics": off,
            "dashboard": off,
            "telemetry": telemetry,
            "cameras": {"gate": camera},
        }
    )

    def look(worker: Worker) -> None:
        if enough(worker):
            stop.set()

    run_worker(settings, CameraRunner, stop=stop, on_tick=look)


def by_outcome(receiver: OtlpReceiver) -> dict[str, tuple[Any, list[Any]]]:
    """One frame of each outcome, with its steps."""
    return {attributes(root)["mirante.outcome"]: (root, steps) for root, steps in receiver.frames()}


@pytest.mark.redis
def test_frames_come_as_traces_with_a_span_for_each_step(
    redis_server: RedisServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del home
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    with OtlpReceiver() as receiver:
        asked = {
            "endpoint": f"{receiver.url}/collector/",
            "headers": {"x-key": "hunter2"},
            "ratio": 1,
            "interval_s": 1,
        }
        wanted = {PUBLISHED, FAILED, "stage"}
        analyse(redis_server.url, asked, lambda _: wanted <= set(by_outcome(receiver)))
        found = by_outcome(receiver)
        metrics = receiver.metrics()
    assert set(receiver.requests) == {"/collector/v1/traces", "/collector/v1/metrics"}
    assert all(headers["x-key"] == "hunter2" for headers in receiver.headers)
    about = {"service.name": "mirante", "service.instance.id": "main"}
    assert receiver.resources[0].items() >= {**about, "deployment.environment": "test"}.items()

    root, steps = found[PUBLISHED]
    said = attributes(root)
    assert root.name == "frame"
    assert said["mirante.camera"] == "gate"
    with connect(redis_server.url) as client:
        (entry,) = client.xrange(key("gate", "detections"), *[said["mirante.entry_id"]] * 2)
    assert f'"seq":{said["mirante.seq"]},"epoch":{said["mirante.epoch"]}'.encode() in b"".join(
        entry[1] if isinstance(entry[1], list) else [v for pair in entry[1].items() for v in pair]
    )
    names = [step.name for step in steps]
    stages = ["mirinfer test-boxes", f"mirstage {STAGES[1]['python']}", "mirpreview"]
    assert names == ["video_decode", "queue", "convert", *stages, "encode", "outbox"]
    assert attributes(steps[3]).keys() == {
        f"mirante.{n}_ms" for n in ("preprocess", "infer", "decode")
    }
    edges = [ns for s in steps for ns in (s.start_time_unix_nano, s.end_time_unix_nano)]
    assert edges == sorted(edges)
    assert root.start_time_unix_nano <= edges[0]
    assert edges[-1] <= root.end_time_unix_nano
    assert all(step.trace_id == root.trace_id for step in steps)

    failed, steps = found[FAILED]
    words = f"RuntimeError: frame {attributes(failed)['mirante.seq']} is cursed"
    assert failed.status.message == steps[-1].status.message == words
    assert found["stage"][1][-1].name == stages[1]
    (point,) = metrics["mirante_frames_failed_total"].sum.data_points
    assert attributes(point) == {"camera": "gate"}
    assert point.as_int > 0


@pytest.mark.redis
def test_a_dead_collector_is_told_once_and_loses_no_frame(
    redis_server: RedisServer,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del home
    # A dead one is given up after so long; a live one has as long to answer on a busy machine.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "10")
    monkeypatch.setattr(f"{SENDER}.RETRY_S", 0.1)
    port = free_port()
    caplog.set_level(logging.INFO, "pipeline.worker.telemetry.outage")

    def told() -> list[str]:
        return [r.getMessage() for r in caplog.records if "telemetry" in r.name]

    receivers: list[OtlpReceiver] = []
    published: list[int] = []

    def enough(worker: Worker) -> bool:
        gate = worker.state().cameras.get("gate")
        counts = None if gate is None else gate.counts
        if counts is None:
            return False
        if told() and not receivers:
            published.append(counts.published)
            if counts.published > published[0] + 20:
                receivers.append(OtlpReceiver(port))
        return len(told()) > 1

    asked = {"endpoint": f"http://127.0.0.1:{port}", "ratio": 1, "interval_s": 1}
    analyse(redis_server.url, asked, enough)
    receivers[0].close()
    assert told() == [
        f"telemetry: http://127.0.0.1:{port}: connection refused; {what} are lost"
        for what in [told()[0].split()[-3]]
    ] + [f"telemetry: http://127.0.0.1:{port} takes traces and metrics again"]
    assert not [r for r in caplog.records if r.name.startswith("opentelemetry")]


def scraped(state: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    registry = CollectorRegistry()
    registry.register(WorkerCollector(lambda: state))
    text = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sent(state: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The same, out of what the collector got."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    with OtlpReceiver() as receiver:
        telemetry = telemetry_of(settings_of(endpoint=receiver.url))
        assert telemetry is not None
        with telemetry.running(lambda: state):
            pass  # the last report is that of the end
        for name, metric in receiver.metrics().items():
            kind = metric.WhichOneof("data")
            for point in getattr(metric, kind).data_points:
                labels = frozenset(attributes(point).items())
                if kind != "histogram":
                    found[name, labels] = point.as_int or point.as_double
                    continue
                upto = 0
                for bound, count in zip(
                    [*point.explicit_bounds, "+Inf"], point.bucket_counts, strict=True
                ):
                    upto += count
                    found[f"{name}_bucket", labels | {("le", str(bound))}] = upto
                found[f"{name}_count", labels], found[f"{name}_sum", labels] = (
                    point.count,
                    point.sum,
                )
    return found


def test_metrics_are_those_that_prometheus_scrapes() -> None:
    latency = replace(GATE.latency, counts=(1, 2, *GATE.latency.counts[2:]), sum_s=0.03)
    state = with_models(worker(gate=replace(GATE, latency=latency)), street=READY)
    assert sent(state) == scraped(state)


def test_a_counter_that_falls_begins_anew() -> None:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from pipeline.worker.telemetry.points import Points

    points = Points(Resource.create(), InstrumentationScope("test"))

    def decoded(counted: int) -> Any:
        camera = replace(GATE, counts=Counts(counted, counted), in_flight=0)
        report = points.report(WorkerCollector(lambda: worker(gate=camera)).collect())
        (metric,) = (
            m
            for m in report.resource_metrics[0].scope_metrics[0].metrics
            if m.name == "mirante_frames_decoded_total"
        )
        return metric.data.data_points[0]

    first, more, again, last = decoded(5), decoded(9), decoded(2), decoded(3)
    assert more.start_time_unix_nano == first.start_time_unix_nano < first.time_unix_nano
    assert again.start_time_unix_nano == more.time_unix_nano
    assert last.start_time_unix_nano == again.start_time_unix_nano


def frame() -> FrameResult:
    return FrameResult("gate", 0, 0, 0, "arrival", 64, 48)


@pytest.mark.parametrize(
    ("keys", "variables", "least", "most"),
    [
        ({"ratio": 0}, {}, 0, 0),
        ({"ratio": 1}, {"OTEL_TRACES_SAMPLER": "always_off"}, 1000, 1000),
        ({"ratio": 0.5}, {}, 350, 650),
        ({}, {"OTEL_TRACES_SAMPLER": "always_on"}, 1000, 1000),
        ({}, {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, 350, 650),
        ({}, {}, 0, 60),
    ],
)
def test_the_share_of_frames_that_are_traced(
    keys: dict[str, Any],
    variables: dict[str, str],
    least: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    telemetry = telemetry_of(settings_of(enabled=True, **keys))
    assert telemetry is not None
    taken = sum(telemetry.sample(frame(), 0) is not None for _ in range(1000))
    assert least <= taken <= most


def test_what_the_keys_leave_open_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "street-cameras")
        telemetry = telemetry_of(settings_of(enabled=True))
        assert telemetry is not None
        with telemetry.running(lambda: worker(gate=GATE)):
            pass
    (headers,) = receiver.headers
    assert (headers["x-key"], headers["content-encoding"]) == ("hunter2", "gzip")
    assert receiver.resources[0]["service.name"] == "street-cameras"


@pytest.mark.parametrize(
    ("keys", "variables"),
    [
        ({}, {}),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}),
        ({"endpoint": "http://127.0.0.1:4318", "enabled": False}, {}),
        ({"endpoint": "http://127.0.0.1:4318"}, {"OTEL_SDK_DISABLED": "true"}),
    ],
)
def test_it_is_off_unless_asked_for(
    keys: dict[str, Any], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert telemetry_of(settings_of(**keys)) is None


def test_without_the_extra_the_command_that_installs_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirante: Run
) -> None:
    for name in [n for n in sys.modules if n == SENDER or n.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    address = "http://127.0.0.1:4318"
    words = f"telemetry.endpoint: {address} — opentelemetry.exporter"
    with pytest.raises(TelemetryError, match=words):
        telemetry_of(settings_of(endpoint=address))
    config = tmp_path / "config.yaml"
    config.write_text(f"telemetry: {{endpoint: '{address}'}}")
    outcome = mirante("up", str(config))
    assert outcome.status == 2
    assert "pip install 'mirante[telemetry]'" in outcome.err


def test_check_looks_for_it_where_it_is_asked_for() -> None:
    names = [need.name for need in needs_of(settings_of(enabled=True))]
    assert "opentelemetry.exporter.otlp.proto.http" in names
    assert "opentelemetry.exporter.otlp.proto.http" not in [n.name for n in needs_of(Settings())]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("endpoint: localhost:4318", "expected http://host:port or https://host:port"),
        ("endpoint: http://u:hunter2@h:4318", "a login goes into headers"),
        ("endpoint: http://h:4318/v1/traces", "without /v1/traces"),
        ("endpoint: 'http://h:x'", "expected http://host:port"),
        ("headers: {'a b': c}", 'expected names of HTTP fields, got "a b"'),
        ('headers: {a: "hunter2\\nb: c"}', "a: expected printable ASCII"),
        ("ratio: 1.5", "expected a number of at most 1"),
        ("interval_s: 0", "expected a number of at least 1"),
        ("endpont: http://h", "endpoint"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="telemetry") as told:
        parse_settings(f"telemetry: {{{text}}}")
    (line,) = told.value.lines
    assert words in line
    assert "hunter2" not in line
