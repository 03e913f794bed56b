"""Cameras that send by themselves: MPEG-TS and RTP over UDP, SRT both ways, SDP files."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mirante.faults import FaultCode
from pipeline.cameras import state
from pipeline.cameras.faults import explain
from pipeline.cameras.sources import kind_of, receiver
from pipeline.cameras.state import Fault, State
from pipeline.config.camera_url import CameraUrl
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.senders import TS, await_receiver, running, sending
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

H265 = ROOT / "tests/support/numbers.h265.mp4"
CALLED = "srt://192.0.2.10:8890"
PASSPHRASE = "correct-h0rse"
UDP = "udpsink host=127.0.0.1 port={port}"
RTP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=gate\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
SOUND = "m=audio {sound} RTP/AVP 0\r\n"
VIDEO = "m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"

# Address of the camera, and the sender's way from the parsed video, each with its port.
WAYS = {
    "ts": ("udp://127.0.0.1:{port}", f"{TS} ! {UDP}"),
    "ts-v6": ("udp://[::1]:{port}", f"{TS} ! udpsink host=::1 port={{port}}"),
    "group": (
        "udp://@239.255.77.7:{port}?interface=lo",
        f"{TS} ! udpsink host=239.255.77.7 port={{port}} multicast-iface=lo",
    ),
    "rtp-ts": ("rtp://:{port}", f"{TS} ! rtpmp2tpay ! {UDP}"),
    "rtp-h264": ("rtp://:{port}?encoding=H264", f"rtph264pay pt=101 ! {UDP}"),
    "rtp-h265": ("rtp://:{port}?encoding=H265", f"rtph265pay ! {UDP}"),
    "sdp": ("sdp:{folder}/gate.sdp", f"rtph264pay ! {UDP}"),
    "srt-calls": (
        f"srt://:{{port}}?passphrase={PASSPHRASE}",
        f"{TS} ! srtsink uri=srt://127.0.0.1:{{port}} passphrase={PASSPHRASE}",
    ),
    "srt-called": (
        "srt://127.0.0.1:{port}?streamid=read:gate&latency=40",
        f"{TS} ! srtsink uri=srt://127.0.0.1:{{port}}?mode=listener",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_numbered_frames_come_in_order(way: str, clips: tuple[Path, Path], tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "gate.sdp").write_text(RTP + (SOUND + VIDEO).format(port=port, sound=free_port()))
    url, launch = (text.format(port=port, folder=tmp_path) for text in WAYS[way])
    clip, codec = (H265, "h265") if "h265" in way else (clips[0], "h264")
    with Watched(way, url) as camera:
        if "udpsink" in launch:
            await_receiver(port)
        with sending(clip, launch, codec):
            camera.seen.wait(8)
    numbers = camera.seen.read
    assert numbers == sorted(set(numbers))
    assert {result.ts_source for _, result, _ in camera.seen.frames} == {"arrival"}


def lose(way: str, clip: Path) -> tuple[str, float, float]:
    """Why a sender was missed; how long after its last frame, and how long after it came back a
    frame came, in seconds.
    """
    port = free_port()
    url, launch = (text.format(port=port) for text in WAYS[way])
    with Watched(f"lost-{way}", url) as camera:
        with sending(clip, launch):
            camera.seen.wait(8)
        lost_s, reason = camera.wait(State.RECONNECTING)
        seen_s = lost_s - camera.last_frame_before(lost_s)
        time.sleep(3)
        with sending(clip, launch):
            again_s = time.monotonic()
            camera.seen.wait(len(camera.seen.frames) + 1)
    return reason, seen_s, camera.seen.times_s[-1] - again_s


def test_a_sender_that_is_lost_is_received_again(clips: tuple[Path, Path]) -> None:
    """All at once; ``pytest -s`` prints how fast."""
    ways = ("ts", "rtp-h264", "srt-calls", "srt-called")
    with ThreadPoolExecutor(len(ways)) as pool:
        outcomes = [pool.submit(lose, way, clips[0]) for way in ways]
    for way, outcome in zip(ways, outcomes, strict=True):
        reason, seen_s, healed_s = outcome.result()
        print(f"{way:10} {seen_s:5.1f} s {healed_s:5.1f} s {reason}")
        assert "no frame for" in reason


def test_without_a_sender_it_waits_and_says_so(
    clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "SENDER_S", 0.3)
    port = free_port()
    with Watched("alone", f"udp://127.0.0.1:{port}", answer_s=1) as camera:
        _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
        time.sleep(1.2)  # longer than any other attempt may take
        assert camera.states == [State.CONNECTING, State.RECONNECTING]
        with sending(clips[0], f"{TS} ! udpsink host=127.0.0.1 port={port}"):
            camera.wait(State.RUNNING)
    assert change.reason == f"waiting for a sender at udp://127.0.0.1:{port}"
    assert (change.code, change.retry_s) == (FaultCode.NO_SENDER, None)
    assert camera.states[-2:] == [State.RUNNING, State.STOPPED]


def test_an_srt_sender_that_is_lost_may_come_back(
    clips: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    way = f"{TS} ! srtsink uri=srt://127.0.0.1:{port} passphrase="
    with Watched("back", f"srt://:{port}?passphrase={PASSPHRASE}", watchdog_s=20) as camera:
        with sending(clips[0], way + "another-h0rse"):
            time.sleep(1)
        assert not camera.seen.frames, "its passphrase is wrong"
        with sending(clips[0], way + PASSPHRASE):
            camera.wait(State.RUNNING)
        with sending(clips[0], way + PASSPHRASE):  # refused, which makes room for the next
            _, reason = camera.wait(State.RECONNECTING)
        with sending(clips[0], way + PASSPHRASE):
            camera.wait(State.RUNNING, after=len(camera.changes))
    assert reason == f"waiting for a sender at srt://:{port}"
    assert PASSPHRASE not in caplog.text
    assert not any(PASSPHRASE in str(change) for _, change in camera.changes)


def test_of_two_srt_senders_the_first_is_heard(clips: tuple[Path, Path]) -> None:
    port = free_port()
    way = f"{TS} ! srtsink uri=srt://[::1]:{port}"
    with Watched("first", f"srt://[::1]:{port}?mode=listener") as camera:
        with sending(clips[0], way):
            camera.seen.wait(2)
            with sending(clips[0], way):
                camera.seen.wait(20)
        numbers = camera.seen.read
    assert numbers == sorted(set(numbers))
    assert State.RECONNECTING not in camera.states[: camera.states.index(State.RUNNING) + 1]


def test_a_connection_that_is_closed_before_anything_came(clips: tuple[Path, Path]) -> None:
    port = free_port()
    launch = f"fakesrc num-buffers=0 ! srtsink uri=srt://127.0.0.1:{port} wait-for-connection=true"
    with Watched("brief", f"srt://:{port}") as camera, running(launch):
        _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    assert change.code == FaultCode.NO_SENDER


def test_a_passphrase_that_is_refused(clips: tuple[Path, Path]) -> None:
    port = free_port()
    way = f"{TS} ! srtsink uri=srt://:{port}?mode=listener passphrase=another-h0rse"
    url = f"srt://127.0.0.1:{port}?passphrase={PASSPHRASE}"
    with sending(clips[0], way), Watched("refused", url) as camera:
        _, change = camera.wait_for(lambda change: change.code == FaultCode.BAD_PASSPHRASE)
    assert change.state == State.FAILED
    assert change.reason == "the camera refuses this passphrase, or asks for one"


@pytest.mark.parametrize(
    ("url", "details", "code"),
    [
        (CALLED, "Error on SRT socket: Connection timeout", FaultCode.UNREACHABLE),
        (CALLED, "Error on SRT socket: Rogue peer or incorrect", FaultCode.CALL_REFUSED),
        (CALLED, "Error on SRT socket: Unknown or erroneous", FaultCode.ENDED),
        (CALLED, "Failed to authenticate: Incorrect passphrase", FaultCode.BAD_PASSPHRASE),
        ("srt://:7001", "Failed to poll socket: Invalid epoll ID", FaultCode.NO_SENDER),
        ("srt://:7001", "Error on SRT socket: Connection was broken", FaultCode.NO_SENDER),
    ],
)
def test_what_libsrt_says_is_told_apart(url: str, details: str, code: FaultCode) -> None:
    text = f"Could not read from resource. {details}"
    fault = explain(CameraUrl(url), "gst-resource-error-quark", 9, text)
    assert fault is not None
    assert fault.code == code


def test_an_srt_camera_that_is_not_there() -> None:
    port = free_port()
    with Watched("nobody", f"srt://127.0.0.1:{port}") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    words = f"127.0.0.1:{port} does not answer: switched off, or behind a firewall"
    assert (change.code, change.reason) == (FaultCode.UNREACHABLE, words)


def test_a_stream_that_holds_no_video() -> None:
    port = free_port()
    launch = f"audiotestsrc is-live=true ! avenc_aac ! {TS} ! udpsink host=127.0.0.1 port={port}"
    with running(launch), Watched("sound", f"udp://127.0.0.1:{port}") as camera:
        _, reason = camera.wait(State.FAILED)
    assert "no video" in reason


def test_packets_that_are_nothing_known() -> None:
    port = free_port()
    with (
        Watched("noise", f"udp://127.0.0.1:{port}", answer_s=1) as camera,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        words = f"packets arrive at udp://127.0.0.1:{port}, but no video came for 1 s"
        until_s = time.monotonic() + 60
        while words not in {change.reason for _, change in camera.changes}:
            assert time.monotonic() < until_s, camera.states
            sender.sendto(b"no transport stream", ("127.0.0.1", port))
            time.sleep(0.05)
    assert State.RUNNING not in camera.states


@pytest.mark.parametrize("scheme", ["udp", "srt"])
def test_a_port_that_another_program_has(scheme: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        with Watched("taken", f"{scheme}://:{port}") as camera:
            _, change = camera.wait_for(lambda change: change.state == State.RECONNECTING)
    words = f"UDP port {port} is in use by another program"
    assert (change.code, change.reason) == (FaultCode.BUSY, words)


def test_a_port_of_an_sdp_file_that_another_program_has(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        (tmp_path / "gate.sdp").write_text(RTP + VIDEO.format(port=port))
        with Watched("described", f"sdp:{tmp_path}/gate.sdp") as camera:
            _, change = camera.wait_for(lambda change: change.code is not None)
    words = f"UDP port {port} is in use by another program"
    assert (change.code, change.reason) == (FaultCode.BUSY, words)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (RTP + SOUND.format(sound=9000), FaultCode.UNREADABLE),
        (RTP + VIDEO.format(port=9000), None),
    ],
)
def test_whether_an_sdp_file_describes_video(
    content: str, code: FaultCode | None, tmp_path: Path
) -> None:
    (tmp_path / "gate.sdp").write_text(content)
    url = CameraUrl(f"sdp:{tmp_path}/gate.sdp")
    fault = kind_of(url).reach(url, 1)
    assert (fault.code if fault else None) == code


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("udp://:5000", None),
        ("udp://239.1.1.1:5000?interface=lo", None),
        ("srt://[::]:7001?mode=listener", None),
        (
            "udp://192.0.2.199:5000",
            Fault(
                FaultCode.INVALID,
                'url: "udp://192.0.2.199:5000" — expected an address of this machine, a multicast '
                "group or none, as udp://:5000",
            ),
        ),
        (
            "udp://camera.invalid:5000",
            Fault(FaultCode.UNKNOWN_HOST, 'unknown host "camera.invalid"'),
        ),
    ],
)
def test_how_far_a_sender_could_get(url: str, fault: Fault | None) -> None:
    assert receiver.reach(CameraUrl(url), 1) == fault


def test_an_interface_that_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "SENDER_S", 0.3)
    with Watched("wire", "udp://239.1.1.1:5000?interface=nosuch0") as camera:
        _, reason = camera.wait(State.FAILED)
    assert reason.startswith('interface: "nosuch0" — expected one of ')
