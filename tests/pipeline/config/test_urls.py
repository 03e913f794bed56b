"""Which parameters of an address are secret, and that nothing shows or stores them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cameras.faults import explain, hide
from pipeline.config.camera_url import CameraUrl, redact
from pipeline.config.environment import expand
from pipeline.control.credentials import Credentials

SECRET = [
    ("http://h/v.cgi?user=admin&pwd=hunter2", "http://h/v.cgi?user=admin&pwd=***"),
    (
        "http://h/v.cgi?user=admin&pwd=hunter2&loginuse=a&loginpas=hunter3",
        "http://h/v.cgi?user=admin&pwd=***&loginuse=a&loginpas=***",
    ),
    (
        "rtsp://h/user=admin_password=hunter5_channel=1_stream=0.sdp",
        "rtsp://h/user=admin_password=***_channel=1_stream=0.sdp",
    ),
    (
        "rtsp://h:554/user=admin&password=hunter5&channel=1&stream=0.sdp?real_stream",
        "rtsp://h:554/user=admin&password=***&channel=1&stream=0.sdp?real_stream",
    ),
    (
        "rtsp://h/user=a_password=hunter5_channel=1.sdp?token=hunter6",
        "rtsp://h/user=a_password=***_channel=1.sdp?token=***",
    ),
    ("rtsp://h/password=hunter5?channel=1", "rtsp://h/password=***?channel=1"),
    ("https://h/x?usr=a&pw=hunter7", "https://h/x?usr=a&pw=***"),
    ("rtsps://h/x?a=1;password=hunter8;b_c=2", "rtsps://h/x?a=1;password=***;b_c=2"),
    ("rtsp://h/x?pass=hunter_2_b&c=1", "rtsp://h/x?pass=***&c=1"),
    ("rtsp://h/x?access_token=hunter_2==&c=1", "rtsp://h/x?access_token=***&c=1"),
    ("rtsp://h/x?token=hunter/2+b?c", "rtsp://h/x?token=***"),
    ("rtsp://h/x?token=hunter;2", "rtsp://h/x?token=***"),
    ("rtsp://h/x?password=hun#ter2", "rtsp://h/x?password=***"),
    ("rtsp://admin:hunter2@h/x?API_KEY=hunter3", "rtsp://***@h/x?API_KEY=***"),
    ("http://h/x?Authorization=hunter2", "http://h/x?Authorization=***"),
    ("http://h/x?user_pw=hunter2&loginpass=hunter3", "http://h/x?user_pw=***&loginpass=***"),
]
ORDINARY = [
    f"{place}{name}=1"
    for name in [
        "passage",
        "bypass",
        "compass",
        "passive",
        "keyframe",
        "key_frame",
        "monkey",
        "author",
        "pwm",
        "spawn",
        "channel",
        "user",
        "x",
    ]
    for place in ("rtsp://h/x?", "http://h/x?a=1&", "rtsp://h/", "rtsp://h/user=a_")
]
LOCAL = ["file:/clips/key=1.mp4", "file:/clips/is it?password=1.mp4", "test://?key=1"]


@pytest.mark.parametrize(("text", "shown"), SECRET)
def test_a_secret_is_shown_and_stored_nowhere(text: str, shown: str, tmp_path: Path) -> None:
    assert str(CameraUrl(text)) == redact(text) == shown
    assert str(CameraUrl(shown.replace("***@", ""))) == shown.replace("***@", "")
    words = redact(f"cannot open {text} at all")
    assert words == f"cannot open {shown} at all"
    credentials = Credentials(tmp_path / "credentials.json")
    stored = credentials.withdraw("gate", text)
    assert "hun" not in stored
    assert "ter" not in stored
    assert redact(stored) == shown
    assert expand(stored, credentials.lookup) == text
    assert credentials.withdraw("gate", stored) == stored, "what is withdrawn stays so"
    credentials.forget(stored)
    assert json.loads(credentials.path.read_text()) == {}


@pytest.mark.parametrize("text", [*ORDINARY, *LOCAL])
def test_what_is_no_secret_is_left_alone(text: str, tmp_path: Path) -> None:
    assert str(CameraUrl(text)) == text
    assert Credentials(tmp_path / "credentials.json").withdraw("gate", text) == text
    if text not in LOCAL:  # of any text it may be
        assert redact(text) == text


def test_no_fault_repeats_a_secret_of_the_path() -> None:
    url = CameraUrl("rtsp://h/user=a_password=hunter5_channel=1.sdp")
    fault = explain(url, "gst-resource-error-quark", 3, "Not found")
    assert fault is not None
    assert fault.reason == (
        '404 not found: the camera has no path "/user=a_password=***_channel=1.sdp"'
    )
    assert "hunter5" not in hide("login with hunter5 failed", url)


def test_a_long_text_is_searched_in_no_time() -> None:
    """By steps that grow with its length, not with the square of it: else this never ends."""
    text = "_pass" * 40_000
    assert redact(text) == text
