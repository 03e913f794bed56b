"""Cameras that are added and removed as with DeepStream's REST server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.tokens import hashed

pytestmark = pytest.mark.redis

ADD, REMOVE = "/api/v1/stream/add", "/api/v1/stream/remove"
URL = "rtsp://u:p@10.0.0.7/stream1"


@pytest.fixture
def site(redis_server: RedisServer, tmp_path: Path) -> Iterator[Bench]:
    tokens = {role: hashed(role, role=role) for role in ("admin", "operator", "viewer")}
    with serving(redis_server, tmp_path, tokens=tokens) as made:
        made.http.headers["Authorization"] = "Bearer admin"
        yield made


def said(change: str, **more: str) -> dict[str, Any]:
    """A request as DeepStream's documentation has it."""
    value = {"camera_id": "sensor-1", "camera_name": "front door", "change": change} | more
    return {
        "key": "sensor",
        "value": {**value, "metadata": {"resolution": "1920 x1080", "codec": "h264"}},
        "headers": {"source": "vst", "created_at": "2021-06-01T14:34:13.417Z"},
    }


def test_added_and_removed(site: Bench) -> None:
    body = said("camera_add", camera_url=URL)
    answer = site.http.post(ADD, json=body)
    assert answer.status_code == 200
    assert answer.json() == {"status": "HTTP/1.1 200 OK", "reason": "STREAM_ADD_SUCCESS"}
    camera = site.http.get("/api/v1/cameras/sensor-1").json()
    assert camera["url"] == "rtsp://***@10.0.0.7/stream1"

    again = site.http.post(ADD, json=body)
    assert again.status_code == 409
    told = again.json()
    assert (told["status"], told["reason"]) == ("HTTP/1.1 409 Conflict", "STREAM_ADD_FAIL")
    assert 'camera "sensor-1" exists already' in told["detail"]

    # The URL goes with it, as DeepStream wants it; VST's own events say "event".
    gone = said("camera_remove", camera_url=URL)
    gone["event"] = gone.pop("value")
    answer = site.http.post(REMOVE, json=gone)
    assert answer.json() == {"status": "HTTP/1.1 200 OK", "reason": "STREAM_REMOVE_SUCCESS"}
    assert site.http.get("/api/v1/cameras/sensor-1").status_code == 404
    answer = site.http.post(REMOVE, json=gone)
    assert (answer.status_code, answer.json()["reason"]) == (404, "STREAM_REMOVE_FAIL")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (ADD, {"key": "sensor"}, "value: missing"),
        (ADD, said("camera_add"), "value.camera_url: missing; expected an address"),
        (ADD, said("camera_add", camera_url="rtsp://u:p@h:0/"), "rtsp://***@h:0/"),
        (ADD, said("camera_remove"), "value.change: expected camera_add or camera_streaming"),
        (REMOVE, said("camera_add", camera_url=URL), "value.change: expected camera_remove"),
        (ADD, said("camera_add", camera_url=URL, camera_id="a b"), "value.camera_id: expected 1"),
        (ADD, {"value": {"camera_id": 3, "change": "camera_add"}}, "Expected `str`, got `int`"),
        (ADD, [], "body"),
    ],
)
def test_what_is_refused(site: Bench, path: str, body: Any, words: str) -> None:
    answer = site.http.post(path, json=body)
    told = answer.json()
    assert answer.status_code == 422
    assert told["status"].startswith("HTTP/1.1 422 ")
    assert told["reason"] == f"STREAM_{path.rpartition('/')[2].upper()}_FAIL"
    assert words in str(told["detail"])
    assert "u:p" not in answer.text
    assert site.http.get("/api/v1/cameras").json() == []


@pytest.mark.parametrize(("role", "status"), [("operator", 403), ("viewer", 403), ("none", 401)])
def test_who_may(site: Bench, role: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {role}"}
    for path, change in ((ADD, "camera_add"), (REMOVE, "camera_remove")):
        answer = site.http.post(path, json=said(change, camera_url=URL), headers=headers)
        assert answer.status_code == status
    assert site.http.get("/api/v1/cameras").json() == []
