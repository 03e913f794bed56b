"""What a worker says of itself, through a real Redis."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
import redis

from engines.manifest import ZOO, Manifest, read
from mirante.keys import WORKERS, report_key
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from pipeline.config.settings import Settings
from pipeline.control.registry import connect
from pipeline.control.reports import KEPT_MS, WorkerReport, WorkerState, publish, reports
from pipeline.worker import machine
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.reporter import Reporter
from tests.support.worker_states import COUNTS, GATE, PAUSED, READY, with_models, worker

OUTAGE = Outage(RedisUrl("redis://127.0.0.1:1"), logging.getLogger("t"), "it waits")
STATE = with_models(worker(gate=GATE, yard=PAUSED), street=READY)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def reporter(client: Any = None, **settings: object) -> Reporter:
    return Reporter(client, Settings.model_validate(settings), lambda: STATE, OUTAGE, lambda: False)


def report(name: str = "main", **settings: object) -> WorkerReport:
    return reporter(worker=name, **settings).report()


def test_all_that_the_worker_knows_is_in_it() -> None:
    told = report("street", defaults={"fps": 5})
    assert (told.worker, told.pid) == ("street", os.getpid())
    assert told.started <= told.at
    assert told.process.rss_bytes > 1 << 20
    assert told.process.threads >= 1
    assert told.process.cpu_percent >= 0
    assert 0 < told.machine.memory_used_bytes < told.machine.memory_bytes
    assert 0 <= told.machine.cpu_percent <= 100
    gate, yard = told.cameras["gate"], told.cameras["yard"]
    assert (gate.state, gate.counts, gate.in_flight, gate.detections) == ("running", COUNTS, 3, 33)
    assert (yard.state, yard.reason, yard.counts) == ("stopped", "paused", None)
    assert (told.outbox.depth, told.outbox.sent, told.outbox.lost) == (4, 8, {"gate": 3})
    assert told.models[0].runs == "engines/x.yaml"
    assert told.builds == {"street": READY}
    assert (told.defaults["fps"], told.defaults["width"]) == (5, 640)


def test_the_zoo_says_what_a_stage_may_name(tmp_path: Path) -> None:
    manifest = (ZOO / "test-boxes.yaml").read_text()
    (tmp_path / "street.yaml").write_text(manifest.replace("test-boxes.onnx", "nowhere.onnx"))
    zoo = {model.name: model for model in report(models=tmp_path).zoo}
    assert (zoo["face"].task, zoo["face"].runs_on, zoo["face"].ready) == ("segment", "crops", True)
    assert zoo["test-boxes"].runs_on == "frame"
    assert zoo["test-boxes"].labels == ("red", "green", "blue")
    heads = zoo["test-heads"]
    assert (heads.task, heads.runs_on) == ("detect, segment", "frame")
    assert [(head.verb, head.labels) for head in heads.heads] == [
        ("finds", ("red", "green", "blue")),
        ("masks of", ("drivable", "lane")),
    ]
    assert heads.labels_of(lambda head: head.finds_boxes) == ("red", "green", "blue")
    assert heads.labels_of(lambda head: head.finds_masks) == ("drivable", "lane")
    assert zoo["test-boxes"].labels_of(lambda head: head.finds_boxes) == ("red", "green", "blue")
    vectors = zoo["test-embedding"]
    assert (vectors.runs_on, vectors.gives_vectors, vectors.labels) == ("crops", True, ())
    street = zoo["street"]
    assert street.labels == ("red", "green", "blue"), "the folder's own goes before the zoo's"
    assert not street.ready


def test_a_manifest_is_read_again_where_it_has_changed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.reporter.ZOO_EVERY_S", 0.0)
    seen: list[str] = []

    def counted(path: Path) -> Manifest:
        seen.append(path.stem)
        return read(path)

    monkeypatch.setattr("pipeline.worker.reporter.read", counted)
    text = (ZOO / "test-boxes.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text)
    told = reporter(models=tmp_path)
    told.report()
    assert len(seen) > 10
    seen.clear()
    told.report()
    assert seen == []
    (tmp_path / "mine.yaml").write_text(text.replace("green", "greenish"))
    zoo = {model.name: model for model in told.report().zoo}
    assert seen == ["mine"]
    assert zoo["mine"].labels == ("red", "greenish", "blue")
    (tmp_path / "next").write_text(text.replace("green", "greenery"))
    times = (tmp_path / "mine.yaml").stat()
    os.utime(tmp_path / "next", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "next").replace(tmp_path / "mine.yaml")  # of the same size and time
    zoo = {model.name: model for model in told.report().zoo}
    assert zoo["mine"].labels == ("red", "greenery", "blue")
    (tmp_path / "mine.yaml").unlink()
    assert "mine" not in {model.name for model in told.report().zoo}


def test_a_manifest_that_cannot_be_read_is_left_out_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.reporter.ZOO_EVERY_S", 0.0)
    (tmp_path / "broken.yaml").write_text("task: sing")
    told = reporter(models=tmp_path)
    for _ in range(2):
        names = [model.name for model in told.report().zoo]
        assert "broken" not in names
        assert "street" in names
    (record,) = caplog.records
    assert str(tmp_path / "broken.yaml") in record.message


def test_secrets_of_the_defaults_are_not_in_it() -> None:
    stage = {"python": "mine:Stage", "options": {"key": "hunter2"}}
    told = report(defaults={"stages": [stage]})
    assert told.defaults["stages"] == [{"python": "mine:Stage"}]


@pytest.mark.redis
def test_reports_of_living_workers(client: redis.Redis) -> None:
    assert reports(client) == {}
    for name in ("main", "names"):
        publish(client, report(name))
    assert list(reports(client)) == ["main", "names"]
    assert reports(client)["main"].cameras["gate"].counts == COUNTS
    assert 0 < client.pttl(report_key("main")) <= KEPT_MS
    client.delete(report_key("main"))  # as when it expires
    assert list(reports(client)) == ["names"]
    assert client.smembers(WORKERS) == {b"names"}


@pytest.mark.redis
def test_a_report_of_another_version_hides_no_other(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    publish(client, report("main"))
    client.set(report_key("old"), b'{"worker": "old"}')
    client.sadd(WORKERS, "old")
    assert list(reports(client)) == ["main"]
    assert 'worker "old": its report cannot be read' in caplog.text


@pytest.mark.redis
def test_it_is_published_no_more_than_once_a_second(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("pipeline.worker.reporter.time.monotonic", lambda: now_s[0])
    told = reporter(client)
    for at_s, is_published in ((100.9, False), (101.1, True), (102.0, False), (102.2, True)):
        now_s[0] = at_s
        told.poll()
        assert (client.delete(report_key("main")) == 1) == is_published


def test_room_is_not_told_while_an_engine_is_built_though_no_model_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody chose by hand what runs, and the build goes on."""
    monkeypatch.setattr("pipeline.worker.load.EVERY_S", 0.0)
    building = [False]
    told = Reporter(None, Settings(), worker, OUTAGE, lambda: building[0])  # type: ignore[arg-type]
    told.report()
    assert told.report().room is not None
    building[0] = True
    assert told.report().room is None


def test_what_cannot_be_told_ends_no_worker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> WorkerState:
        raise ValueError("a manifest is gone")

    monkeypatch.setattr("pipeline.worker.reporter.EVERY_S", 0.0)
    told = Reporter(connect("redis://127.0.0.1:1"), Settings(), fail, OUTAGE, lambda: False)
    told.poll()
    assert "cannot say how it is: a manifest is gone" in caplog.text


def test_a_machine_without_a_driver_has_no_gpu_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    with caplog.at_level(logging.DEBUG):
        assert machine.Machine().gpus() == ()
    assert caplog.records == []


def test_gpus_that_answer_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPU 0 answers, 1 is split (MIG) and tells no utilisation, 2 is lost."""

    def memory(handle: int) -> Any:
        if handle == 2:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return SimpleNamespace(total=80 << 30, used=1 << 30)

    def utilisation(handle: int) -> Any:
        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=37)

    fakes = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: f"GPU {handle}",
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetUtilizationRates": utilisation,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(pynvml, name, fake)
    told = machine.Machine().gpus()
    assert [(gpu.name, gpu.utilisation_percent) for gpu in told] == [("GPU 0", 37), ("GPU 1", None)]
    assert told[0].memory_used_bytes == 1 << 30
