"""What a healthy RTSP camera gives."""

from __future__ import annotations

import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from pipeline.cameras.state import State
from pipeline.gst import capture_time
from pipeline.gst.clips import read_clip
from pipeline.gst.rtsp_server import RtspServer, looped
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp


def test_frames_come_in_order_and_none_is_lost_unseen(server: Any) -> None:
    with Watched("plain", server.url("good")) as camera:
        camera.seen.wait(95)  # past the turn of the clip
        camera.runner.stop()
    camera.check_account(80)
    assert None not in camera.seen.numbers
    assert [str(state) for state in camera.states] == ["connecting", "running", "stopped"]


def test_rtcp_gives_the_cameras_own_time(server: Any) -> None:
    with Watched("clock", server.url("clock")) as camera:
        camera.seen.wait_until(lambda frames: frames[-1][1].ts_source == "rtcp")
        camera.seen.wait(len(camera.seen.frames) + 10)
        stream = camera.stream_of("rtcp")
    assert camera.runner.stream is None  # any more
    assert stream.decoder == "avdec_h264"
    assert stream.clock_off_s is not None
    assert abs(stream.clock_off_s) < 5  # less what a busy machine takes
    off_ms = []
    for number, result, _ in camera.seen.frames[-10:]:
        assert result.ts_source == "rtcp"
        assert number is not None
        off_ms.append((result.captured_ns // 1_000_000 - number + 2**31) % 2**32 - 2**31)
    assert abs(median(off_ms)) < 100  # of single ones a busy machine writes the number late


def test_a_camera_with_a_wrong_clock_is_told_of_once(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_time, "CLOCK_TRUST_S", -1.0)  # nobody's clock is right enough
    with Watched("wrong-clock", server.url("clock")) as camera:
        camera.wait_for(lambda change: "the camera's clock says 20" in change.reason)
        camera.seen.wait(len(camera.seen.frames) + 5)
    assert camera.states == [State.CONNECTING, State.RUNNING, State.RUNNING, State.STOPPED]
    assert {result.ts_source for _, result, _ in camera.seen.frames} == {"arrival"}


def test_rate_limit_with_a_fraction(server: Any) -> None:
    with Watched("limited", server.url("good"), fps=2.5) as camera:
        camera.seen.wait(12)
    # The receiver's timestamps swing with the load, by up to a frame; the mean does not.
    counts, _ = camera.ledger.counts()
    admitted = counts.decoded - counts.dropped["rate"]
    assert admitted >= 12
    assert abs(counts.decoded - 4 * admitted) <= 8


def test_keyframes_alone(server: Any) -> None:
    with Watched("keys", server.url("good"), keyframes_only=True) as camera:
        camera.seen.wait(3)
    assert {number % 25 for number in camera.seen.read} == {0}
    assert camera.states[-2:] == [State.RUNNING, State.STOPPED]


def test_analysis_size_keeps_the_shape(server: Any) -> None:
    with Watched("small", server.url("good"), width=160, height=160) as camera:
        camera.seen.wait(3)
    number, result, size = camera.seen.frames[-1]
    assert (result.width, result.height) == (320, 180)
    assert size == (160, 90)
    assert number is not None


@pytest.mark.parametrize("mount", ["h265", "mjpeg", "sound"])
def test_codecs_and_streams_beside_the_video(mount: str, server: Any) -> None:
    with Watched(mount, server.url(mount)) as camera:
        camera.seen.wait(15)
    assert None not in camera.seen.numbers
    assert camera.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_udp(server: Any) -> None:
    with Watched("udp", server.url("good"), transport="udp") as camera:
        camera.seen.wait(15)
    assert None not in camera.seen.numbers


def test_rtsps_with_a_certificate_that_is_trusted(
    clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "camera.pem"
    own = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera"]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(certificate), "-out", str(tmp_path / "own.pem")]
    subprocess.run(["openssl", *own, *name, *files], check=True, capture_output=True)
    anchors = tmp_path / "own.pem"
    certificate.write_text(certificate.read_text() + anchors.read_text())
    tls = RtspServer(certificate=certificate)
    tls.mount("good", looped(read_clip(clips[0])))
    tls.start()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Watched("untrusted", tls.url("good")) as camera:
        _, reason = camera.wait(State.FAILED)
    assert reason == "the camera's certificate is not trusted: self-signed certificate"
    monkeypatch.setenv("SSL_CERT_FILE", str(anchors))
    with Watched("trusted", tls.url("good")) as camera:
        camera.seen.wait(5)
    tls.stop()
