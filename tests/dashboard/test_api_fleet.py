"""Cameras of a fleet over HTTP: what they need, what they take along, and a fleet that is full."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.environment import KEY_VARIABLE
from pipeline.control.fleet_report import FleetReport, publish
from pipeline.control.sealing import key_text, made_key
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.tokens import hashed

CAMERAS = "/api/v1/cameras"
NEEDS = {"labels": ["night"], "gpu": True, "zone": "yard"}
SECRET = "rtsp://anna:hunter2@192.0.2.10/main"


def kept(bench: Bench, **facts: Any) -> None:
    """A keeper said this of its fleet just now."""
    publish(bench.redis, FleetReport(at=time.time(), **{"cameras": 12, "placed": 12, **facts}))


def add(bench: Bench, **keys: Any) -> Any:
    return bench.http.post(CAMERAS, json={"name": "gate", "url": "test://", **keys})


def entry(bench: Bench) -> dict[str, Any]:
    return dict(json.loads(bench.redis.hget("mirante:cameras", "gate") or b"{}"))


def test_a_camera_says_what_its_worker_must_offer(bench: Bench) -> None:
    kept(bench, more=3)
    response = add(bench, needs=NEEDS)
    assert response.status_code == 201, response.text
    assert (response.json()["needs"], response.json()["worker"]) == (NEEDS, "")
    assert (entry(bench)["fleet"], entry(bench)["worker"]) == (True, "")
    body = {"url": "test://?fps=5"}
    assert bench.http.put(f"{CAMERAS}/gate", json=body).json()["needs"] == NEEDS, "they stay"
    anywhere = {"labels": [], "gpu": False, "zone": None}
    response = bench.http.put(f"{CAMERAS}/gate", json={**body, "needs": {}})
    assert response.json()["needs"] == anywhere
    assert add(bench, name="yard").json()["needs"] is None


def test_a_fleet_that_is_full_refuses_with_a_number(bench: Bench) -> None:
    assert add(bench, needs={}).json()["detail"].startswith("there is no fleet on this Redis")
    kept(bench, more=0, cameras=13, limited_by="processor")
    response = add(bench, needs={})
    assert response.status_code == 409
    assert response.json()["detail"] == (
        "the fleet is full: 12 of 12 cameras fit, 1 more waits; processor runs out first. Add a "
        "worker, or remove a camera"
    )
    assert entry(bench) == {}
    kept(bench, more=None)
    assert add(bench, needs={}).status_code == 201, "nothing was measured yet"


def test_a_password_travels_sealed_or_not_at_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(bench, more=1)
    response = add(bench, needs={}, url=SECRET)
    assert response.status_code == 409
    assert "no key of the fleet to seal it with; make one with: mirante fleet key" in response.text
    monkeypatch.setenv(KEY_VARIABLE, key_text([made_key()]))
    response = add(bench, needs={}, url=SECRET)
    assert response.status_code == 201, response.text
    assert response.json()["url"] == "rtsp://***@192.0.2.10/main"
    assert "hunter2" not in str(entry(bench))
    assert "sealed" not in response.text


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"needs": []}, "needs: a list — expected an object with labels, gpu and zone"),
        ({"needs": {"gpus": 1}}, 'needs.gpus: unknown key — did you mean "gpu"?'),
        ({"needs": {"gpu": "yes"}}, 'needs.gpu: "yes" — expected true or false'),
        ({"needs": {"labels": ["a b"]}}, 'needs.labels[0]: "a b" — expected 1 to 64'),
        ({"needs": {"zone": ""}}, 'needs.zone: "" — expected 1 to 64'),
        ({"needs": {}, "worker": "main"}, 'worker: "main" — expected no worker with needs'),
    ],
)
def test_needs_that_are_none_are_refused(bench: Bench, keys: dict[str, Any], line: str) -> None:
    kept(bench, more=3)
    response = add(bench, **keys)
    assert response.status_code == 422, response.text
    [said] = response.json()["detail"]
    assert said.startswith(line)


def test_whose_rights_reach_some_cameras_learns_no_numbers(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    tokens = {"gates": hashed("gates", role="admin", cameras=["gate"])}
    with serving(redis_server, tmp_path, tokens=tokens) as bench:
        kept(bench, more=0)
        bench.http.headers["Authorization"] = "Bearer gates"
        response = add(bench, needs={})
    assert (response.status_code, response.json()["detail"]) == (
        409,
        'the fleet has no room for camera "gate"',
    )
