"""What a camera and rtspsrc say: sessions kept alive, transports, tunnels, slow answers.

All cameras run at once, each with a server of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras.state import State
from pipeline.gst.clips import Clip, read_clip
from pipeline.gst.conversation import session_s
from pipeline.gst.session import Session
from tests.support import ROOT
from tests.support.certificate import certificate
from tests.support.rtsp_manners import METHODS, Manners, MannersServer
from tests.support.watched import SETTLED, Watched

pytestmark = pytest.mark.rtsp

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"
SESSION_S = 10
LASTS_S = 1.3 * SESSION_S
WITHOUT = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
QUIET = [State.CONNECTING, State.RUNNING, State.STOPPED]


@dataclass
class Case:
    """A camera's manners and its options; what was seen after ``LASTS_S``."""

    name: str
    manners: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    scheme: str = "rtsp"
    login: str = ""


KEPT = [
    Case("get_parameter", {"kept_by": ("GET_PARAMETER",)}),
    Case("options", {"kept_by": ("OPTIONS",), "offers": WITHOUT}),
    Case("nothing offered", {"kept_by": ("OPTIONS",), "offers": ""}),
    Case("hidden", {"kept_by": ("GET_PARAMETER",), "offers": WITHOUT}),
    Case("over udp", {"kept_by": ("GET_PARAMETER",)}, {"transport": "udp"}),
    Case("in a tunnel", {"kept_by": ("GET_PARAMETER",)}, scheme="rtsph"),
]
HARMLESS = [
    Case("unanswered", {"unanswered": ("GET_PARAMETER",)}),
    Case("refused", {"refuses_to_keep": ("GET_PARAMETER", "OPTIONS")}),
    Case("refused by OPTIONS", {"refuses_to_keep": ("OPTIONS",), "offers": WITHOUT}),
    Case("login of the tunnel", {"login": "u:a b"}, scheme="rtsph", login="u:a%20b@"),
    Case("tunnel in TLS", {"login": "u:p"}, scheme="rtspsh", login="u:p@"),
    Case("slow answer", {"answer_s": 2.0}, {"answer_s": 30}),
]
TURNED = [
    Case("no TCP", {"refuses": ("tcp",)}),
    Case("silent over TCP", {"mute": ("tcp",)}, {"answer_s": 5}),
]
LOST = [
    Case("too slow an answer", {"answer_s": 9.0}, {"answer_s": 1}),
    Case("no transport", {"refuses": ("tcp", "udp")}),
    Case("TCP is forced", {"refuses": ("tcp",)}, {"transport": "tcp"}),
    Case("wrong login of the tunnel", {"login": "u:p"}, scheme="rtsph", login="u:q@"),
    Case("no login of the tunnel", {"login": "u:p"}, scheme="rtsph"),
]


@dataclass
class Seen:
    server: MannersServer
    camera: Watched

    @property
    def reasons(self) -> list[str]:
        return [change.reason for _, change in self.camera.changes]


def slowed(clip: Clip) -> Clip:
    """A fifth of the images a second, as none of these cameras is about their number."""
    pictures = [replace(p, pts_ns=5 * p.pts_ns, dts_ns=5 * p.dts_ns) for p in clip.pictures]
    return replace(clip, pictures=tuple(pictures), duration_ns=5 * clip.duration_ns)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    folder = tmp_path_factory.mktemp("tls")
    patch = pytest.MonkeyPatch()
    patch.setenv("SSL_CERT_FILE", str(folder / "own.pem"))
    clip = slowed(read_clip(CLIP))
    with ExitStack() as stack:
        found = {}
        for case in KEPT + HARMLESS + TURNED + LOST:
            tls = certificate(folder) if case.scheme == "rtspsh" else None
            manners = Manners(clip, session_s=SESSION_S, **case.manners)
            server = stack.enter_context(MannersServer(manners, tls))
            url = server.url(case.scheme, case.login)
            patient = {"watchdog_s": 60, "answer_s": 60} | case.options  # the machine may be busy
            camera = stack.enter_context(Watched(case.name, url, **patient))
            found[case.name] = Seen(server, camera)
        time.sleep(LASTS_S)
        for case in KEPT + HARMLESS + TURNED:
            found[case.name].camera.seen.wait(20)
    patch.undo()
    yield found


@pytest.mark.parametrize("case", KEPT, ids=lambda case: case.name)
def test_a_session_is_kept_alive_before_half_of_its_time(case: Case, seen: dict[str, Seen]) -> None:
    server, camera = seen[case.name].server, seen[case.name].camera
    assert camera.states == QUIET, seen[case.name].reasons
    assert len(server.plays) == 1
    asked = [at_s for at_s, method in server.requests if method in case.manners["kept_by"]]
    assert asked


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_a_camera_with_manners_of_its_own_runs(case: Case, seen: dict[str, Seen]) -> None:
    assert seen[case.name].camera.states == QUIET, seen[case.name].reasons
    assert seen[case.name].server.plays == ["tcp"]


@pytest.mark.parametrize("case", TURNED, ids=lambda case: case.name)
def test_the_other_transport_is_tried_at_once_and_named(case: Case, seen: dict[str, Seen]) -> None:
    reasons = seen[case.name].reasons
    assert seen[case.name].server.plays[-1] == "udp"
    why = "the camera refuses TCP" if "refuses" in case.manners else "no video came over TCP"
    assert reasons[:2] == ["first attempt", f"{why}; trying UDP"]
    assert f"media travels over UDP: {why}" in reasons
    assert not {State.RECONNECTING, State.FAILED} & set(seen[case.name].camera.states)


def test_a_camera_that_refuses_every_transport_is_tried_with_each(seen: dict[str, Seen]) -> None:
    assert "the camera refuses TCP; trying UDP" in seen["no transport"].reasons
    states = seen["no transport"].camera.states
    assert State.RUNNING not in states
    assert {State.RECONNECTING, State.FAILED} & set(states)


def test_a_transport_that_is_forced_is_the_only_one(seen: dict[str, Seen]) -> None:
    assert not any("trying" in reason for reason in seen["TCP is forced"].reasons)
    assert State.RUNNING not in seen["TCP is forced"].camera.states


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("too slow an answer", FaultCode.UNRESPONSIVE),
        ("wrong login of the tunnel", FaultCode.UNAUTHORISED),
        ("no login of the tunnel", FaultCode.LOGIN_REQUIRED),
    ],
)
def test_a_camera_that_is_not_reached_says_why(
    name: str, code: FaultCode, seen: dict[str, Seen]
) -> None:
    assert code in {change.code for _, change in seen[name].camera.changes}, seen[name].reasons
    assert State.RUNNING not in seen[name].camera.states


@pytest.mark.parametrize("unanswered", [(), ("PAUSE",), ("GET_PARAMETER", "PAUSE", "TEARDOWN")])
def test_a_camera_is_left_at_once_whatever_it_is_being_asked(
    unanswered: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    manners = Manners(read_clip(CLIP), offers=f"{METHODS}, PAUSE", unanswered=unanswered)
    closed, held, goes_on = threading.Event(), threading.Event(), threading.Event()

    def holds(_pad: Any, _info: Any) -> Any:
        """Keep rtspsrc's thread from hearing what it is told."""
        held.set()
        goes_on.wait(20)
        return Gst.PadProbeReturn.REMOVE

    class Left(Session):
        def message(self, timeout_s: float) -> Any:
            if self.probes.frames > SETTLED and not closed.is_set():
                pad = self._element.get_by_name("manager").get_static_pad("recv_rtp_sink_0")
                pad.add_probe(Gst.PadProbeType.BUFFER, holds)
                assert held.wait(20)
                assert self.conversation is not None
                self.conversation.due(0.0)
                self.keep_alive()
                assert not self.conversation._taken.is_set()  # asked, and not heard of yet
                threading.Timer(0.5, goes_on.set).start()
                self.close()
                closed.set()
            return super().message(timeout_s)

    with MannersServer(manners) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.gst.camera.Session", Left)
        with Watched("left", server.url(), watchdog_s=60):
            assert closed.wait(60)
        # None where the thread had no time to ask within the seconds that closing waits for it.
        assert [method for _, method in server.requests].count("GET_PARAMETER") <= 1
    assert "left behind" not in caplog.text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("4711;timeout=10", 10),
        ("4711; Timeout = 30 ; x=1", 30),
        ("4711", None),
        ("4711;timeout=0", None),
        ("", None),
    ],
)
def test_the_time_of_a_session(header: str, seconds: float | None) -> None:
    assert session_s(header) == seconds
