"""Routes by roles by cameras, walked from the application's own; no answer names a hidden one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dashboard.access.rights import MAY, Right, UndeclaredError, Viewer, check_declared, declared
from dashboard.access.store import StoredToken
from dashboard.api import snapshot
from dashboard.app import make_app, make_services
from mirante import Counts, Status
from mirante.keys import key
from pipeline.config.dashboard import Role
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry
from pipeline.control.reports import CameraReport, ViewReport, publish
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT, Bench, serving
from tests.support.bundles import unpacked
from tests.support.guarded_app import HOST, make_access
from tests.support.routes import CLIP, ENTRY, Route, walk
from tests.support.tokens import hashed

pytestmark = pytest.mark.slow

OWN, HIDDEN, NOWHERE = "yard-1", "vault-7", "vault-8"
ROLES: tuple[Role, ...] = get_args(Role)
TOKENS = {
    f"{role}-{of}": hashed(f"{role}-{of}", role=role)
    | ({"cameras": ["yard-*"]} if of == "yard" else {})
    for role in ROLES
    for of in ("all", "yard")
}
BODIES = {
    "add_camera": {"name": OWN, "url": "test://"},
    "try_camera": {"name": OWN},
    "add_stream": {"value": {"camera_id": OWN, "camera_url": "test://", "change": "camera_add"}},
    "remove_stream": {"value": {"camera_id": OWN, "change": "camera_remove"}},
    "swap_model": {"model": "street", "to": None},
    "try_bridge": {"bridge": "webhook"},
    "change_camera": {"fps": 3},
    "replace_camera": {"url": "test://"},
    "put_zones": {},
    "preview_zones": {},
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Without Redis: what gets past its right answers 503."""
    access = make_access(tmp_path, tokens=TOKENS)
    credentials = Credentials(tmp_path / "credentials.json")
    services = make_services("redis://127.0.0.1:1", access.settings, access, credentials)
    with TestClient(make_app(services), base_url=HOST) as made:  # one thread for all requests
        yield made


def declaring(client: TestClient) -> list[tuple[Route, Right]]:
    """Every route that not anyone may call, with the right that it declares."""
    found = []
    for route in walk(client.app.routes):  # type: ignore[attr-defined]
        right = declared(route.route) if hasattr(route.route, "dependant") else Right("viewer")
        if right is not None and route.method not in {"WEBSOCKET", "HEAD"}:
            found.append((route, right))
    return found


def test_each_role_gets_what_its_rights_reach(client: TestClient) -> None:
    routes = declaring(client)
    assert len(routes) > 18
    assert {right.role for _, right in routes} == set(ROLES)
    for (route, right), role, of in product(routes, ROLES, ("all", "yard")):
        may = right.role in MAY[role] and not (right.of_all and of == "yard")
        if may and route.path == "/api/v1/discovery":  # it asks the network, of nobody's cameras
            continue
        cameras = (OWN,) if of == "all" else (OWN, HIDDEN)  # no camera is hidden from all
        for camera in cameras if route.is_of_camera else ("",):
            answer = client.request(
                route.method,
                route.of(camera),
                headers=bearer(f"{role}-{of}"),
                json=BODIES.get(str(route.route.name)),
            )
            told = (route, role, of, camera, answer.status_code, answer.text)
            if not may:
                assert answer.status_code == 403, told
            elif of == "yard" and camera == HIDDEN:
                assert answer.status_code == 404, told
                assert answer.json()["detail"] == f'no camera "{HIDDEN}"; there is none', told
            else:
                assert answer.status_code in ({404, 503} if camera else {200, 503}), told


def test_a_route_without_a_right_is_not_served() -> None:
    def nothing() -> None:
        pass

    def of_a_model(_who: Viewer, model: str) -> None:
        del model

    ways: tuple[tuple[Callable[[FastAPI], object], str], ...] = (
        (lambda app: app.get("/x")(nothing), "/x: expected one right"),
        (lambda app: app.websocket("/x")(nothing), "/x: expected one right"),
        (lambda app: app.get("/x/{model}")(of_a_model), "/x/{model}: expected a camera's name"),
        (lambda app: app.mount("/x", app), "/x: a route that can declare no right"),
    )
    for add, words in ways:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        check_declared(app.routes, frozenset())
        add(app)
        with pytest.raises(UndeclaredError, match=re.escape(words)):
            check_declared(app.routes, frozenset())


@pytest.fixture
def bench(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """Two cameras that run, of which one is hidden from the tokens of yard."""
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setattr(snapshot, "WAIT_S", 0.2)  # nobody makes images here
    with serving(redis_server, tmp_path, tokens=TOKENS) as made:
        registry = Registry(made.redis, credentials=Credentials(tmp_path / "credentials.json"))
        for camera, model in ((OWN, "street"), (HIDDEN, "vault-model")):
            registry.add(camera, {"url": "test://", "stages": [{"model": model}]})
        report(made)
        for camera in (OWN, HIDDEN):
            made.frame(camera)
            made.outbox.status(status(camera))
        until_published(made)
        for camera in (OWN, HIDDEN):
            made.redis.xgroup_create(key(camera, "detections"), f"of-{camera}", "0")
            made.redis.xadd(key(camera, "images"), {"jpeg": b"\xff\xd8"}, id=ENTRY)
        yield made


def status(camera: str) -> Status:
    """Running, for a reason that names the hidden camera."""
    now_s = time.time()
    reason = f'view: expected the same width as camera "{HIDDEN}", which shows it too'
    return Status(camera=camera, state="running", reason=reason, ts=now_s, since=now_s)


def report(bench: Bench) -> None:
    """The worker's, which tells of both cameras and of the models that each runs."""
    view = ViewReport(state="failed", reason=f'not as camera "{HIDDEN}"')
    cameras = {
        name: CameraReport(
            state="running",
            reason="",
            counts=Counts(9, 9, {}, 0),
            in_flight=0,
            detections=0,
            view=view,
        )
        for name in (OWN, HIDDEN)
    }
    (model,) = REPORT.models
    models = tuple(replace(model, name=name) for name in ("street", "vault-model"))
    words = f"{HIDDEN}: another; words; {OWN}: another"
    outbox = replace(REPORT.outbox, depth=3, sent=77, lost={OWN: 1, HIDDEN: 2}, words=words)
    outbox = replace(outbox, lost_events={OWN: 1, HIDDEN: 2})
    builds = dict.fromkeys(("street", "vault-model"), REPORT.builds["street"])
    told = {"cameras": cameras, "models": models, "outbox": outbox, "builds": builds}
    bench.redis.set("mirante:worker:main", "{}")
    publish(bench.redis, replace(REPORT, at=time.time(), **told))


def until_published(bench: Bench) -> None:
    def published() -> bool:
        system = bench.http.get("/api/v1/system", headers=bearer("admin-all")).json()
        is_written = len(system["redis"]["streams"]) == 4 and bool(system["workers"])
        cameras = bench.services.sampler.cameras()  # which it reads once a second
        return is_written and [each["state"] for each in cameras] == ["running"] * 2

    bench.until(published)


def answers(bench: Bench, token: str, camera: str) -> dict[str, tuple[int, str]]:
    """The status and text of every safe route, of a camera where it takes one."""
    paths = {each.of(camera) for each in walk(bench.app.routes) if each.method == "GET"}
    return {path: answer(bench, token, path) for path in sorted(paths)}


def answer(bench: Bench, token: str, path: str) -> tuple[int, str]:
    """The status and text of an answer; the first of what goes on without an end."""
    with bench.http.stream("GET", path, headers=bearer(token)) as said:
        endless = said.headers["content-type"].startswith("text/event-stream")
        text = next(said.iter_text()) if endless else said.read().decode(errors="replace")
        return said.status_code, text


def test_no_answer_names_a_camera_that_is_hidden(bench: Bench) -> None:
    missing = "/api/v1/cameras/yard-zzzzzzzzzz/pause"  # refused in words that name what there is
    assert HIDDEN in bench.http.post(missing, headers=bearer("admin-all")).text
    bench.until(lambda: "yard-zzzzzzzzzz" in answer(bench, "admin-all", "/api/v1/audit")[1])
    of_all = answers(bench, "viewer-all", HIDDEN)
    assert sum("vault" in text for _, text in of_all.values()) >= 7
    of_own = answers(bench, "admin-yard", OWN)
    there_are = {path: status for path, (status, _) in of_own.items() if CLIP not in path}
    assert there_are.pop("/api/v1/event-image") == 422, "no link"
    assert set(there_are.values()) <= {200, 409, 504}, of_own
    for path, (_, text) in of_own.items():
        assert "vault" not in text, (path, text)
    assert "another camera" in of_own[f"/api/v1/cameras/{OWN}"][1]
    hidden, nowhere = (answers(bench, "admin-yard", name) for name in (HIDDEN, NOWHERE))
    for path in hidden.keys() - of_own.keys():
        there = nowhere[path.replace(HIDDEN, NOWHERE)]
        assert hidden[path][0] == 404, path
        assert (hidden[path][0], hidden[path][1].replace(HIDDEN, NOWHERE)) == there


def test_what_is_counted_of_some_cameras(bench: Bench) -> None:
    def asked(path: str, token: str) -> Any:
        return bench.http.get(path, headers=bearer(token)).raise_for_status()

    all_of, own_of = ("viewer-all", "viewer-yard")
    bench.until(lambda: len(asked("/api/v1/cameras", all_of).json()) == 2)
    assert [each["name"] for each in asked("/api/v1/cameras", own_of).json()] == [OWN]
    for token, cameras, sent in ((all_of, 2, 77), (own_of, 1, None)):
        (worker,) = asked("/api/v1/system", token).json()["workers"]
        assert len(worker["cameras"]) == len(worker["outbox"]["lost"]) == cameras
        assert len(worker["outbox"]["lost_events"]) == cameras
        assert worker["outbox"]["sent"] == sent
        assert worker["outbox"]["words"].count(": another") == cameras
        assert len(worker["models"]) == len(worker["builds"]) == cameras
        assert len(asked("/api/v1/models", token).json()["in_use"]) == cameras
        assert len(asked("/api/v1/system", token).json()["groups"]) == cameras
        gauge = "mirante_dashboard_cameras{state="
        lines = [line for line in asked("/metrics", token).text.splitlines() if gauge in line]
        assert sum(float(line.split()[-1]) for line in lines) == cameras


def test_changes_of_some_cameras(bench: Bench) -> None:
    def post(path: str, token: str, **body: Any) -> tuple[int, Any]:
        answer = bench.http.post(f"/api/v1/cameras{path}", json=body, headers=bearer(token))
        return answer.status_code, answer.json()

    admin, operator = "admin-yard", "operator-yard"
    for name in (HIDDEN, NOWHERE):
        words = f'you may add cameras that are named yard-*; "{name}" is not'
        assert post("", admin, name=name, url="test://") == (403, {"detail": words})
    status, told = post("", admin, name="yard-2", url="rtsp://${GATE_PASSWORD}:x@192.0.2.1/")
    assert (status, "rights to all cameras" in str(told)) == (422, True)
    assert post("", admin, name="yard-2", url="test://")[0] == 201
    assert post(f"/{OWN}/pause", operator)[1]["paused"] is True
    assert post(f"/{OWN}/resume", operator)[1]["paused"] is False
    for body in ({"url": "test://"}, {"name": OWN, "url": "test://"}, {"name": OWN, "mask": []}):
        status, told = post("/test", operator, **body)
        assert (status, "as it is" in str(told)) == (403, True)
    for token in (admin, operator):
        for name in (HIDDEN, NOWHERE):
            status, told = post("/test", token, name=name)
            words = f'no camera "{name}"; there are: {OWN}, yard-2'
            assert (status, told["detail"]) == (404, words)
    assert HIDDEN in bench.services.registry().cameras()


def heard(page: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    while True:
        message = page.recv(timeout=60)
        assert isinstance(message, bytes)
        header, _ = unpacked(message)
        if header["type"] == kind:
            return header


def test_a_page_sees_its_cameras_until_its_rights_change(bench: Bench) -> None:
    store, secret = bench.services.access.store, hashed("changing")["sha256"]

    def become(*cameras: str) -> None:
        with store.changing() as stored:
            stored.tokens["changing"] = StoredToken(secret, "viewer", cameras)

    become("yard-*")
    address = f"{bench.address.replace('http', 'ws')}/api/v1/live"
    stream = f"/api/v1/results/{OWN}/stream"
    with (
        connect(address, additional_headers=bearer("changing"), open_timeout=60) as page,
        bench.http.stream("GET", stream, headers=bearer("changing"), timeout=60) as events,
    ):
        bench.until(lambda: len(bench.services.sampler.cameras()) == 2)
        page.send(json.dumps({"watch": [OWN, HIDDEN]}))
        told = heard(page, "cameras")
        assert [each["name"] for each in told["cameras"]] == [OWN]
        assert "vault" not in json.dumps(told)
        channels = [key(OWN, "preview").encode()]
        bench.until(lambda: bench.redis.pubsub_channels() == channels)
        become("gate")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                page.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        for _ in events.iter_text():
            pass
