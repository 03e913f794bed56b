"""Models, the system, trials, health: what workers and Redis say, over HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

import mirante
from mirante import Counts
from mirante.keys import bridge_key, lease_key
from mirante.wire.messages import Object
from pipeline.control.bridge_reports import BridgeReport
from pipeline.control.bridge_reports import publish as publish_bridge
from pipeline.control.fleet_report import FleetReport, MoveReport
from pipeline.control.fleet_report import publish as publish_fleet
from pipeline.control.reports import publish
from pipeline.control.rpc import Requests
from pipeline.control.trials import Trial, ask_trial, pack
from tests.support.api_server import Bench, replace_report
from tests.support.polled_requests import polled

TEST = "/api/v1/cameras/test"
CAR = Object(label="car", class_id=1, score=0.9, bbox=(1, 2, 3, 4))
SECRET = "rtsp://anna:hunter2@192.0.2.10/main"


def live(bench: Bench) -> None:
    """One camera that publishes, and its worker."""
    bench.worker(gate=Counts(1, 1, {}, 0))
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"})
    bench.until(bench.services.sampler.cameras)


def test_models(bench: Bench) -> None:
    empty: dict[str, Any] = {"zoo": [], "in_use": [], "defaults": {}, "standard": {}}
    assert bench.http.get("/api/v1/models").json() == empty
    live(bench)
    found = bench.until(lambda: (m := bench.http.get("/api/v1/models").json())["zoo"] and m)
    [model] = found["zoo"]
    assert (model["name"], model["labels"], model["ready_on"]) == (
        "street",
        ["person", "car"],
        ["main"],
    )
    [used] = found["in_use"]
    assert (used["worker"], used["runtime"]) == ("main", "onnxruntime")
    build = {"state": "building", "words": "tactics", "share": 0.5, "since": None}
    assert used["build"] == build
    assert bench.http.get("/api/v1/cameras/gate").json()["builds"] == {"street": build}
    assert found["defaults"] == {"main": {"stages": [{"model": "street"}]}}


def test_system(bench: Bench) -> None:
    live(bench)
    for _ in range(3):
        bench.frame()
    bench.until(lambda: bench.outbox.state.sent.get("gate") == 3)
    found = bench.http.get("/api/v1/system").json()
    server = found["redis"]
    assert server["connected"] is True
    assert server["version"].count(".") == 2
    assert min(server["used_memory_bytes"], server["clients"]) > 0
    [stream] = server["streams"]
    assert (stream["key"], stream["length"]) == ("mirante:{gate}:detections", 3)
    assert (stream["camera"], stream["stream"]) == ("gate", "detections")
    assert stream["bytes"] > 500
    assert [worker["worker"] for worker in found["workers"]] == ["main"]
    assert found["workers"][0]["cameras"]["gate"]["counts"]["decoded"] == 1
    assert found["groups"] == []
    assert found["dashboard"]["rss_bytes"] > 1e7


def test_bridges(bench: Bench) -> None:
    assert bench.http.get("/api/v1/system").json()["bridges"] == []
    report = BridgeReport(
        name="hall",
        kind="mqtt",
        target="mqtt://broker.lan:1883",
        state="running",
        at=time.time(),
        started=time.time(),
        pid=1,
        host="here",
        version="0",
        group="bridge-hall",
        lag=3,
    )
    publish_bridge(bench.redis, report)
    [found] = bench.http.get("/api/v1/system").json()["bridges"]
    assert (found["name"], found["state"], found["lag"]) == ("hall", "gone", 3)
    bench.redis.set(bridge_key("hall", "lease"), "x")
    [found] = bench.http.get("/api/v1/system").json()["bridges"]
    assert (found["state"], found["dead"]) == ("running", 0)


def test_a_fleet(bench: Bench) -> None:
    assert bench.http.get("/api/v1/system").json()["fleet"] is None
    move = MoveReport(at=1.0, camera="gate", source="a", target="b", why="a is gone")
    publish_fleet(bench.redis, FleetReport(at=2.0, moves=(move,), more=4, limited_by="memory"))
    found = bench.http.get("/api/v1/system").json()["fleet"]
    assert (found["state"], found["more"], found["limited_by"]) == ("running", 4, "memory")
    assert found["moves"] == [msgspec.to_builtins(move)]


def test_a_webhook_is_tested_by_its_bridge(bench: Bench) -> None:
    facts: dict[str, Any] = {"target": "https://h", "state": "running", "at": 1, "started": 1}
    facts |= {"pid": 1, "host": "here", "version": "0", "group": "g"}
    for name, kind in (("hall", "mqtt"), ("webhook-shop", "webhook")):
        publish_bridge(bench.redis, BridgeReport(name=name, kind=kind, **facts))

    def asked(bridge: str) -> tuple[int, Any]:
        answer = bench.http.post("/api/v1/bridges/test", json={"bridge": bridge})
        return answer.status_code, answer.json().get("detail", answer.json())

    assert asked("webhook-shoe") == (404, 'no bridge "webhook-shoe"; did you mean "webhook-shop"?')
    assert asked("hall") == (409, 'bridge "hall" is of kind mqtt, which has no test')
    away = 'bridge "webhook-shop" is not running on this Redis'
    assert asked("webhook-shop") == (504, away)
    bench.redis.set(bridge_key("webhook-shop", "lease"), "x")
    told = {"status": 200, "words": "200 OK", "head": "ok", "seconds": 0.1, "taken": True}
    answers = Requests(bench.redis, "webhook-shop", {"hook": lambda _: json.dumps(told).encode()})
    with polled(answers):
        assert asked("webhook-shop") == (200, told)


def test_groups_with_their_lag_and_loss(bench: Bench) -> None:
    live(bench)
    stream = "mirante:{gate}:detections"

    def group() -> Any:
        [found] = bench.http.get("/api/v1/system").json()["groups"]
        return found

    for number in range(4):
        bench.frame()
        bench.until(lambda number=number: bench.redis.xlen(stream) == number + 1)
    read: list[Any] = []

    def lost() -> dict[str, int]:
        with mirante.subscribe(
            "gate", group="alarm", consumer="one", since="0", redis=bench.server.url, timeout_s=0.5
        ) as following:
            read.extend(following)
            return dict(following.lost)

    bench.until(lambda: lost() or len(read) >= 4)
    assert len(read) == 4
    assert group() == {
        "camera": "gate",
        "stream": "detections",
        "group": "alarm",
        "consumers": 0,  # it has left, and holds nothing
        "pending": 0,
        "lag": 0,
        "lost": 0,
    }
    for _ in range(5):
        bench.frame()
    bench.until(lambda: bench.redis.xlen(stream) == 9)
    assert (group()["lag"], group()["lost"]) == (5, 0)
    bench.redis.xtrim(stream, maxlen=2, approximate=False)
    assert group()["lost"] == 3, "trimmed before the group read them"
    assert bench.until(lost) == {"gate": 3}, "as the group itself finds"


@pytest.mark.own_redis
def test_the_system_while_redis_is_away(bench: Bench) -> None:
    live(bench)
    assert bench.http.get("/readyz").text == "ready\n"
    assert bench.server.pid is not None
    os.kill(bench.server.pid, signal.SIGSTOP)
    try:
        found = bench.http.get("/api/v1/system").json()
        bench.until(lambda: not bench.services.sampler.connected)
        ready = bench.http.get("/readyz")
        cameras = bench.http.get("/api/v1/cameras")
        alive = bench.http.get("/livez")
        metrics = bench.http.get("/metrics").text
    finally:
        os.kill(bench.server.pid, signal.SIGCONT)
    words = f"Redis {bench.server.url}: does not answer"
    assert (found["redis"]["connected"], found["redis"]["words"]) == (False, words)
    assert (ready.status_code, ready.text) == (503, f"{words}\n")
    assert (cameras.status_code, cameras.json()) == (503, {"detail": words})
    assert alive.text == "alive\n"
    assert "mirante_dashboard_redis_connected 0.0" in metrics
    bench.until(lambda: bench.http.get("/readyz").status_code == 200)


def test_metrics(bench: Bench) -> None:
    live(bench)
    bench.status("failed", "wrong password")
    bench.until(lambda: bench.camera()["state"] == "failed")
    lines = bench.http.get("/metrics").text.splitlines()
    assert 'mirante_dashboard_cameras{state="failed"} 1.0' in lines
    assert 'mirante_dashboard_cameras{state="running"} 0.0' in lines
    for name in ("pages", "redis_connected", "pictures_sent_total", "bytes_sent_total"):
        assert any(line.startswith(f"mirante_dashboard_{name} ") for line in lines), name
    assert "gate" not in "".join(lines)


def run(bench: Bench, worker: str) -> None:
    """A worker of that name lives and reports."""
    bench.redis.set(lease_key(worker), "{}")
    publish(bench.redis, replace_report(worker=worker, at=time.time()))


@pytest.fixture
def tried(bench: Bench, request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """A worker, of the name "main" or the parameter, that answers trials; what it was asked."""
    worker = getattr(request, "param", "main")
    run(bench, worker)
    asked: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> bytes:
        asked.append(request)
        if request["name"] == "broken":
            raise ValueError("no file of street for //anna:hunter2@h")
        return pack(
            Trial(
                connected=True,
                words="H.264, from rtsp://anna:hunter2@h/x",
                seconds=1.5,
                size=(640, 360),
                fps=25.0,
                codec="H.264",
                objects=[CAR],
                jpeg=b"\xff\xd8",
                cpu_percent=35.0,
                free_percent=12.4,
                fits=False,
            )
        )

    with polled(Requests(bench.redis, worker, {"trial": answer})):
        yield asked


def test_a_camera_is_tried(bench: Bench, tried: list[dict[str, Any]]) -> None:
    found = bench.http.post(TEST, json={"url": SECRET, "fps": 5})
    assert found.status_code == 200, found.text
    picture = f"data:image/jpeg;base64,{base64.b64encode(bytes([255, 216])).decode()}"
    assert found.json() == {
        "connected": True,
        "words": "H.264, from rtsp://***@h/x",
        "seconds": 1.5,
        "size": [640, 360],
        "fps": 25.0,
        "codec": "H.264",
        "code": None,
        "advice": None,
        "hint": None,
        "objects": [{"label": "car", "class_id": 1, "score": 0.9, "bbox": [1, 2, 3, 4]}],
        "models": [],
        "less": None,
        "cpu_percent": 35.0,
        "free_percent": 12.4,
        "fits": False,
        "warning": "it may not fit: it takes about 35 % of a core when busy, and 12 % is left for "
        "cameras here; all cameras may come late",
        "picture": picture,
    }
    [request] = tried
    assert (request["name"], request["spec"]["fps"]) == ("test", 5)
    assert "hunter2" not in str(request)
    assert bench.http.get("/api/v1/cameras").json() == []


def test_a_camera_that_is_wanted_is_tried_at_its_own_address(
    bench: Bench, tried: list[dict[str, Any]]
) -> None:
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": SECRET, "fps": 5})
    held = bench.services.registry().cameras()["gate"].spec["url"]
    shown = bench.camera()["url"]
    bodies: list[dict[str, Any]] = [{}, {"width": 320}, {"url": shown, "fps": None}]
    for body in bodies:
        bench.http.post(TEST, json={"name": "gate", **body}).raise_for_status()
    assert [request["spec"] for request in tried] == [
        {},
        {"url": held, "fps": 5, "width": 320},
        {"url": held},
    ]
    password = bench.services.credentials.lookup(held.partition("${")[2].partition("}")[0])
    assert password == "anna:hunter2", "a trial forgets no camera's password"


@pytest.mark.parametrize("tried", ["east"], indirect=True)
def test_the_only_worker_tries(bench: Bench, tried: list[dict[str, Any]]) -> None:
    assert bench.http.post(TEST, json={"url": "test://"}).json()["connected"]
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("running", "body", "words"),
    [
        ([], {}, 'worker "main" is not running; no worker is'),
        (["east"], {"worker": "west"}, 'worker "west" is not running; "east" is'),
        (["west", "east"], {}, 'worker "main" is not running; "east" and "west" are'),
    ],
)
def test_no_worker_is_told_at_once(
    bench: Bench, running: list[str], body: dict[str, str], words: str
) -> None:
    for worker in running:
        run(bench, worker)
    answer = bench.http.post(TEST, json={"url": "test://", **body})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["connected"], found["code"], found["words"]) == (False, "no-worker", words)
    assert "mirante up" in found["advice"]


WRONG = {"rotate": 45, "deinterlace": "yes", "mask": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}


@pytest.mark.parametrize("worker", ["main", "away"])
def test_a_trial_of_wrong_options_is_refused_as_such(
    bench: Bench, tried: list[dict[str, Any]], worker: str
) -> None:
    told = bench.http.post(TEST, json={"url": "test://", "worker": worker, "fpss": None, **WRONG})
    assert told.status_code == 422, told.text
    lines = told.json()["detail"]
    assert {line.partition(":")[0] for line in lines} >= {"test.rotate", "test.deinterlace"}
    assert len(lines) == 4, lines
    assert all("expected" in line or "test.fpss" in line for line in lines), lines
    assert tried == []


def test_a_trial_that_cannot_be(bench: Bench, tried: list[dict[str, Any]]) -> None:
    broken = bench.http.post(TEST, json={"name": "broken", "url": "test://"})
    assert (broken.status_code, broken.json()["detail"]) == (
        502,
        'worker "main": no file of street for //***@h',
    )
    nothing = bench.http.post(TEST, json={"name": "gat"})
    assert nothing.status_code == 422
    assert nothing.json()["detail"][0].startswith("gat.url: missing — expected an address")
    own = bench.http.post(TEST, json={"url": "test://", "stages": [{"python": "os:abort"}]})
    assert own.status_code == 422


@pytest.mark.parametrize("key", ["url", "view"])
@pytest.mark.parametrize("login", ["rtsp://u:Se@cret/1@host/x", "u:Se@cret/1@host/x"])
def test_a_login_that_is_not_escaped_goes_nowhere(
    bench: Bench, tried: list[dict[str, Any]], key: str, login: str
) -> None:
    body = {"url": "rtsp://host/x", key: login}
    answers = [
        bench.http.post(TEST, json=body),
        bench.http.post("/api/v1/cameras", json={"name": "gate", **body}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "cret" not in answer.text
        assert "%40" in answer.text or "://user:password@" in answer.text
    assert tried == []
    assert not bench.services.credentials.path.exists()
    held = [bench.redis.dump(each) or b"" for each in bench.redis.scan_iter()]
    assert not any(b"cret" in each for each in held)


def test_a_trial_that_no_worker_takes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = partial(ask_trial, timeout_s=0.2)
    monkeypatch.setattr("dashboard.api.cameras.ask_trial", ask)
    bench.redis.set(lease_key("second"), "{}")
    answer = bench.http.post(TEST, json={"url": "test://", "worker": "second"})
    assert answer.status_code == 504
    assert answer.json()["detail"].startswith('worker "second" gave no answer within 0.2 s')
