"""The pattern of addresses in the document: what it matches is taken, and what is usual matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import from_regex

from dashboard.api.address_pattern import address_pattern
from pipeline.config.camera_url import CameraUrl

PATTERN = re.compile(address_pattern())
USUAL = [
    "rtsp://192.0.2.10/main",
    "rtsp://viewer:p%40ss%3Aw@192.0.2.10:554/cam/realmonitor?channel=1&subtype=0",
    "rtsps://cam.lan/stream",
    "rtsp://[2001:db8::1]:554/a",
    "rtsp://[::ffff:c000:20a]/a",
    "http://192.0.2.10/video.mjpg?user=a&pwd=b",
    "https://host/live/index.m3u8",
    "snapshot+http://192.0.2.10/snapshot.jpg",
    "hls+https://host/x",
    "file+http://host/a.mp4",
    "ts+http://host:8080/a",
    "rtmp://192.0.2.10/live/gate",
    "srt://192.0.2.10:8890?streamid=gate-camera-1",
    "srt://:7001",
    "udp://:5000",
    "udp://239.255.0.1:5000?interface=eth0",
    "rtp://:5004",
    "test://?size=640x360&fps=10",
    "test://",
    "/dev/video0",
    "webcam",
    "0",
    "v4l2:/dev/video1",
    "file:/clips/a b.mp4".replace(" ", "_"),
    "file:///clips/a.mp4",
    "clips/street.avi",
    "images:/folder/%05d.jpg",
    "sdp:/cameras/gate.sdp",
]


@pytest.mark.parametrize("address", USUAL)
def test_what_is_usual_matches(address: str) -> None:
    assert PATTERN.search(address)
    CameraUrl(address)


@pytest.mark.parametrize(
    "text", ["", "rtsp://", "gopher://h/x", "rtsp:/h", "http://h:99999/", "a:b@c"]
)
def test_what_is_no_address_does_not(text: str) -> None:
    assert not PATTERN.search(text)
    with pytest.raises(ValueError):
        CameraUrl(text)


@seed(1)
@settings(
    max_examples=120,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(from_regex(PATTERN, fullmatch=True))
def test_what_matches_is_taken(address: str) -> None:
    url = CameraUrl(address)
    url.kind.check_query(url.query)
    url.kind.check(url)
