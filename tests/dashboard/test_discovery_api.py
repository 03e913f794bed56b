from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from dashboard.access.identity import Identity
from dashboard.access.rights import Right, declared
from dashboard.api import discovery
from dashboard.onvif.discovery import Network
from tests.support.onvif_camera import GROUP, HOST, OnvifCamera, heard_out

pytestmark = pytest.mark.slow

LOGIN = {"user": "anna", "password": "hunter2"}


@pytest.fixture
def camera() -> Iterator[OnvifCamera]:
    encoders = (("H264", 1920, 1080, 25), ("JPEG", 640, 360, 10))
    login = (LOGIN["user"], LOGIN["password"])
    with OnvifCamera(login=login, encoders=encoders) as camera:
        yield camera


@pytest.fixture
def client(camera: OnvifCamera) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(discovery.router)
    app.dependency_overrides[Right("admin")] = lambda: Identity("root", "admin", "session")
    near = Network(GROUP, camera.udp_port, 0.3, (HOST,))
    app.dependency_overrides[discovery.network] = lambda: near
    with heard_out(camera):
        yield TestClient(app)


def test_cameras_and_their_streams(camera: OnvifCamera, client: TestClient) -> None:
    answer = client.post("/api/v1/discovery", json=LOGIN)
    assert answer.status_code == 200
    assert answer.json() == {
        "cameras": [
            {
                "name": "Front gate",
                "address": HOST,
                "model": "Eye-7",
                "location": "yard",
                "streams": list(camera.uris),
                "profiles": [
                    {
                        "url": "rtsp://127.0.0.1/main",
                        "name": "profile 0",
                        "size": [1920, 1080],
                        "fps": 25.0,
                        "codec": "H.264",
                        "best_for": "view",
                    },
                    {
                        "url": "rtsp://127.0.0.1/sub",
                        "name": "profile 1",
                        "size": [640, 360],
                        "fps": 10.0,
                        "codec": "MJPEG",
                        "best_for": "analysis",
                    },
                ],
                "words": "",
            }
        ],
        "words": "1 camera answered",
    }


def test_streams_are_chosen_for_the_analysis_that_is_asked_for(client: TestClient) -> None:
    asked = {**LOGIN, "width": 1280, "height": 1280}
    (camera,) = client.post("/api/v1/discovery", json=asked).json()["cameras"]
    assert [each["best_for"] for each in camera["profiles"]] == ["analysis", None]
    assert client.post("/api/v1/discovery", json=LOGIN | {"width": 0}).status_code == 422


def test_a_camera_that_wants_a_password_is_shown_with_words(client: TestClient) -> None:
    nobodies: list[dict[str, str] | None] = [{}, None]
    for nobody in nobodies:
        (camera,) = client.post("/api/v1/discovery", json=nobody).json()["cameras"]
        assert camera["streams"] == []
        assert "wants a password" in camera["words"]


def test_nothing_answers(camera: OnvifCamera, client: TestClient) -> None:
    camera.datagrams = []
    assert client.post("/api/v1/discovery").json() == {
        "cameras": [],
        "words": "nothing answered within 0.3 s; cameras answer only on the same network segment, "
        "with ONVIF switched on, and a container needs host networking",
    }


def test_answers_that_do_not_count_are_said(camera: OnvifCamera, client: TestClient) -> None:
    camera.services = "http://192.0.2.7/onvif"
    camera.datagrams = [b"no XML", camera.match()]
    words = client.post("/api/v1/discovery").json()["words"]
    assert "answers that could not be read: 2" in words
    assert "answers left out as they name another machine's address: 2" in words


def test_no_network(client: TestClient) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    app.dependency_overrides[discovery.network] = lambda: Network(interfaces=())
    answer = client.post("/api/v1/discovery").json()
    assert answer["words"] == (
        "the network cannot be asked: this machine has no network interface that is up"
    )


@pytest.mark.parametrize("half", [{"user": "anna"}, {"password": "hunter2"}, {"pasword": "x"}])
def test_half_a_login_is_refused_and_not_repeated(
    client: TestClient, camera: OnvifCamera, half: dict[str, str]
) -> None:
    answer = client.post("/api/v1/discovery", json=half)
    assert answer.status_code == 422
    assert camera.probes == []
    if "password" in half:
        assert "hunter2" not in answer.text


def test_who_asks_cannot_choose_where(client: TestClient, camera: OnvifCamera) -> None:
    """The network that is asked is no parameter."""
    described = client.get("/openapi.json").json()["paths"]["/api/v1/discovery"]["post"]
    assert "parameters" not in described


def test_only_admins_may_ask() -> None:
    assert declared(discovery.router.routes[0]) == Right("admin")
