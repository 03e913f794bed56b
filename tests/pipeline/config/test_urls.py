"""Which parameters of an address are secret, and that nothing shows or stores them."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from pipeline.cameras.faults import explain, hide
from pipeline.cameras.reach import reach
from pipeline.config.camera_url import CameraUrl, redact, redact_address
from pipeline.config.environment import expand
from pipeline.control.credentials import Credentials
from pipeline.control.spec import checked

SECRET = [
    ("http://h/v.cgi?user=admin&pwd=hunter2", "http://h/v.cgi?user=admin&pwd=***"),
    ("snapshot+http://u:hunter2@h/a.jpg?pwd=hunter3", "snapshot+http://***@h/a.jpg?pwd=***"),
    ("https://h/a.m3u8?token=hunter2", "https://h/a.m3u8?token=***"),
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
    ("srt://h:1?streamid=read:a:u:hunter2&mode=caller", "srt://h:1?streamid=***&mode=caller"),
    ("srt://:1?passphrase=hunter2hunter2", "srt://:1?passphrase=***"),
    ("srt://:1?passphras=hunter2hunter2", "srt://:1?passphras=***"),
    ("srt://:1?stream-id=hunter2hunter2", "srt://:1?stream-id=***"),
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
# Logins in which a character that ends one is not escaped: "hun" and "ter" are the password's.
UNESCAPED = [
    *(f"rtsp://u:hun{ends}ter@h/x" for ends in "/?#["),
    *(f"rtsp://u:hun@ter{ends}2@h/x" for ends in "/?#"),
    *(f"http://u:hun@ter{ends}a=b@h:80/x?y" for ends in "/?#"),
    *(f"rtsp://u:12{ends}hunter@h:554/x" for ends in "/?#"),
    *(f"rtsps://adm{ends}in:hunter@h/x" for ends in "/?#"),
    *(f"rtsp://u:{ends}hunter@h" for ends in "/?#["),
    "rtsp://u:hun@/ter@h/x",
    "rtsp://u:hun@192.0.2.1/ter@h/x",
    "rtsp://u:hun@[ter]@h/x",
    "rtsp://u:[hunter]@h/x",
    "rtsp://[u]x:hun/ter@h",
    "u:hunter@h/x",
    "u:hun@ter/2@h/x?y=http://z",
    "//u:hunter@h/x",
    "rtsp:/u:hunter@h/x",
    "rtsp:u:hunter@h/x",
    "rtsp//u:hunter@h/x",
    "rtps://u:hun/ter@h/x",
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


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://192.0.2.1/user=admin&password=hun@ter&channel=1",
        "rtsp://192.0.2.1/user=admin_password=hun@ter_channel=1_stream=0.sdp",
        "rtsp://u:p@cam:554/x?pwd=hun@ter",
        "rtsp://h/x?token=h@hun@ter",
        "rtsp://u:pass=hun@ter@cam/x",
    ],
)
def test_no_part_of_a_secret_is_left_where_an_at_sign_is_in_it(text: str) -> None:
    words = redact(f"cannot open {text} at all") + redact_address(text)
    assert "hun" not in words
    assert "ter" not in words


def test_space_around_an_address_is_no_part_of_it() -> None:
    assert CameraUrl(" rtsp://192.0.2.1/x \n") == CameraUrl("rtsp://192.0.2.1/x")


@pytest.mark.parametrize("text", UNESCAPED)
def test_a_login_that_is_not_escaped_is_refused_unseen(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(expected scheme://user|unknown scheme)") as refusal:
        CameraUrl(text)
    with pytest.raises(ValueError, match=r"^gate\.url: ") as told:
        checked("gate", {"url": text})
    for words in (str(refusal.value), str(told.value), redact_address(text)):
        assert "hun" not in words
        assert "ter@" not in words
        assert "adm" not in words


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("udp://:99999", "99999"),
        ("udp://:0", "0"),
        ("srt://:-1", "-1"),
        ("rtp://239.0.0.1:5oo4", "5oo4"),
        ("rtsp://cam:70000/x", "70000"),
        ("rtsp://u:hunter@cam:8o/x", "8o"),
        ("http://[::1]:65536/x", "65536"),
        ("rtsp://192.0.2.1:0/x@y", "0"),
    ],
)
def test_a_port_that_is_none(text: str, port: str) -> None:
    with pytest.raises(ValueError, match=r"^gate\.url: ") as told:
        checked("gate", {"url": text})
    assert str(told.value).endswith(f'— port "{port}"; expected 1 to 65535')
    assert "hunter" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["rtsp://adm:hunter", "udp://adm:hun/ter@h:1", "rtsp://a@b:hun/ter@h"]
)
def test_what_may_be_a_password_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="write : /") as told:
        CameraUrl(text)
    assert "hun" not in str(told.value)


def test_the_refusal_says_how_a_password_is_written() -> None:
    with pytest.raises(ValueError, match=r"write : / .* as %3A %2F"):
        CameraUrl("rtsp://u:Se@cret/1@host/x")
    url = CameraUrl("rtsp://us%3Aer:%3A%2F%3F%23%5B%5D%40%25@host/x")
    assert (url.username, url.password, url.host) == ("us:er", ":/?#[]@%", "host")


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("rtsp://u:p@w@h/x", "p@w"),
        ("rtsp://u:p:w@h/x", "p:w"),
        ("rtsp://u:100%@h/x", "100%"),
        ("rtsp://h/cam@1", None),
        ("http://h/x?user=a@b", None),
        ("rtsp://h/user=a&password=p@w&channel=1", None),
        ("rtsp://[::1]/cam@1", None),
        ("rtsp://[::1]:554/cam@1", None),
        ("rtsp://192.0.2.1:554/user=a&password=p:@w&channel=1", None),
    ],
)
def test_what_can_be_read_in_one_way_alone_is_read(text: str, password: str | None) -> None:
    url = CameraUrl(text)
    assert url.password == password
    assert url.host in {"h", "::1", "192.0.2.1"}


@pytest.mark.parametrize(
    ("word", "path"),
    [("0", "/dev/video0"), ("12", "/dev/video12"), ("webcam", "/dev/video0"), (1, "/dev/video1")],
)
def test_a_number_is_a_webcam(word: str | int, path: str) -> None:
    url = checked("gate", {"url": word}).url
    assert (url.scheme, url.path) == ("v4l2", path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("clips/100%25.mp4", "clips/100%25.mp4"),
        ("100%.mp4", "100%.mp4"),
        ("/a%20b.mp4", "/a%20b.mp4"),
        ("file:/a%20b.mp4", "/a b.mp4"),
        ("file:///a%20b%2525.mp4", "/a b%25.mp4"),
        ("FILE:/a.mp4", "/a.mp4"),
        ("./0", "./0"),
        ("webcam.mp4", "webcam.mp4"),
        ("a:b.mp4", "a:b.mp4"),
    ],
)
def test_a_plain_path_is_taken_as_it_is_written(text: str, path: str) -> None:
    url = CameraUrl(text)
    assert (url.scheme, url.path) == ("file", path)
    assert CameraUrl(str(url)) == url


@pytest.mark.parametrize(
    ("text", "near"), [("rtps://h", "rtsp"), ("htttp://h", "http"), ("tset://", "test")]
)
def test_a_misspelt_scheme(text: str, near: str) -> None:
    with pytest.raises(ValueError, match=f'did you mean "{near}"'):
        CameraUrl(text)


def test_the_zone_of_an_address_is_no_escape() -> None:
    url = CameraUrl("rtsp://[fe80::1%25eth0]:554/x")
    assert (url.host, str(url)) == ("fe80::1%eth0", "rtsp://[fe80::1%25eth0]:554/x")


def test_a_password_is_asked_of_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    reach(CameraUrl("rtsp://u:hun@ter@host/x"))
    assert asked == ["host"]


def test_no_fault_repeats_a_secret_of_the_path() -> None:
    url = CameraUrl("rtsp://h/user=a_password=hunter5_channel=1.sdp")
    fault = explain(url, "gst-resource-error-quark", 3, "Not found")
    assert fault is not None
    assert fault.reason == (
        '404 not found: the camera has no path "/user=a_password=***_channel=1.sdp"'
    )
    assert "hunter5" not in hide("login with hunter5 failed", url)


@pytest.mark.slow
def test_a_long_text_is_searched_in_no_time() -> None:
    """By steps that grow with its length, not with the square of it: else this never ends."""
    text = "_pass" * 10_000
    assert redact(text) == text
