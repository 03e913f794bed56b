"""What is said about faults, and what never is."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.faults import explain, hide
from pipeline.cameras.reach import reach
from pipeline.cameras.state import Fault, State
from pipeline.config.camera_url import CameraUrl
from tests.support.fault_words import reads_as
from tests.support.watched import Watched

RESOURCE, STREAM, CORE, LIBRARY = (
    f"gst-{kind}-error-quark" for kind in ("resource", "stream", "core", "library")
)
PASSWORD = "h0rse/battery staple"
ENCODED = "h0rse%2Fbattery%20staple"

ERRORS = [
    (
        "rtsp://cam/a",
        RESOURCE,
        15,
        "Unauthorized",
        "401 unauthorised: the camera asks for",
        FaultCode.LOGIN_REQUIRED,
    ),
    (
        "rtsp://u:p@cam/a",
        RESOURCE,
        15,
        "Unauthorized",
        "401 unauthorised: the camera refu",
        FaultCode.UNAUTHORISED,
    ),
    (
        "http://u:p@cam/a",
        RESOURCE,
        15,
        "Forbidden (403)",
        "403 forbidden: this user may",
        FaultCode.FORBIDDEN,
    ),
    (
        "rtsp://cam/a",
        RESOURCE,
        3,
        "Not found",
        '404 not found: the camera has no path "/a"',
        FaultCode.NOT_FOUND,
    ),
    ("file:/a.mp4", RESOURCE, 3, "Resource not found", "no such file: /a.mp4", FaultCode.NO_FILE),
    (
        "/dev/video9",
        RESOURCE,
        3,
        "no",
        "no device /dev/video9: not plugged in?",
        FaultCode.NO_DEVICE,
    ),
    (
        "/dev/video9",
        RESOURCE,
        4,
        "busy",
        "/dev/video9 is in use by another program",
        FaultCode.BUSY,
    ),
    (
        "/dev/video9",
        RESOURCE,
        7,
        "open",
        "/dev/video9 cannot be opened: no permission",
        FaultCode.NO_ACCESS,
    ),
    (
        "file:/a.mp4",
        RESOURCE,
        5,
        "open",
        "/a.mp4 cannot be opened: no permission",
        FaultCode.NO_ACCESS,
    ),
    (
        "rtsp://cam/a",
        STREAM,
        6,
        "H.265 decoder",
        "no decoder for this video: H.265",
        FaultCode.NO_DECODER,
    ),
    (
        "rtsp://cam/a",
        CORE,
        12,
        "H.265 decoder",
        "no decoder for this video: H.265",
        FaultCode.NO_DECODER,
    ),
    ("file:/a.txt", STREAM, 4, "text", "not a readable video: text", FaultCode.UNREADABLE),
    (
        "test://",
        RESOURCE,
        13,
        "mirinfer0: no such model",
        "mirinfer0: no such model",
        FaultCode.INVALID,
    ),
    ("rtsp://cam/a", STREAM, 1, "Internal data error", "Internal data error", FaultCode.OTHER),
    ("test://", LIBRARY, 1, "mirstage0: cursed", "mirstage0: cursed", FaultCode.STAGE_FAILED),
    ("test://", LIBRARY, 1, "openjpegdec: no", "openjpegdec: no", FaultCode.OTHER),
]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file:/tmp/x#y.mp4", "/tmp/x#y.mp4"),
        ("file:///tmp/x?y#z.mp4", "/tmp/x?y#z.mp4"),
        ("clips/is it #1?.mp4", "clips/is it #1?.mp4"),
        ("file:/tmp/100%20%23.mp4", "/tmp/100 #.mp4"),
    ],
)
def test_a_path_may_hold_what_begins_a_query_elsewhere(text: str, path: str) -> None:
    url = CameraUrl(text)
    assert (url.path, url.query) == (path, "")
    assert CameraUrl(str(url)) == url


@pytest.mark.parametrize("text", ["test://", "test://?size=320x180&fps=5", "file:clip#1.mp4"])
def test_an_address_is_shown_as_it_is_written(text: str) -> None:
    assert str(CameraUrl(text)) == text


@pytest.mark.parametrize(("url", "domain", "number", "text", "words", "code"), ERRORS)
def test_each_error_in_words(
    url: str, domain: str, number: int, text: str, words: str, code: FaultCode
) -> None:
    fault = explain(CameraUrl(url), domain, number, text, is_own=text.startswith("mir"))
    assert fault is not None
    assert fault.reason.startswith(words)
    assert fault.code is code
    assert reads_as(fault)


@pytest.mark.parametrize("code", [5, 6, 7, 9, 10])
def test_what_only_the_network_can_tell(code: int) -> None:
    assert explain(CameraUrl("rtsp://cam/a"), RESOURCE, code, "Could not open resource") is None


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (socket.gaierror(-2, "unknown"), FaultCode.UNKNOWN_HOST, 'unknown host "cam"'),
        (
            ConnectionRefusedError(111, "refused"),
            FaultCode.REFUSED,
            "connection refused: nothing listens at cam:554",
        ),
        (
            TimeoutError(),
            FaultCode.UNREACHABLE,
            "cam:554 does not answer: switched off, or behind a firewall",
        ),
        (
            OSError(113, "No route to host"),
            FaultCode.NO_ROUTE,
            "no route to cam: No route to host",
        ),
    ],
)
def test_each_way_not_to_get_there(
    error: OSError, code: FaultCode, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    assert reach(CameraUrl("rtsp://cam/a")) == Fault(code, words)
    assert reads_as(Fault(code, words))


def test_a_server_without_tls() -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        fault = reach(CameraUrl(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join()
    assert fault is not None
    assert fault.code is FaultCode.NO_TLS


def test_nothing_is_said_against_a_network_that_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert reach(CameraUrl(f"http://127.0.0.1:{listener.getsockname()[1]}/")) is None


@pytest.mark.parametrize(
    "text",
    [
        f"cannot open rtsp://viewer:{ENCODED}@cam/live",
        f"login with {PASSWORD} failed",
        f"login with {ENCODED} failed",
        f"GET /live?token={ENCODED} failed",
    ],
)
def test_credentials_are_hidden_in_any_form(text: str) -> None:
    hidden = hide(text, CameraUrl(f"rtsp://viewer:{ENCODED}@cam/live?token={ENCODED}"))
    assert PASSWORD not in hidden
    assert ENCODED not in hidden
    assert "***" in hidden


@pytest.mark.rtsp
@pytest.mark.parametrize("mount", ["locked", "good", "nothing"])
def test_no_output_ever_holds_the_password(
    mount: str, server: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url(mount, f"viewer:{ENCODED}@") + f"?key={ENCODED}"
    with Watched("secret", url) as camera:
        expected = State.RUNNING if mount == "good" else State.FAILED
        camera.wait(expected)
    runner = camera.runner
    texts = [str(change) + repr(change) for _, change in camera.changes]
    texts += [caplog.text, *capfd.readouterr(), repr(runner), repr(runner.spec), str(vars(runner))]
    for text in texts:
        for secret in (PASSWORD, ENCODED, "battery"):
            assert secret not in text
