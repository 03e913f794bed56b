"""A camera's refusals come through GStreamer with their own codes, and logins with SHA-256."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.reach import reach
from pipeline.cameras.state import State, Transition
from pipeline.config.camera_url import CameraUrl
from pipeline.gst import rtsp_answers
from tests.support.answering import PASSWORD, USER, Request, answering
from tests.support.fault_words import reads_as
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp

JPEG = b"\xff\xd8\xff\xe0" + bytes(600) + b"\xff\xd9"
CONTENTS = {
    "page": ("text/html", b"<html>log in</html>"),
    "snapshot": ("image/jpeg", JPEG),
    "login": ("image/jpeg", JPEG),
    "live": ("application/vnd.apple.mpegurl", b"#EXTM3U\n"),
    "clip": ("video/mp4", b"\0\0\0\x20ftypisom" + bytes(600)),
    "json": ("application/json", b'{"error": 3}'),
}
RTSP = {
    "DESCRIBE/400": FaultCode.REJECTED,
    "DESCRIBE/453": FaultCode.CAMERA_FULL,
    "DESCRIBE/503": FaultCode.UNAVAILABLE,
    "DESCRIBE/551": FaultCode.UNSUPPORTED,
    "SETUP/404": FaultCode.STREAM_MISSING,
    "SETUP/461": FaultCode.WRONG_TRANSPORT,
    "SETUP/500": FaultCode.CAMERA_ERROR,
    "PLAY/454": FaultCode.SESSION_LOST,
    "OPTIONS/403": FaultCode.FORBIDDEN,
    "sound": FaultCode.AUDIO_ONLY,
    "nothing": FaultCode.AUDIO_ONLY,
    "ask/Negotiate": FaultCode.LOGIN_UNSUPPORTED,
    "bare": FaultCode.NO_PARAMETER_SETS,
}
HTTP = {
    "page": FaultCode.WEB_PAGE,
    "moved": FaultCode.WEB_PAGE,
    "snapshot": FaultCode.SNAPSHOT,
    "live": FaultCode.PLAYLIST,
    "clip": FaultCode.RECORDING,
    "json": FaultCode.OTHER_CONTENT,
    "403": FaultCode.FORBIDDEN,
    "404": FaultCode.NOT_FOUND,
    "503": FaultCode.UNAVAILABLE,
    "login/SHA-256": FaultCode.SNAPSHOT,  # which is behind it
    "login/MD5": FaultCode.SNAPSHOT,
    "ask/Negotiate": FaultCode.LOGIN_UNSUPPORTED,
}
Camera = tuple[int, int, list[Request]]


@pytest.fixture(scope="module")
def camera() -> Iterator[Camera]:
    with answering(CONTENTS) as running:
        yield running


@pytest.fixture(scope="module")
def faults(camera: Camera) -> dict[str, Transition]:
    """Why each gives no video; all are tried at once."""
    rtsp, http, _ = camera
    login = f"{USER}:{PASSWORD}@127.0.0.1"
    urls = {path: f"rtsp://{login}:{rtsp}/{path}" for path in RTSP}
    urls |= {f"http/{path}": f"http://{login}:{http}/{path}" for path in HTTP}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(rtsp_answers, "SETS_S", 0.5)
        made = {n: stack.enter_context(Watched(n, url, "fakesink")) for n, url in urls.items()}
        return {name: refusal(watched) for name, watched in made.items()}


def refusal(watched: Watched) -> Transition:
    _, change = watched.wait_for(lambda change: change.code is not None)
    watched.runner.stop()
    return change


@pytest.mark.parametrize(
    ("name", "code"),
    [*RTSP.items(), *((f"http/{path}", code) for path, code in HTTP.items())],
)
def test_each_refusal(faults: dict[str, Transition], name: str, code: FaultCode) -> None:
    change = faults[name]
    assert change.code is code, change.reason
    assert change.state == (State.FAILED if code.needs_repair else State.RECONNECTING)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_digest_login_with_a_nonce_for_each_connection(camera: Camera, algorithm: str) -> None:
    rtsp, _, seen = camera
    path = f"login/{algorithm}"
    with Watched(algorithm, f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{rtsp}/{path}", "fakesink"):
        until_s = time.monotonic() + 30
        while not any(m == "PLAY" and p.startswith(path) for m, p, _ in seen):
            assert time.monotonic() < until_s, seen
            time.sleep(0.05)
    logins = [login for method, p, login in seen if method == "DESCRIBE" and p.startswith(path)]
    assert len(logins) == 2
    assert not logins[0]
    assert ("algorithm=SHA-256" in logins[1]) == (algorithm == "SHA-256")


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_wrong_password_is_sent_once_an_attempt(camera: Camera, algorithm: str) -> None:
    rtsp, _, seen = camera
    path = f"login/{algorithm}/wrong"
    url = f"rtsp://{USER}:wrong@127.0.0.1:{rtsp}/{path}"
    with Watched(f"wrong-{algorithm}", url, "fakesink") as watched:
        change = refusal(watched)
    assert change.code is FaultCode.UNAUTHORISED
    assert len([login for _, p, login in seen if p.startswith(path) and login]) == 1


def test_a_wrong_password_over_http(camera: Camera) -> None:
    _, http, _ = camera
    url = f"http://{USER}:wrong@127.0.0.1:{http}/login/SHA-256"
    with Watched("wrong-http", url, "fakesink") as watched:
        assert refusal(watched).code is FaultCode.UNAUTHORISED


def test_another_protocol_at_the_port(camera: Camera) -> None:
    rtsp, http, _ = camera
    for url, words in (
        (f"rtsp://127.0.0.1:{http}/", "speaks HTTP, not RTSP"),
        (f"http://127.0.0.1:{rtsp}/", "speaks RTSP, not HTTP"),
    ):
        fault = reach(CameraUrl(url))
        assert fault is not None
        assert fault.code is FaultCode.WRONG_PROTOCOL
        assert fault.reason.endswith(words)
        assert reads_as(fault)
    assert reach(CameraUrl(f"rtsp://127.0.0.1:{rtsp}/")) is None
    assert reach(CameraUrl(f"http://127.0.0.1:{http}/")) is None
