"""RTMP: a stream that is pulled from a server, and the words of its refusals."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.state import State
from tests.support.certificate import certificate
from tests.support.ports import free_port
from tests.support.rtmp_server import ACKNOWLEDGEMENT, CONTROL, PONG, RtmpServer
from tests.support.watched import Watched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flv(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip as a live encoder sends it."""
    path = tmp_path_factory.mktemp("rtmp") / "gate.flv"
    launch = (
        f"filesrc location={clips[0]} ! qtdemux ! h264parse ! flvmux streamable=true ! "
        f"filesink location={path}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def server(flv: Path) -> Iterator[RtmpServer]:
    with RtmpServer(flv) as server:
        yield server


@pytest.fixture(scope="module")
def locked(flv: Path) -> Iterator[RtmpServer]:
    with RtmpServer(flv, ("viewer", "r/ght")) as server:
        yield server


def test_numbered_frames_come_in_order(
    server: RtmpServer, caplog: pytest.LogCaptureFixture
) -> None:
    with Watched("pulled", f"rtmp://127.0.0.1:{server.port}/live/gate?user=a&pass=b") as camera:
        camera.seen.wait(15)
    camera.check_account(80)
    assert not [record for record in caplog.records if "linking" in record.message]  # no sound
    assert server.played[-1] == "gate?user=a&pass=b"
    assert (CONTROL, PONG) in server.heard
    acknowledged = [int.from_bytes(said) for kind, said in server.heard if kind == ACKNOWLEDGEMENT]
    assert 3073 < acknowledged[0] < 4096


@pytest.mark.parametrize("begin_ms", [0xFFFFFF - 300, 0xFFFFFFFF - 300])
def test_media_of_any_message_stream(flv: Path, begin_ms: int) -> None:
    """As some encoders serve it: of stream 0, in the smallest chunks, after hours or weeks."""
    with (
        RtmpServer(flv, chunk=128, media_stream=0, begin_ms=begin_ms) as server,
        Watched("any", f"rtmp://127.0.0.1:{server.port}/live/gate") as camera,
    ):
        camera.seen.wait(20)
    camera.check_account(80)


def test_a_stop_does_not_wait_for_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/a/b"
        with Watched("stopped", url, answer_s=60) as camera:
            with listener.accept()[0] as connection:
                assert connection.recv(1)
                camera.runner.stop(30)
                connection.settimeout(30)
                while connection.recv(4096):  # until the camera hangs up
                    pass
            assert camera.runner.state == State.STOPPED


@pytest.mark.parametrize("name", ["short", "heard"])
def test_an_end_is_met_with_another_attempt(name: str, server: RtmpServer) -> None:
    """Also of a stream whose sound comes before its first image."""
    with Watched("ended", f"rtmp://127.0.0.1:{server.port}/live/{name}") as camera:
        camera.seen.wait(2)
        _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
        camera.wait(State.RUNNING, after=len(camera.changes) - 1)
    assert change.code == FaultCode.ENDED


def test_a_login_is_answered(locked: RtmpServer) -> None:
    with Watched("login", f"rtmp://viewer:r%2Fght@127.0.0.1:{locked.port}/live/gate") as camera:
        camera.seen.wait(2)


WORDS = {
    "": (FaultCode.LOGIN_REQUIRED, "401 unauthorised: the camera asks for a user and password"),
    "viewer:wrong@": (
        FaultCode.UNAUTHORISED,
        "401 unauthorised: the camera refuses this user or password",
    ),
}


@pytest.mark.parametrize("login", WORDS)
def test_a_refused_login_has_its_words(login: str, locked: RtmpServer) -> None:
    with Watched("refused", f"rtmp://{login}127.0.0.1:{locked.port}/live/gate") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.FAILED)
    assert (change.code, change.reason) == WORDS[login]


def test_a_stream_that_the_server_has_not(server: RtmpServer) -> None:
    with Watched("absent", f"rtmp://127.0.0.1:{server.port}/live/yard") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.FAILED)
    words = '404 not found: the camera has no path "/live/yard"'
    assert (change.code, change.reason) == (FaultCode.NOT_FOUND, words)


def test_nothing_listens() -> None:
    port = free_port()
    with Watched("refused", f"rtmp://127.0.0.1:{port}/live/gate") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    words = f"connection refused: nothing listens at 127.0.0.1:{port}"
    assert (change.code, change.reason) == (FaultCode.REFUSED, words)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_of_another_kind(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)

        threading.Thread(target=hang_up, daemon=True).start()
        with Watched("other", f"rtmp://127.0.0.1:{listener.getsockname()[1]}/a/b") as camera:
            _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    words = "the camera answers, but not with video"
    assert (change.code, change.reason) == (FaultCode.NOT_VIDEO, words)


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/a/b"
        with Watched("mute", url, answer_s=2) as camera:
            _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    assert change.code == FaultCode.UNRESPONSIVE


def test_only_a_certificate_that_is_trusted(
    flv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RtmpServer(flv, tls=certificate(tmp_path)) as server:
        url = f"rtmps://127.0.0.1:{server.port}/live/gate"
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with Watched("unknown", url) as camera:
            _, reason = camera.wait(State.FAILED)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        with Watched("trusted", url) as camera:
            camera.seen.wait(2)
    assert reason == "the camera's certificate is not trusted: self-signed certificate"
