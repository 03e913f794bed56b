"""``mirante doctor --deep`` on installations with something wrong."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from msgspec.structs import replace

from mirante.frame import Counts
from mirante.keys import WORKERS, lease_key
from mirante.servers.cluster import Cluster
from pipeline.cli.app import run
from pipeline.cli.deep.cameras import RTCP_MOST_S, camera_findings, model_findings
from pipeline.cli.deep.finding import Finding
from pipeline.cli.deep.local import local_findings
from pipeline.cli.deep.look import look
from pipeline.cli.deep.workers import disk_finding
from pipeline.control.build_report import BuildReport
from pipeline.control.disks import own_disks
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import (
    CameraReport,
    DiskReport,
    MachineReport,
    ModelReport,
    ProcessReport,
    StreamReport,
    WorkerReport,
    publish,
)
from pipeline.gst import decoder_proof
from pipeline.worker.machine import Machine
from pipeline.worker.redis_server import RedisServer
from tests.support.redis_fixtures import folder
from tests.support.redis_sites import ClusterSite, started

__all__ = ["folder"]

HOST = socket.gethostname()
RUNNING = CameraReport(
    state="running",
    reason="frames arrive",
    counts=Counts(9, 9),
    in_flight=0,
    detections=1,
    stream=StreamReport(decoder="avdec_h264", clock_off_s=-0.04, clock_by="rtcp"),
)
BOXES = ModelReport(
    name="test-boxes",
    runs="test-boxes",
    runtime="onnxruntime",
    precision="fp32",
    parity="source",
    before=(),
)
REPORT = WorkerReport(
    worker="main",
    at=0,
    started=0,
    pid=os.getpid(),
    host=HOST,
    version="0.1.0",
    process=ProcessReport(cpu_percent=5, rss_bytes=1 << 28, threads=9, fds=40, fds_most=1024),
    machine=MachineReport(
        cpu_percent=9,
        cores=2,
        memory_bytes=100,
        memory_used_bytes=50,
        disks=(
            DiskReport(of="state", path="/d", is_writable=True, bytes=1 << 40, free_bytes=1 << 39),
        ),
    ),
    gpus=(),
    outbox=OutboxReport(connected=True, words="", depth=0, sent=8, lost={}, refused=0),
    cameras={"gate": RUNNING},
    models=(BOXES,),
    builds={},
    zoo=(),
    defaults={},
)


@pytest.fixture
def client(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr("pipeline.cli.deep.local.SHIPPED", "test-boxes")  # loads sooner
    with connect(redis_server.url) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("min-replicas-to-write", 0)
        client.flushall()


def run_worker(client: redis.Redis, report: WorkerReport = REPORT, **lease: Any) -> None:
    """Say what a worker says that runs."""
    at_s = 0.0
    while time.time() - at_s > 0.3:  # what comes late looks as if its clock were wrong
        publish(client, replace(report, at=(at_s := time.time())))
    holder = {"host": report.host, "pid": report.pid, "token": "hunter2", **lease}
    client.set(lease_key(report.worker), json.dumps(holder), px=10_000)


def found(address: str, worker: str | None = None) -> dict[tuple[str, str], Finding]:
    findings = look(address, worker)
    assert all(each.mend for each in findings if each.level != "ok")
    return {(each.area, each.subject): each for each in findings}


def wrong(findings: dict[tuple[str, str], Finding]) -> set[tuple[str, str]]:
    return {place for place, each in findings.items() if each.level == "wrong"}


@pytest.mark.redis
def test_an_installation_that_works(
    client: redis.Redis, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run_worker(client)
    assert run(["doctor", "--deep", "--json", "--redis", redis_server.url]) == 0
    said = capsys.readouterr().out
    document = json.loads(said)
    assert document["ok"] is True
    areas = {each["area"] for each in document["findings"]}
    wanted = {"redis", "clock", "lease", "worker", "outbox", "limits", "disk", "camera", "decoder"}
    assert areas == wanted | {"model", "machine"}
    assert "hunter2" not in said
    run_worker(client)  # looking may take longer than what it says is kept
    assert run(["doctor", "--deep", "--redis", redis_server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "nothing is wrong"
    assert any(line.split()[:3] == ["ok", "decoder", "gate"] for line in lines)


@pytest.mark.redis
def test_a_server_that_evicts_or_lacks_replicas_is_told_with_the_command(
    client: redis.Redis, redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run_worker(client)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("min-replicas-to-write", 2)
    places = {("redis", place) for place in ("policy", "replicas", "writes")}
    assert wrong(found(redis_server.url)) == places
    client.config_set("min-replicas-to-write", 0)
    run_worker(client)
    client.config_set("min-replicas-to-write", 2)
    assert run(["doctor", "--deep", "--redis", redis_server.url]) == 1
    said = capsys.readouterr().out
    assert "redis-cli CONFIG SET maxmemory-policy noeviction" in said
    assert said.splitlines()[-1] == "3 wrong"


@pytest.mark.redis
def test_no_worker_is_called_dead_while_redis_takes_no_reports(
    client: redis.Redis, redis_server: RedisServer
) -> None:
    Registry(client, "east").put("gate", {"url": "test://", "stages": []})
    client.config_set("min-replicas-to-write", 1)
    for worker, of in ((None, "any"), ("east", "east")):
        findings = found(redis_server.url, worker)
        assert wrong(findings) == {("redis", "replicas"), ("redis", "writes")}
        assert "(NOREPLICAS)" in findings["redis", "writes"].words
        assert findings["worker", of].level == "unknown"


@pytest.mark.redis
def test_a_user_who_may_ask_nothing_is_told_so(
    client: redis.Redis, redis_server: RedisServer
) -> None:
    run_worker(client)
    allowed = ("+ping", "+get", "+mget", "+ttl", "+smembers", "+hgetall", "+srem")
    client.execute_command("ACL", "SETUSER", "meek", "on", ">hunter2", "~*", *allowed)
    try:
        findings = found(redis_server.url.replace("//", "//meek:hunter2@"))
    finally:
        client.execute_command("ACL", "DELUSER", "meek")
    assert wrong(findings) == set()
    unknown = {place for place, each in findings.items() if each.level == "unknown"}
    assert unknown == {
        ("redis", "version, memory, disk"),
        ("clock", "redis"),
        ("clock", "worker main"),
    }
    assert "hunter2" not in str(findings)


@pytest.mark.redis
def test_one_who_may_not_look_is_sent_for_rights(
    client: redis.Redis, redis_server: RedisServer
) -> None:
    client.execute_command("ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "+ping", "+info")
    try:
        findings = found(redis_server.url.replace("//", "//reader:hunter2@"))
    finally:
        client.execute_command("ACL", "DELUSER", "reader")
    assert wrong(findings) == {("redis", "rights")}
    assert findings["redis", "answer"].level == "ok"
    assert "docs/security.md" in findings["redis", "rights"].mend


@pytest.mark.redis
@pytest.mark.slow
def test_every_primary_of_a_cluster_is_looked_at(folder: Path) -> None:
    with started(ClusterSite(folder)) as site, connect(site.url) as client:
        run_worker(client)
        assert isinstance(client, Cluster)
        places = client.primaries()
        assert len(places) == 3
        evicting = list(places)[1]
        places[evicting].config_set("maxmemory-policy", "allkeys-lru")
        assert wrong(found(site.url)) == {("redis", f"policy of {evicting}")}


def test_a_server_that_is_away_is_told_and_this_machine_is_looked_at() -> None:
    findings = found("redis://:hunter2@127.0.0.1:1/0")
    assert wrong(findings) == {("redis", "answer")}
    assert findings["redis", "answer"].words == (
        "Redis redis://***@127.0.0.1:1/0: connection refused: nothing listens there"
    )
    assert findings["model", "street: here"].level == "ok"
    assert ("machine", "parts") in findings


@pytest.mark.redis
def test_without_a_worker_it_says_so(client: redis.Redis, redis_server: RedisServer) -> None:
    Registry(client, "east").put("gate", {"url": "rtsp://admin:hunter2@192.0.2.9/x", "stages": []})
    findings = found(redis_server.url)
    assert wrong(findings) == {("worker", "any"), ("camera", "gate")}
    assert "no worker reports to" in findings["worker", "any"].words
    assert findings["camera", "gate"].words == 'its worker "east" does not run'
    named = found(redis_server.url, "west")
    assert wrong(named) == {("worker", "west")}
    assert named["lease", "west"].level == "note"


@pytest.mark.redis
@pytest.mark.parametrize(
    ("lease", "words"),
    [
        ({"pid": 7}, f"process 7 on {HOST} has the name, and {os.getpid()} on {HOST} reports"),
        ({"host": "elsewhere"}, f"process {os.getpid()} on elsewhere has the name"),
    ],
    ids=("process", "host"),
)
def test_two_workers_of_one_name(
    client: redis.Redis, redis_server: RedisServer, lease: dict[str, Any], words: str
) -> None:
    run_worker(client, **lease)
    findings = found(redis_server.url)
    assert wrong(findings) == {("lease", "main")}
    assert findings["lease", "main"].words.startswith(words)


@pytest.mark.redis
def test_a_lease_without_a_worker_and_a_worker_without_a_lease(
    client: redis.Redis, redis_server: RedisServer
) -> None:
    run_worker(client)
    client.delete(lease_key("main"))
    assert wrong(found(redis_server.url)) == {("lease", "main")}
    run_worker(client)
    client.delete(f"{WORKERS}:main")
    assert wrong(found(redis_server.url, "main")) == {("lease", "main"), ("worker", "main")}
    client.set(lease_key("main"), b"\xff")
    assert found(redis_server.url, "main")["lease", "main"].words == "its lease is none"


@pytest.mark.redis
@pytest.mark.parametrize("off_s", [-3600.0, 30.0])
def test_a_clock_that_is_wrong_is_seen_from_elsewhere(
    client: redis.Redis, redis_server: RedisServer, off_s: float
) -> None:
    run_worker(client)
    publish(client, replace(REPORT, host="elsewhere", at=time.time() + off_s))
    client.set(lease_key("main"), json.dumps({"host": "elsewhere", "pid": REPORT.pid}), px=9000)
    findings = found(redis_server.url)
    assert wrong(findings) == {("clock", "worker main")}
    said = findings["clock", "worker main"].words
    assert ("ahead of" in said, "behind" in said) == (off_s > 0, off_s < 0)


def camera(**changed: Any) -> dict[tuple[str, str], Finding]:
    report = replace(REPORT, cameras={"gate": replace(RUNNING, **changed)})
    return {(each.area, each.subject): each for each in camera_findings(report)}


def test_cameras() -> None:
    assert wrong(camera()) == set()
    failed = camera(state="failed", reason="401", code="unauthorised", stream=None)
    assert wrong(failed) == {("camera", "gate")}
    assert failed["camera", "gate"].mend.startswith("Check user and password")
    assert failed["camera", "gate"].mend.endswith("mirante camera test --camera gate")
    for state in ("reconnecting", "stalled", "standby"):
        assert wrong(camera(state=state)) == {("camera", "gate")}
    begun = camera(state="connecting", tried=False)
    assert begun["camera", "gate"].level == "note"
    paused = camera(state="stopped", reason="paused", counts=None)
    assert [(each.level, each.mend) for each in paused.values()] == [
        ("note", "mirante camera resume gate")
    ]


@pytest.mark.parametrize(
    ("off_s", "by", "level"),
    [
        (0.9, "rtcp", "ok"),
        (-1.1, "rtcp", "wrong"),
        (2.0, "date", "ok"),
        (-3600.0, "date", "wrong"),
        (None, None, "ok"),
    ],
)
def test_clocks_of_cameras(off_s: float | None, by: Any, level: str) -> None:
    assert RTCP_MOST_S == 1
    stream = StreamReport(decoder="avdec_h264", clock_off_s=off_s, clock_by=by)
    assert camera(stream=stream)["clock", "camera gate"].level == level


def test_models_and_engines() -> None:
    report = replace(
        REPORT,
        models=(replace(BOXES, parity="pending"),),
        builds={"test-boxes": BuildReport("failed", "no such op")},
    )
    levels = {each.subject: each.level for each in model_findings(report)}
    assert levels == {"test-boxes": "note", "test-boxes: engine": "wrong"}


def test_a_model_that_does_not_load_here_is_wrong() -> None:
    lost = replace(REPORT, models=(replace(BOXES, name="gone", runs="/nonexistent/gone.yaml"),))
    here = {each.subject: each for each in local_findings([lost]) if each.area == "model"}
    assert here["gone: here"].level == "wrong"
    elsewhere = replace(lost, host="elsewhere")
    assert [each.subject for each in local_findings([elsewhere]) if each.area == "model"] == [
        "street: here"
    ]


def test_a_hardware_decoder_that_fails_its_trial_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.gst import decoders

    device = decoders.HardwareDecoder("vah264dec", "vaapi", 0, ("video/x-h264",))
    monkeypatch.setattr(decoders, "hardware_decoders", lambda: [device])
    proof = decoder_proof.Proof(False, "its frames differ")
    monkeypatch.setattr(decoder_proof, "prove", lambda name, media: proof)
    (tried,) = (each for each in local_findings([REPORT]) if each.area == "decoder")
    assert (tried.subject, tried.level) == ("vah264dec, H.264", "note")
    assert tried.words == "its frames differ"


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "ok"),
        ({"free_bytes": 1 << 20}, "wrong"),
        ({"is_writable": False}, "wrong"),
        ({"of": "shm", "free_bytes": 1 << 20}, "wrong"),
        ({"of": "log", "free_bytes": 1 << 20}, "wrong"),
        ({"bytes": 1 << 26, "free_bytes": 1 << 25}, "ok"),  # small, and half empty
    ],
)
def test_disks(changed: dict[str, Any], level: str) -> None:
    disk = DiskReport(of="state", path="/d", is_writable=True, bytes=1 << 40, free_bytes=1 << 39)
    assert disk_finding(replace(disk, **changed), "h").level == level


def test_a_worker_says_where_it_writes_and_what_it_may_open(home: Any) -> None:
    state, *_ = own_disks()
    assert (state.of, state.path, state.is_writable) == ("state", str(home), True)
    assert 0 < state.free_bytes <= state.bytes
    machine = Machine()
    deadline_s = time.monotonic() + 60
    while not machine.machine().disks:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert "state" in {disk.of for disk in machine.machine().disks}
    process = machine.process()
    assert process.fds is not None
    assert process.fds_most is not None
    assert 3 <= process.fds <= process.fds_most


def test_a_report_of_an_earlier_worker_is_read() -> None:
    document = msgspec.to_builtins(REPORT)
    for key in ("fds", "fds_most"):
        del document["process"][key]
    del document["machine"]["disks"], document["cameras"]["gate"]["stream"]
    read = msgspec.convert(document, WorkerReport)
    assert (read.process.fds, read.machine.disks) == (None, ())


def test_options_of_deep_need_it() -> None:
    assert run(["doctor", "--json"]) == 2
