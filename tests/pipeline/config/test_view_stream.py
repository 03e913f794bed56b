from __future__ import annotations

from typing import Any

import pytest

from pipeline.config.camera import Camera
from pipeline.config.decode_cost import decode_hint
from pipeline.config.view_stream import check_hidden, view_stream_of

SUB, MAIN = "rtsp://u:p@192.0.2.7/sub", "rtsp://u:p@192.0.2.7/main"


def camera(**keys: Any) -> Camera:
    return Camera.model_validate({"url": SUB, "view": MAIN} | keys)


def test_a_view_has_the_options_of_its_source_and_image() -> None:
    keys = {"transport": "udp", "latency_ms": 7, "watchdog_s": 9, "decode": "software"}
    preview = {"fps": 4, "width": 1920, "quality": 50}
    view = view_stream_of(
        camera(**keys, fps=10, width=320, stages=[{"model": "street"}], preview=preview)
    )
    assert view is not None
    assert (str(view.url), view.view) == ("rtsp://***@192.0.2.7/main", None)
    assert {key: getattr(view, key) for key in keys} == keys
    assert (view.fps, view.width, view.height, view.stages) == (4, 1920, 1920, [])


@pytest.mark.parametrize(
    "view", [None, SUB, "rtsp://192.0.2.7:554/sub", "rtsp://x:y@192.0.2.7/sub"]
)
def test_no_second_session_for_the_stream_that_is_analysed(view: str | None) -> None:
    assert view_stream_of(camera(view=view)) is None


def test_passwords_of_a_view_are_shown_by_nothing() -> None:
    shown = camera(view="rtsp://u:hunter2@h/x?token=hunter2")
    said = [repr(shown), str(shown), shown.model_dump_json(), str(shown.model_dump(mode="json"))]
    assert not any("hunter2" in each for each in said)


def test_nothing_is_shown_in_which_nothing_is_blurred() -> None:
    assert list(check_hidden(camera(), "gate")) == []
    (line,) = check_hidden(camera(preview={"blur": ["face", "person"]}), "gate")
    assert line.startswith('gate.view: "rtsp://***@192.0.2.7/main" — expected none where')
    assert "face, person" in line
    skips = [{"model": "street"}, {"track": "bytetrack", "skip": 2}]
    (line,) = check_hidden(camera(view=None, stages=skips, preview={"blur": ["face"]}), "gate")
    assert line.startswith("gate.stages[1].skip: 2 — expected 0 where preview.blur names classes")
    assert list(check_hidden(camera(view=None, stages=skips), "gate")) == []


@pytest.mark.parametrize(
    ("size", "fps", "side", "is_said"),
    [
        ((3840, 2160), 25.0, 640, True),
        ((2560, 1440), None, 640, True),
        ((3840, 2160), 25.0, 3840, False),
        ((1920, 1080), 25.0, 640, False),
        ((3840, 2160), 0.5, 640, False),
        ((2160, 3840), 15.0, 640, True),
    ],
)
def test_a_large_stream_for_a_small_analysis_is_hinted_at(
    size: tuple[int, int], fps: float | None, side: int, is_said: bool
) -> None:
    assert (decode_hint(size, fps, side, side) is not None) is is_said


def test_the_hint_says_what_it_costs() -> None:
    hint = decode_hint((3840, 2160), 25.0, 640, 640)
    assert hint is not None
    assert hint.startswith("3840x2160 is decoded to analyse 640x360: about ")
    assert hint.endswith(
        "Choose a smaller stream of the camera as url, and this one as view to see it"
    )
    assert "as view" not in (decode_hint((3840, 2160), 25.0, 640, 640, has_view=True) or "as view")
