"""What answers of cameras mean, by status and by content."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.answers import (
    date_off_s,
    fault_of,
    is_plain,
    is_refused,
    lacks_video,
    no_login,
    no_transport,
)
from pipeline.cameras.content import content_of, fault_of_content
from pipeline.cameras.nal_units import CODECS, unit_types
from pipeline.cameras.reach import fault_of_error
from pipeline.cameras.transport import Transport
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from tests.support.fault_words import reads_as

URL = CameraUrl("rtsp://viewer:hunter2@cam/live?token=hunter3")
BARE = CameraUrl("rtsp://cam/live")
DIGEST = 'Digest realm="x, algorithm=MD5-sess", nonce="1"'
STATUSES = [
    (401, "DESCRIBE", FaultCode.UNAUTHORISED),
    (403, "DESCRIBE", FaultCode.FORBIDDEN),
    (404, "DESCRIBE", FaultCode.NOT_FOUND),
    (404, "GET", FaultCode.NOT_FOUND),
    (410, "GET", FaultCode.NOT_FOUND),
    (404, "SETUP", FaultCode.STREAM_MISSING),
    (404, "PLAY", FaultCode.STREAM_MISSING),
    (400, "DESCRIBE", FaultCode.REJECTED),
    (302, "GET", FaultCode.REDIRECTED),
    (405, "PLAY", FaultCode.UNSUPPORTED),
    (415, "DESCRIBE", FaultCode.UNSUPPORTED),
    (429, "GET", FaultCode.UNAVAILABLE),
    (453, "SETUP", FaultCode.CAMERA_FULL),
    (454, "PLAY", FaultCode.SESSION_LOST),
    (459, "SETUP", FaultCode.REJECTED),
    (499, "SETUP", FaultCode.REJECTED),
    (500, "DESCRIBE", FaultCode.CAMERA_ERROR),
    (501, "SETUP", FaultCode.UNSUPPORTED),
    (503, "DESCRIBE", FaultCode.UNAVAILABLE),
    (502, "GET", FaultCode.CAMERA_ERROR),
    (551, "DESCRIBE", FaultCode.UNSUPPORTED),
]


@pytest.mark.parametrize(("status", "asked", "code"), STATUSES)
def test_each_status(status: int, asked: str, code: FaultCode) -> None:
    fault = fault_of(URL, status, asked, "rtsp://viewer:hunter2@cam")
    assert fault.code is code
    said = {410: "404", 302: "the camera redirects without an end"}
    assert fault.reason.startswith(said.get(status, str(status)))
    assert reads_as(fault)
    assert "hunter" not in fault.reason


def test_what_passes_by_itself_is_tried_soon() -> None:
    soon = {code for _, _, code in STATUSES if not code.needs_repair}
    assert soon == {
        FaultCode.CAMERA_FULL,
        FaultCode.UNAVAILABLE,
        FaultCode.CAMERA_ERROR,
        FaultCode.SESSION_LOST,
    }


def test_words_name_what_was_asked() -> None:
    reason = fault_of(URL, 454, "PLAY").reason
    assert reason == "454 session not found: the camera has forgotten the session (PLAY)"
    assert fault_of(BARE, 401).code is FaultCode.LOGIN_REQUIRED
    assert fault_of(BARE, 499, "SETUP", "Out of tea").reason.startswith("499 Out of tea: ")
    assert no_transport("tcp").reason.endswith("does not send over TCP")
    assert no_transport("tcp", "udp").reason.endswith("does not send over TCP or UDP")
    assert reads_as(no_transport("udp"))


@pytest.mark.parametrize(
    ("option", "refusals", "words"),
    [
        ("auto", [True, True], "TCP or UDP"),
        ("auto", [True, True, True, True], "TCP or UDP"),
        ("auto", [False, True], "UDP"),
        ("tcp", [True], "TCP"),
    ],
)
def test_all_transports_that_were_refused_are_named(
    option: str, refusals: list[bool], words: str
) -> None:
    transport = Transport(Camera.model_validate({"url": "rtsp://cam/x", "transport": option}))
    for refuses in refusals:
        transport.turn(refuses, not refuses)
    told = transport.told(no_transport(transport.current))
    assert told.reason.endswith(f" does not send over {words}")
    assert transport.told(fault_of(URL, 503)) == fault_of(URL, 503)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (b"v=0\r\nm=audio 0 RTP/AVP 0\r\nm=application 0 x\r\n", "only audio and metadata"),
        (b"v=0\r\ni=m=video\r\n", "it offers no stream"),
    ],
)
def test_a_description_without_video(description: bytes, words: str) -> None:
    fault = lacks_video(description)
    assert fault is not None
    assert fault.code is FaultCode.AUDIO_ONLY
    assert words in fault.reason
    assert reads_as(fault)
    assert lacks_video(description + b"m=video 0 RTP/AVP 96\r\n") is None


@pytest.mark.parametrize(
    ("challenges", "plain"),
    [
        (["Basic realm=x"], True),
        (['Digest realm="x", nonce="1"', 'Basic realm="x"'], True),
        (['Digest nonce="1", algorithm="MD5"'], True),
        (['Digest nonce="1", algorithm=SHA-256'], False),
        (['Digest nonce="1", Digest nonce="2", algorithm=SHA-256'], False),
        (["Negotiate"], False),
        ([], False),
    ],
)
def test_which_logins_are_rtspsrcs(challenges: list[str], plain: bool) -> None:
    assert is_plain(challenges) is plain


def test_a_login_is_not_repeated() -> None:
    assert is_refused('Digest cnonce="2", nonce="1"', [DIGEST])
    assert not is_refused('Digest cnonce="1", nonce="2"', [DIGEST])
    assert is_refused("Basic eDp5", ["Basic realm=x"])


@pytest.mark.parametrize(
    ("challenges", "name"),
    [
        (["Negotiate"], "by Negotiate,"),
        (['Digest realm="x", algorithm=SHA3'], "by Digest SHA3,"),
        (['Bearer realm="x"', "NTLM"], "by Bearer or NTLM,"),
        ([], "by no known way,"),
    ],
)
def test_a_login_that_is_not_supported(challenges: list[str], name: str) -> None:
    fault = no_login(challenges)
    assert name in fault.reason
    assert reads_as(fault)


@pytest.mark.parametrize(
    ("kind", "begin", "content", "name"),
    [
        ("multipart/x-mixed-replace; boundary=a", b"\xff\xd8\xff", "images", "multipart/x-mixed"),
        ("image/jpeg", b"\xff\xd8\xff\xe0", "image", "image/jpeg"),
        ("", b"\xff\xd8\xff\xe0", "image", "JPEG"),
        ("application/octet-stream", b"\x89PNG\r\n\x1a\n", "image", "PNG"),
        ("", b"--frame\r\nContent-Type: image/jpeg", "images", "multipart"),
        ("video/x-motion-jpeg", b"\xff\xd8\xff", "images", "video/x-motion-jpeg"),
        ("text/plain", b"\xef\xbb\xbf#EXTM3U\n", "playlist", "HLS"),
        ("application/x-mpegURL", b"x", "playlist", "application/x-mpegURL"),
        ("", b"<?xml version='1.0'?>\n<MPD xmlns=''>", "playlist", "HLS"),
        ("image/jpeg", b"\r\n<!DOCTYPE html>", "page", "HTML"),
        ("text/html", b"denied", "page", "text/html"),
        ("video/mp4", b"\0\0\0\x20ftypisom", "video", "video/mp4"),
        ("", b"\x47" + bytes(187) + b"\x47", "video", "MPEG-TS"),
        ("application/json", b"{}", "other", "application/json"),
        ("application/octet-stream", b"\0" * 20, "unknown", "application/octet-stream"),
        ("x<script>", b"x", "unknown", "something"),
        ("image/jpeg", b"", "unknown", "nothing"),
    ],
)
def test_what_an_answer_holds(kind: str, begin: bytes, content: str, name: str) -> None:
    found = content_of(kind, begin)
    assert found[0] == content
    assert found[1].startswith(name)


@pytest.mark.parametrize(
    ("content", "code", "form"),
    [
        ("image", FaultCode.SNAPSHOT, "snapshot+"),
        ("playlist", FaultCode.PLAYLIST, "hls+"),
        ("video", FaultCode.RECORDING, "file+"),
        ("page", FaultCode.WEB_PAGE, "log in"),
        ("other", FaultCode.OTHER_CONTENT, "address of the video"),
    ],
)
def test_what_it_means(content: str, code: FaultCode, form: str) -> None:
    fault = fault_of_content(content, "text/x", "MJPEG")  # type: ignore[arg-type]
    assert fault.code is code
    assert "text/x" in fault.reason
    assert form in code.advice
    assert reads_as(fault)


@pytest.mark.parametrize(
    ("codec", "payload", "types"),
    [
        ("H264", b"\x67abc", {7}),
        ("H264", b"\x7c\x85abc", {5}),
        ("H264", b"\x7c\x05abc", {5}),
        ("H264", b"\x78\0\x02\x67a\0\x02\x68b", {7, 8}),
        ("H265", b"\x42\x01abc", {33}),
        ("H265", b"\x62\x01\x93abc", {19}),
        ("H265", b"\x60\x01\0\x03\x42\x01a\0\x03\x44\x01a", {33, 34}),
        ("H264", b"", set()),
        ("H265", b"\x62\x01", set()),
    ],
)
def test_the_units_in_a_packet(codec: str, payload: bytes, types: set[int]) -> None:
    assert unit_types(b"\x80" + bytes(11) + payload, CODECS[codec]) == types
    extended = b"\x91" + bytes(11) + b"from" + b"\0\0\0\x01more" + payload
    assert unit_types(extended, CODECS[codec]) == types
    assert unit_types(payload[:11], CODECS[codec]) == set()


@pytest.mark.parametrize(
    ("host", "place"), [("192.0.2.1", "192.0.2.1:554"), ("fe80::1%eth0", "[fe80::1%eth0]:554")]
)
def test_a_port_is_told_as_an_address_has_it(host: str, place: str) -> None:
    for error in (ConnectionRefusedError(), TimeoutError()):
        assert place in fault_of_error(error, host, 554).reason


@pytest.mark.parametrize("off_s", [0, -86_400, 3600])
def test_how_far_a_camera_s_clock_is_by_the_date_of_an_answer(
    off_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = time.time()
    monkeypatch.setattr("pipeline.cameras.answers.time.time", lambda: now_s)
    dates = [formatdate(now_s + off_s, usegmt=True), formatdate(now_s + off_s)]
    for date in dates:
        found = date_off_s(date)
        assert found is not None
        assert abs(found - off_s) <= 1


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 25:61:00", "0"])
def test_a_date_that_is_none_says_nothing(date: str) -> None:
    assert date_off_s(date) is None
