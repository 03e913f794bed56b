"""What a page may not reach through a worker: its files, and its own machine and link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.control.registry import Registry
from pipeline.control.rpc import Requests
from pipeline.control.trials import Trial, pack
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.polled_requests import polled
from tests.support.tokens import hashed

pytestmark = pytest.mark.redis

CAMERAS = "/api/v1/cameras"
LOCAL = [
    "file:///etc/passwd",
    "/etc/passwd",
    "rtsp://127.0.0.1:8554/x",
    "http://[::1]/",
    "http://0/",
]


@pytest.fixture
def asked(bench: Bench) -> Iterator[list[dict[str, Any]]]:
    """The requests for trials that a worker gets, which it answers."""
    seen: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> bytes:
        seen.append(request)
        return pack(Trial(connected=True, words="tried", seconds=0.1))

    bench.worker()
    with polled(Requests(bench.redis, "main", {"trial": answer})):
        yield seen


def test_addresses_here_are_not_tested_unless_the_key_allows_them(
    bench: Bench, asked: list[dict[str, Any]]
) -> None:
    bench.http.post(CAMERAS, json={"name": "gate", "url": "test://"}).raise_for_status()
    for url in LOCAL:
        for body in ({"url": url}, {"name": "gate", "url": url}, {"url": "test://", "view": url}):
            answer = bench.http.post(f"{CAMERAS}/test", json=body)
            assert answer.status_code == 403, body
            assert "dashboard.local_targets" in answer.json()["detail"]
    assert not asked


def test_a_manifest_by_its_path_is_a_file_of_the_worker_too(
    bench: Bench, asked: list[dict[str, Any]]
) -> None:
    """What it holds could be read in the words that refuse it. A camera's own stays."""
    known = [{"model": "/models/own.yaml"}]
    bench.http.post(CAMERAS, json={"name": "gate", "url": "test://", "stages": known})
    for model in ("/etc/netplan/all.yaml", "../all.yml", "/dev/zero"):
        body = {"name": "gate", "url": "test://", "stages": [*known, {"model": model}]}
        answer = bench.http.post(f"{CAMERAS}/test", json=body)
        assert answer.status_code == 403, body
        assert answer.json()["detail"].startswith(f'stages[1].model: "{model}"')
    assert not asked
    body = {"name": "gate", "url": "test://", "stages": known}
    assert bench.http.post(f"{CAMERAS}/test", json=body).status_code == 200


def test_an_admin_of_all_cameras_may_add_what_one_of_some_may_not(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Who adds cameras of any name decides about the installation."""
    tokens = {
        "every": hashed("every", role="admin"),
        "yards": hashed("yards", role="admin", cameras=["yard-*"]),
    }
    with serving(redis_server, tmp_path, tokens=tokens) as bench:

        def answer(token: str, method: str, path: str, body: dict[str, str]) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"}
            return bench.http.request(method, f"{CAMERAS}{path}", json=body, headers=headers)

        for token, name in (("every", "gate"), ("yards", "yard-1")):
            answer(token, "POST", "", {"name": name, "url": "test://"}).raise_for_status()
        for number, url in enumerate(LOCAL):
            for method, path, body in (
                ("POST", "", {"name": f"yard-2{number}", "url": url}),
                ("POST", "", {"name": f"yard-3{number}", "url": "test://", "view": url}),
                ("PATCH", "/yard-1", {"url": url}),
                ("PATCH", "/yard-1", {"view": url}),
                ("PUT", "/yard-1", {"url": url}),
            ):
                refused = answer("yards", method, path, body)
                assert refused.status_code == 403, f"{method} {path} {body}"
                assert "dashboard.local_targets" in refused.json()["detail"]
        url = "rtsp://ana:secret@127.0.0.1:8554/x"
        assert answer("every", "POST", "", {"name": "here", "url": url}).status_code == 201
        assert answer("every", "PATCH", "/gate", {"url": url}).status_code == 200


def test_a_camera_s_own_address_stays_usable(bench: Bench, asked: list[dict[str, Any]]) -> None:
    """One of the command line or the configuration, tested and changed in other keys."""
    Registry(bench.redis, credentials=bench.services.credentials).put(
        "gate", {"url": "rtsp://ana:secret@127.0.0.1:8554/x"}
    )
    shown = bench.camera()["url"]
    for body in ({"fps": 5}, {"fps": 6, "url": shown}):
        assert bench.http.patch(f"{CAMERAS}/gate", json=body).status_code == 200
    for body in ({"name": "gate"}, {"name": "gate", "url": shown}, {"name": "gate", "fps": 2}):
        assert bench.http.post(f"{CAMERAS}/test", json=body).json()["words"] == "tried"
    assert [one["local"] for one in asked] == [True, True, True]


def test_a_worker_is_told_to_keep_from_its_own_machine(
    bench: Bench, asked: list[dict[str, Any]]
) -> None:
    """A name may stand for another address there."""
    bench.http.post(f"{CAMERAS}/test", json={"url": "rtsp://camera.invalid/x"}).raise_for_status()
    assert [one["local"] for one in asked] == [False]


def test_the_key_allows_all(bench: Bench, asked: list[dict[str, Any]]) -> None:
    services = bench.services
    allowed = services.settings.model_copy(update={"local_targets": True})
    bench.app.state.services = replace(services, settings=allowed)
    for url in LOCAL:
        assert bench.http.post(f"{CAMERAS}/test", json={"url": url}).json()["words"] == "tried"
    assert all(one["local"] for one in asked)
