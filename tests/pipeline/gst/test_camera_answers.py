"""A camera's refusals come through GStreamer with their own codes, and logins with SHA-256."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras.reach import reach
from pipeline.cameras.state import State, Transition
from pipeline.config.camera_url import CameraUrl
from pipeline.gst import rtsp_answers
from pipeline.gst.clips import read_clip
from pipeline.gst.parameter_sets import ParameterSets
from tests.support import ROOT
from tests.support.answering import PASSWORD, USER, Request, answering
from tests.support.certificate import certificate
from tests.support.fault_words import reads_as
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"
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
    "redirect/itself": FaultCode.REDIRECTED,
    "redirect/nowhere": FaultCode.REDIRECTED,
    "redirect/dead": FaultCode.UNRESPONSIVE,
    "redirect/away": FaultCode.LOGIN_REQUIRED,
    "close": FaultCode.UNRESPONSIVE,
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
        made = {
            n: stack.enter_context(Watched(n, url, "fakesink", answer_s=60))
            for n, url in urls.items()
        }
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


def test_what_gives_no_answer_is_named(faults: dict[str, Transition]) -> None:
    assert faults["close"].reason == "the camera gives no answer to DESCRIBE"
    words = "the camera redirects to 127.0.0.1:9, which gives no answer"
    assert faults["redirect/dead"].reason == words


def test_a_camera_that_redirects_to_itself_is_asked_a_few_times(
    camera: Camera, faults: dict[str, Transition]
) -> None:
    assert faults["redirect/itself"].reason == "the camera redirects without an end"
    asked = [method for method, path, _ in camera[2] if path == "redirect/itself"]
    assert asked.count("DESCRIBE") == rtsp_answers.REDIRECTS_MOST + 1


def test_a_login_goes_to_the_host_of_the_address_alone(
    camera: Camera, faults: dict[str, Transition]
) -> None:
    assert faults["redirect/away"].code is FaultCode.LOGIN_REQUIRED
    rtsp, _, seen = camera
    with Watched("here", f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{rtsp}/redirect/here", "fakesink"):
        until_s = time.monotonic() + 60
        while not any(m == "PLAY" and p.startswith("moved/MD5/here") for m, p, _ in seen):
            assert time.monotonic() < until_s, seen
            time.sleep(0.05)
    away = [login for _, p, login in seen if p.startswith("moved/MD5/away")]
    assert away
    assert not any(away)


def test_the_first_of_several_videos_is_asked_for(camera: Camera) -> None:
    with Watched("several", f"rtsp://127.0.0.1:{camera[0]}/several", "fakesink"):
        until_s = time.monotonic() + 60
        while not any(m == "PLAY" and p.startswith("several") for m, p, _ in camera[2]):
            assert time.monotonic() < until_s, camera[2]
            time.sleep(0.05)
    asked = [p for m, p, _ in camera[2] if m == "SETUP" and p.startswith("several")]
    assert asked == ["several/track0"]


def test_a_challenge_is_an_answer_too(camera: Camera) -> None:
    """The camera takes twice 3 s of the 5 that each answer may take."""
    url = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{camera[0]}/late/MD5"
    with Watched("late", url, "fakesink", answer_s=5) as watched:
        until_s = time.monotonic() + 60
        while not any(m == "PLAY" and p.startswith("late") for m, p, _ in camera[2]):
            assert time.monotonic() < until_s, camera[2]
            time.sleep(0.05)
        assert not any(change.code for _, change in watched.changes)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_digest_login_with_a_nonce_for_each_connection(camera: Camera, algorithm: str) -> None:
    rtsp, _, seen = camera
    path = f"login/{algorithm}"
    with Watched(algorithm, f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{rtsp}/{path}", "fakesink"):
        until_s = time.monotonic() + 60
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


def test_tls_at_the_port_of_an_address_without_it(tmp_path: Path) -> None:
    with MannersServer(Manners(read_clip(CLIP)), certificate(tmp_path)) as server:
        fault = reach(CameraUrl(server.url()))
    assert fault is not None
    assert fault.reason == f"127.0.0.1:{server.port} speaks TLS, not RTSP"


@pytest.mark.parametrize(
    ("told", "come", "passed"),
    [
        ("", [1, 33, 34, 1, 32, 1], [1, 33, 34, 32, 1]),
        ("", [1, 1], [1, 1]),
        (", sprop-sps=(string)a, sprop-pps=(string)a", [1, 32, 1], [32, 1]),
        (", sprop-vps=(string)a, sprop-sps=(string)a, sprop-pps=(string)a", [1], [1]),
    ],
)
def test_images_wait_for_the_last_parameter_set(
    told: str, come: list[int], passed: list[int]
) -> None:
    source, seen = Gst.Bin.new(), list[int]()
    caps = Gst.Caps.from_string(f"application/x-rtp, encoding-name=(string)H265{told}")
    kind = Gst.PadTemplate.new("src", Gst.PadDirection.SRC, Gst.PadPresence.ALWAYS, caps)
    pad, into = Gst.Pad.new_from_template(kind, "src"), Gst.Pad.new("in", Gst.PadDirection.SINK)

    def take(_pad: Any, _parent: Any, buffer: Any) -> Any:
        seen.append(buffer.extract_dup(12, 1)[0] >> 1)
        return Gst.FlowReturn.OK

    into.set_chain_function_full(take)
    sets = ParameterSets(source)
    source.add_pad(pad)
    pad.link(into)
    into.set_active(True)
    pad.set_active(True)
    pad.push_event(Gst.Event.new_stream_start("0"))
    segment = Gst.Segment()
    segment.init(Gst.Format.TIME)
    pad.push_event(Gst.Event.new_segment(segment))
    for unit in come:
        pad.push(Gst.Buffer.new_wrapped(bytes(12) + bytes([unit << 1, 1, 0, 0])))
    assert seen == passed
    assert sets.missing_s == 0
