"""Which cameras have a gate, and what of it stands in their graph."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.cameras.gating import can_pass_over, gate_text, limit_of
from pipeline.cameras.graph import camera_graph
from pipeline.cameras.sources import source_of
from pipeline.config.camera import Camera
from plugins.rate import RateLimit

BOXES, ROAD = {"model": "test-boxes"}, {"model": "test-lane"}
TRACK, OWN = {"track": "bytetrack"}, {"python": "crowd:Crowd"}
LIVE, FILE = "rtsp://192.0.2.10/main", "clip.mp4"


def text(url: str = LIVE, **options: Any) -> str:
    camera = Camera.model_validate({"url": url, **options})
    return gate_text(camera, source_of(camera))


@pytest.mark.parametrize(
    ("url", "gate", "stages", "has_one"),
    [
        (LIVE, "auto", [BOXES], True),
        (LIVE, "auto", [BOXES, TRACK], True),
        (LIVE, "auto", [BOXES, {"model": "test-lane", "on": "red"}], True),
        ("v4l2:///dev/video0", "auto", [BOXES], True),
        (LIVE, "off", [BOXES], False),
        (LIVE, "auto", [], False),
        (LIVE, "on", [], False),
        (LIVE, "auto", [ROAD], False),
        (LIVE, "on", [ROAD], True),
        (LIVE, "auto", [ROAD, BOXES, {"lanes": "auto"}], False),
        (LIVE, "auto", [BOXES, OWN], False),
        (LIVE, "on", [BOXES, OWN], True),
        (FILE, "auto", [BOXES], False),
        (FILE, "on", [BOXES], True),
        ("test://", "auto", [BOXES], False),
        ("test://", "on", [BOXES], True),
    ],
)
def test_live_cameras_have_one_whose_models_find_boxes(
    url: str, gate: str, stages: list[Any], has_one: bool
) -> None:
    assert bool(text(url, gate=gate, stages=stages)) == has_one


def test_still_objects_are_looked_at_as_often_as_they_become_still() -> None:
    assert "still-s" not in text(stages=[BOXES])
    assert text(stages=[BOXES, TRACK | {"still_s": 4}]).endswith("still-s=4")
    assert text(stages=[BOXES, TRACK | {"still_s": 900}]).endswith("still-s=60")


def test_it_stands_before_the_conversion_and_knows_what_is_hidden() -> None:
    zone = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]
    options: dict[str, Any] = {"url": LIVE, "crop": [0, 0, 1, 0.5], "mask": [zone]}
    camera = Camera.model_validate({**options, "stages": [BOXES]})
    gate = gate_text(camera, source_of(camera))
    graph = camera_graph("gate", camera, "fakesink", gate=gate)
    order = ["name=newest", "videocrop", "mirgate", "mirrgb", "mirblackout"]
    assert sorted(order, key=graph.index) == order
    assert "zones=" in gate
    assert "mirgate" not in camera_graph("gate", camera, "fakesink")


def test_it_reads_what_is_shown_of_the_counts_of_a_thermal_camera() -> None:
    assert "thermal-range=auto" in text(stages=[BOXES], thermal_range="auto")
    assert "thermal-range=28000,31000" in text(stages=[BOXES], thermal_range=[28000, 31000])


RATES = {"quiet": 1, "busy": 10}


def rate_of(limit: RateLimit | None) -> float | None:
    """Return the frames a second that pass, in whole ones a minute."""
    if limit is None:
        return None
    return sum(limit.admits(number * 10_000_000) for number in range(6000)) / 60


@pytest.mark.parametrize(
    ("options", "said", "decoded"),
    [
        ({"fps": 10}, "", 10),
        ({"fps": RATES}, "quiet-fps=1", 10),
        ({"fps": {"quiet": 0.5}}, "quiet-fps=0.5", None),
        ({"fps": RATES, "gate": "off"}, "quiet-fps=1 skips-still=false", 10),
        ({"fps": RATES, "url": FILE}, "quiet-fps=1 skips-still=false", 10),
        ({"fps": RATES, "stages": [BOXES, OWN]}, "quiet-fps=1 skips-still=false", 10),
        ({"fps": 0.2}, "busy-fps=0.2 quiet-fps=0.2", 2),
        ({"fps": 1.5}, "busy-fps=1.5 quiet-fps=1.5", 3),
        ({"fps": {"quiet": 0.1, "busy": 1}}, "busy-fps=1 quiet-fps=0.1", 2),
        ({"fps": 0.2, "url": "snapshot+http://192.0.2.10/image.jpg"}, "", None),
    ],
)
def test_a_gate_keeps_rates_by_need_and_those_too_low_to_tell_motion(
    options: dict[str, Any], said: str, decoded: float | None
) -> None:
    options = {"url": LIVE, "stages": [BOXES], **options}
    camera = Camera.model_validate(options)
    assert text(**options).removeprefix("mirgate name=gate").strip() == said
    assert rate_of(limit_of(camera, source_of(camera), True)) == decoded
    own = None if "snapshot" in str(camera.url) else camera.most_fps
    assert rate_of(limit_of(camera, source_of(camera), False)) == own


def test_no_gate_stands_without_stages_or_for_one_rate() -> None:
    assert not text(fps=RATES, stages=[])
    assert not text(fps=0.2, gate="off", stages=[BOXES])


def test_regions_have_motion_told_also_where_no_frame_is_passed_over() -> None:
    seen = text(FILE, stages=[{"model": "test-boxes", "regions": "auto"}])
    assert "skips-still=false" in seen


def test_a_gate_sees_whether_tracked_objects_alone_move() -> None:
    stages = [BOXES, TRACK | {"skip": 3}]
    assert text(stages=stages).endswith("most-tracked=3 still-s=10")
    assert "most-tracked=30 " in text(stages=[BOXES, TRACK | {"skip": "auto"}])
    assert " skips-still=false most-tracked=3" in text(stages=stages, gate="off")
    assert not text(stages=[BOXES, TRACK], gate="off")


@pytest.mark.parametrize(
    ("gate", "stages", "can"),
    [
        ("auto", [BOXES], True),
        ("auto", [BOXES, OWN], False),
        ("auto", [BOXES, {"lanes": "auto"}], False),
        ("on", [BOXES, OWN], True),
        ("off", [BOXES], False),
        ("on", [], False),
    ],
)
def test_a_recording_stands_for_a_camera_that_is_quiet_or_never(
    gate: str, stages: list[Any], can: bool
) -> None:
    camera = Camera.model_validate({"url": FILE, "gate": gate, "stages": stages})
    assert can_pass_over(camera) == can
