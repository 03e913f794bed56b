from __future__ import annotations

from typing import Any

import pytest

from mirante.faults import FaultCode
from pipeline.cameras.sharing import SharedSessions, read_apart, session_key
from pipeline.cameras.state import Fault
from pipeline.config.camera import Camera

SUB, MAIN = "rtsp://u:p@192.0.2.7/sub", "rtsp://u:p@192.0.2.7/main"


def camera(url: str = SUB, **keys: Any) -> Camera:
    return Camera.model_validate({"url": url} | keys)


@pytest.mark.parametrize(
    ("keys", "is_shared"),
    [
        ({}, True),
        ({"fps": 5, "width": 320, "height": 200}, True),
        ({"rotate": 90, "mirror": True, "crop": [0, 0, 0.5, 1], "deinterlace": "on"}, True),
        ({"mask": [[[0, 0], [1, 0], [1, 1]]], "damaged": "drop", "thermal_range": "auto"}, True),
        ({"view": MAIN, "stages": [], "preview": {"fps": 2}}, True),
        ({"url": MAIN}, False),
        ({"url": SUB + "?x=1"}, False),
        ({"url": "rtsp://u:other@192.0.2.7/sub"}, False),
        ({"transport": "udp"}, False),
        ({"latency_ms": 20}, False),
        ({"answer_s": 5}, False),
        ({"watchdog_s": 5}, False),
        ({"decode": "software"}, False),
        ({"keyframes_only": True}, False),
    ],
)
def test_what_has_to_be_equal(keys: dict[str, Any], is_shared: bool) -> None:
    assert (session_key(camera(**keys)) == session_key(camera())) is is_shared


def test_snapshots_are_asked_for_once_at_the_rate_while_something_moves() -> None:
    url = "snapshot+http://192.0.2.7/now.jpg"
    one = session_key(camera(url, fps={"quiet": 0.2, "busy": 2}))
    assert one == session_key(camera(url, fps=2)) != session_key(camera(url, fps=0.2))


@pytest.mark.parametrize(
    ("url", "keys", "is_shared"),
    [
        ("http://192.0.2.7/video.mjpg", {"width": 320}, True),
        ("snapshot+http://192.0.2.7/now.jpg", {"width": 320}, True),
        ("snapshot+http://192.0.2.7/now.jpg", {"fps": 3}, False),
        ("/dev/video0", {"fps": 3}, True),
        ("/dev/video0", {"width": 320}, False),
        ("/dev/video0", {"thermal_range": "auto"}, False),
    ],
)
def test_what_else_a_kind_of_source_brings(url: str, keys: dict[str, Any], is_shared: bool) -> None:
    assert session_key(camera(url)) is not None
    assert (session_key(camera(url, **keys)) == session_key(camera(url))) is is_shared


@pytest.mark.parametrize(
    "url",
    [
        "file:clip.mp4",
        "images:folder",
        "test://",
        "http://192.0.2.7/clip.mp4",
        "http://192.0.2.7/live.m3u8",
        "udp://:5004",
        "srt://:9000?mode=listener",
    ],
)
def test_what_nobody_shares(url: str) -> None:
    assert session_key(camera(url)) is None


def test_the_first_leads_until_its_session_ends() -> None:
    sessions = SharedSessions()
    lead, is_first = sessions.enter(("gate",), "a")
    assert is_first
    assert sessions.enter(("gate",), "b") == (lead, False)
    assert sessions.enter(("yard",), "c")[1], "another stream"
    fault = Fault(FaultCode.STALLED, "no frame")
    sessions.end(("gate",), lead, fault)
    assert (lead.is_over, lead.fault, lead.camera) == (True, fault, "a")
    after, is_first = sessions.enter(("gate",), "b")
    assert is_first
    assert (after.camera, after.is_over) == ("b", False)


@pytest.mark.parametrize("code", [FaultCode.STAGE_FAILED, FaultCode.STAGE_STUCK])
def test_what_is_wrong_with_the_stages_of_one_is_not_said_of_others(code: FaultCode) -> None:
    sessions = SharedSessions()
    lead, _ = sessions.enter(("gate",), "a")
    sessions.end(("gate",), lead, Fault(code, "mirstage: ValueError: 1"))
    assert lead.is_over
    assert lead.fault is None


def test_a_stream_that_is_read_twice_is_hinted_at() -> None:
    alike = {"a": camera(), "b": camera(fps=5)}
    assert list(read_apart(alike)) == []
    apart = {"a": camera(view=MAIN), "b": camera(latency_ms=9), "c": camera(MAIN), "d": camera()}
    assert [hint.split(", each")[0] for hint in read_apart(apart)] == [
        "rtsp://***@192.0.2.7/sub: read by a + d, b",
        "rtsp://***@192.0.2.7/main: read by c, a.view",
    ]
    files = {"a": camera("file:clip.mp4"), "b": camera("file:clip.mp4")}
    assert len(list(read_apart(files))) == 1
    assert list(read_apart({"a": camera("test://"), "b": camera("test://")})) == []
