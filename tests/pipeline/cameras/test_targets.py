"""Addresses on the worker's own machine or link, in every way that they can be written."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from mirante.faults import FaultCode
from pipeline.cameras import targets
from pipeline.cameras.reach import reach
from pipeline.cameras.web import FetchError, Web
from pipeline.config.camera_url import CameraUrl
from tests.support.http_camera import HttpCamera, http_camera

HERE = [
    "rtsp://127.0.0.1/x",
    "rtsp://user:pass@localhost:8554/x",
    "rtsp://localhost./x",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://127.0.0.1%2e/",
    "http://%31%32%37.0.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://2852039166/",
    "http://100.100.100.200/",
    "rtsp://[::1]/x",
    "rtsp://[::]/x",
    "rtsp://[fe80::1]/x",
    "rtsp://[::ffff:127.0.0.1]/x",
    "rtsp://[::ffff:a9fe:a9fe]/x",
    "rtsp://[::127.0.0.1]/x",
    "rtsp://[64:ff9b::7f00:1]/x",
    "rtsp://[2002:7f00:1::]/x",
    "http://[fd00:ec2::254]/",
    "srt://127.0.0.1:7001",
    "udp://127.0.0.1:5000",
    "snapshot+http://127.0.0.1/a.jpg",
    "file:///etc/passwd",
    "file:clip.mp4",
    "/etc/passwd",
    "images:/home",
    "sdp:/etc/passwd",
    "v4l2:/etc/passwd",
    "v4l2:/dev/watchdog",
    "/dev/video0/../watchdog",
]
ELSEWHERE = [
    "test://",
    "/dev/video0",
    "v4l2:/dev/v4l/by-id/usb-camera",
    "rtsp://192.0.2.10/x",
    "rtsp://10.0.0.4/x",
    "rtsp://[2001:db8::1]/x",
    "rtsp://[::ffff:192.0.2.1]/x",
    "udp://:5000",
    "srt://:7001",
    "http://no-such-name.invalid/",
]


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    with http_camera() as server:
        yield server


@pytest.fixture
def kept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the process of a trial, where nothing undoes it."""
    monkeypatch.setattr(targets, "_forbidden", True)


@pytest.mark.parametrize("address", HERE)
def test_an_address_here_is_known_however_it_is_written(address: str) -> None:
    fault = targets.fault_of_target(CameraUrl(address))
    assert fault is not None
    assert fault.code == FaultCode.LOCAL_TARGET
    assert "dashboard.local_targets" in fault.reason
    assert "user" not in fault.reason


@pytest.mark.parametrize("address", ELSEWHERE)
def test_other_addresses_are_none_of_them(address: str) -> None:
    assert targets.fault_of_target(CameraUrl(address)) is None


def test_every_address_of_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("192.0.2.1", 0)), (2, 1, 6, "", ("169.254.0.9", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert targets.fault_of_target(CameraUrl("rtsp://two.example/x")) is not None


@pytest.mark.usefixtures("kept_away")
@pytest.mark.parametrize("is_known_before", [True, False])
def test_a_connection_here_is_closed_before_anything_is_sent(
    camera: HttpCamera, is_known_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the name stood for another address when it was asked for."""
    if not is_known_before:
        monkeypatch.setattr(targets, "resolves_here", lambda _host: False)
    url = CameraUrl(camera.url("/a.jpg", "snapshot+"))
    with pytest.raises(FetchError) as caught, closing(Web(url, 5)) as web:
        web.get(url.location)
    assert caught.value.fault.code == FaultCode.LOCAL_TARGET
    fault = reach(url)
    assert fault is not None
    assert fault.code == FaultCode.LOCAL_TARGET
    assert not camera.asked


def test_a_redirect_to_here_is_not_followed(
    camera: HttpCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor tells the answer whether anything listens there, which at 127.0.0.2 nothing does."""
    monkeypatch.setattr(targets, "_forbidden", True)
    monkeypatch.setattr(targets, "is_local", lambda address: address == "127.0.0.2")
    camera.manners["/a.jpg"] = lambda request: request.answer(
        302, Location=f"http://127.0.0.2:{camera.server_port}/secret"
    )
    url = CameraUrl(camera.url("/a.jpg", "snapshot+"))
    refused = pytest.raises(FetchError, match=r"dashboard\.local_targets")
    with refused, closing(Web(url, 5)) as web:
        web.get(url.location)
    assert camera.paths() == ["/a.jpg"]


@pytest.mark.usefixtures("kept_away")
def test_a_port_here_that_refuses_is_not_told_from_one_that_listens() -> None:
    fault = reach(CameraUrl("rtsp://127.0.0.1:1/x"))
    assert fault is not None
    assert fault.code == FaultCode.LOCAL_TARGET


def test_nothing_is_kept_from_a_worker_s_own_cameras(camera: HttpCamera) -> None:
    targets.check_host("localhost")
    url = CameraUrl(camera.url("/a.jpg", "snapshot+"))
    camera.manners["/a.jpg"] = lambda request: request.answer(200, b"x")
    with closing(Web(url, 5)) as web:
        assert web.get(url.location).status == 200


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "/etc/passwd", "http://[::1/x", "http://h:99999/x", "http:///x"],
)
def test_what_a_playlist_or_a_redirect_names_is_an_address_of_http(
    camera: HttpCamera, address: str
) -> None:
    url = CameraUrl(camera.url("/a.jpg", "snapshot+"))
    camera.manners["/a.jpg"] = lambda request: request.answer(302, Location=address)
    with closing(Web(url, 5)) as web:
        with pytest.raises(FetchError) as named:
            web.get(address)
        assert named.value.fault.code == FaultCode.UNREADABLE
        if not address.startswith("/"):  # which is one of the camera's own
            with pytest.raises(FetchError):
                web.get(url.location)
