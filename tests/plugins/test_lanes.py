"""Planes of a segmenter to lanes: on roads of which the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from mirante import FrameResult, Lanes, Mask
from mirante.events import Event
from mirante.lane_planes import LanePlanes, is_area, is_line
from mirante.lanes import Curve
from pipeline.demo.road import FPS, FRAMES, road_lines, road_picture
from plugins.lanes.departure import Departures
from plugins.lanes.ego import Scale, ego_of
from plugins.lanes.memory import Line, State
from plugins.lanes.options import LaneOptions
from plugins.lanes.stage import LanesStage
from plugins.memory import Memory
from tests.support.lane_planes import (
    EYE,
    HEIGHT,
    LANE,
    WIDTH,
    Plane,
    drawn,
    errors,
    ground,
    line,
    pixels,
    result,
    road,
)

ALLOWED_PX = 2.0  # of 640
pictured = cache(road_picture)


def every(lines: Sequence[Curve], **how: float) -> Plane:
    return np.any([drawn(each, **how) for each in lines], axis=0)


def lanes_of(planes: dict[str, Plane] | Plane, **options: Any) -> Lanes:
    named = planes if isinstance(planes, dict) else {"lane": planes}
    lanes = LanesStage(LaneOptions(**options))(pixels(), result(named)).lanes
    assert lanes is not None
    return lanes


def noisy(plane: Plane, share: float, seed: int = 0) -> Plane:
    return plane ^ (np.random.default_rng(seed).random(plane.shape) < share)


def night(rgb: Any, seed: int) -> Any:
    """A third of the light, and a gain that makes its noise seen."""
    noise = np.random.default_rng(seed).normal(0, 6, rgb.shape)
    return np.clip(rgb * 0.3 + noise, 0, 255)


def brighter(rgb: Any) -> Plane:
    """What is brighter than the road around it, as a simple segmenter finds paint."""
    grey = cv2.GaussianBlur(rgb.astype(np.float32).mean(axis=2), (0, 0), 1)
    around = cv2.blur(grey, (41, 9))
    found = grey - around > 0.25 * np.maximum(around, 8)
    found[:155] = False
    return np.asarray(found, np.bool_)


def drive(plane_of: Callable[[int], Plane], every_nth: int) -> list[float]:
    """Errors of a drive on the synthetic road, and that each frame tells two lines or more."""
    stage, found = LanesStage(), []
    for n in range(0, FRAMES, every_nth):
        lanes = stage(pixels(), result({"lane": plane_of(n)}, n / FPS)).lanes
        off = errors(lanes, road_lines(n))
        assert len(off) >= 2
        found += off
    return found


def without(n: int, which: int) -> Plane:
    truth = road_lines(n)
    y, x = np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH)[None] + 0.5
    below = np.maximum(y - truth[which].horizon, 1)
    middle = truth[which].a + truth[which].b * below + truth[which].c / below
    return np.asarray(pictured(n).lane & ~(abs(x - middle) < 3 + 0.1 * below))


@pytest.mark.slow
@pytest.mark.parametrize(
    "plane_of",
    [
        lambda n: pictured(n).lane,
        lambda n: without(n, 0),
        lambda n: without(n, 1),
        lambda n: without(n, 2),
        lambda n: noisy(pictured(n).lane, 0.02, n),
        lambda n: brighter(pictured(n).rgb),
        lambda n: brighter(night(pictured(n).rgb, n)),
    ],
    ids=["all", "no left", "no middle", "no right", "noise", "paint", "paint at night"],
)
def test_the_synthetic_road(plane_of: Callable[[int], Plane]) -> None:
    assert max(drive(plane_of, 18)) <= ALLOWED_PX


@pytest.mark.slow
def test_the_planes_of_our_own_network() -> None:
    import engines

    model, stage, off = engines.load("road", threads=2), LanesStage(), []
    for n in range(0, FRAMES, 18):
        picture = pictured(n)
        masks = model(picture.rgb).masks
        frame = replace(result({"lane": picture.lane}, n / FPS), masks=tuple(masks))
        lanes = stage(pixels(), frame).lanes
        assert lanes is not None
        assert lanes.ego is not None
        left, right = road_lines(n)[1:]
        offset = -(left.b + right.b) / 2 / (right.b - left.b)
        assert lanes.ego.offset == pytest.approx(offset, abs=0.02)
        off += errors(lanes, road_lines(n))
    assert np.median(off) <= 1.5 * ALLOWED_PX  # a pixel of its planes is two of 640


ROADS: dict[str, Callable[[], Plane]] = {
    "straight": lambda: every(road()),
    "dashes": lambda: every(road(), dash_m=3),
    "one line of dashes": lambda: every(road(lines=[1]), dash_m=3),
    "thick": lambda: every(road(), paint=0.5),
    "holes": lambda: every(road()) & ~noisy(np.zeros((HEIGHT, WIDTH), np.bool_), 0.1),
    "a stop line": lambda: every(road()) | ground((9, 9.5), (-3, 3)),
    "a stop line nearby": lambda: every(road()) | ground((5, 5.6), (-1.7, 1.7)),
    "an arrow": lambda: (
        every(road(), dash_m=3) | ground((8, 11), (-0.08, 0.08)) | ground((11, 12), (-0.4, 0.4))
    ),
    "a shaft": lambda: every(road()) | ground((6, 11), (-0.08, 0.08)),
    "a crossing": lambda: (
        every(road(lines=[0, 1]))
        | np.any([ground((6, 9), (x - 0.25, x + 0.25)) for x in range(-3, 4)], axis=0)
    ),
}


@pytest.mark.parametrize("name", ROADS)
def test_lines_and_nothing_else(name: str) -> None:
    lanes = lanes_of(ROADS[name]())
    assert lanes.lines
    assert max(errors(lanes, road())) <= ALLOWED_PX
    numbers = [each.number for each in lanes.lines]
    assert numbers in ([-2, -1, 1, 2], [-1, 1], [1])
    for each in lanes.lines:
        x, y = each.points.T
        assert (np.diff(y) < 0).all()
        assert (x >= -0.5).all()
        assert (x <= WIDTH + 0.5).all()
        assert abs(each.curve.at(y) - x).max() < 0.01


@pytest.mark.parametrize("bend", [0.002, -0.005, 0.01])
@pytest.mark.parametrize("dash_m", [0, 3])
def test_bends(bend: float, dash_m: float) -> None:
    truth = road(0.1, bend)
    lanes = lanes_of(
        every(truth, dash_m=dash_m), lane_width_m=LANE, fov_deg=2 * np.degrees(np.arctan(320 / 520))
    )
    assert len(lanes.lines) == 4
    assert max(errors(lanes, truth)) <= ALLOWED_PX
    assert lanes.ego is not None
    assert lanes.ego.curvature_per_m == pytest.approx(bend, rel=0.05)
    assert lanes.ego.offset_m == pytest.approx(0.1 * LANE, abs=0.02)
    assert np.sign(lanes.ego.curvature) == np.sign(bend)


@pytest.mark.parametrize(
    "plane",
    [
        np.zeros((HEIGHT, WIDTH), np.bool_),
        np.ones((HEIGHT, WIDTH), np.bool_),
        noisy(np.zeros((HEIGHT, WIDTH), np.bool_), 0.03),
        noisy(np.zeros((HEIGHT, WIDTH), np.bool_), 0.5),
        ground((9, 9.5), (-3, 3)),
        np.any([ground((6, 9), (x - 0.25, x + 0.25)) for x in range(-3, 4)], axis=0),
    ],
    ids=["nothing", "all", "specks", "noise", "a stop line", "a crossing"],
)
def test_no_lines(plane: Plane) -> None:
    lanes = lanes_of(plane)
    assert (lanes.lines, lanes.ego) == ((), None)


def test_a_plane_for_each_line_and_another_size() -> None:
    truth = road()
    whole = lanes_of({f"lane_{i}": drawn(each, 3 * (i % 2)) for i, each in enumerate(truth)})
    assert [each.number for each in whole.lines] == [-2, -1, 1, 2]
    assert max(errors(whole, truth)) <= ALLOWED_PX
    smaller = cv2.resize(every(truth).astype(np.float32), (320, 192), interpolation=cv2.INTER_AREA)
    large = LanesStage()(pixels(), result({"lane": smaller > 0.4}, size=(1920, 1080))).lanes
    assert max(errors(large, truth, scale=3)) <= ALLOWED_PX


def test_the_drivable_area_is_outlined() -> None:
    area = ground((4, 40), (-1.6, 1.6))
    lanes = lanes_of({"lane": every(road()), "Drivable area": noisy(area, 0.01)})
    assert len(lanes.drivable) == 1
    again = (
        cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.uint8), [lanes.drivable[0].astype(np.int32)], 1)
        > 0
    )
    assert (again & area).sum() / (again | area).sum() > 0.97
    assert lanes_of({"lane": area, "road": area}, drivable="").drivable == ()
    assert len(lanes_of({"lane": area, "road": area}, drivable="road").drivable) == 1


@cache
def wide(offset: float) -> Plane:
    """Return the plane of a road of six lines."""
    return every(road(offset, lines=(-2, -1, 0, 1, 2, 3)))


def driven(
    offsets: Sequence[float], memory: Memory | None = None, begin_s: float = 0.0
) -> list[Event]:
    """Offsets of the camera from its lane, 0.1 s apart; more than half a lane is in the next."""
    stage = LanesStage(memory=memory)
    events: list[Event] = []
    for i, offset in enumerate(offsets):
        lines = road(offset, lines=(-2, -1, 0, 1, 2, 3))
        after = stage(pixels(), result({"lane": wide(offset)}, begin_s + i / 10))
        events += after.events
        assert max(errors(after.lanes, lines)) <= ALLOWED_PX
    return events


@pytest.mark.slow
def test_a_change_of_lanes_is_one_departure() -> None:
    right = [*np.linspace(0, 1, 24), *[1.0] * 4]
    events = driven([*right, *right[::-1]])
    assert [(each.kind, each.direction, each.camera) for each in events] == [
        ("lane-departure", "right", "car"),
        ("lane-departure", "left", "car"),
    ]
    assert [each.id for each in events] == [f"1700000000000-lane-departure-{n}" for n in (1, 2)]


def test_a_departure_is_told_once_across_a_restart() -> None:
    out, back = [0.0, 0.2, *[0.4] * 6], [0.4, 0.4, 0.1, 0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.4]
    memory = Memory()
    first = driven(out, memory)
    later = driven(back, Memory(memory.saved()), 2.0)
    assert [each.id[-1] for each in (*first, *later)] == ["1", "2"]
    assert all(len(part) < 600 for part in memory.saved().values())


def test_departures_of_any_offsets_alternate_with_returns() -> None:
    rng = np.random.default_rng(4)
    for rate in (3, 25):
        account, at_ns, told = Departures(), 0, 0
        for offset in np.cumsum(rng.normal(0, 0.08, 600)):
            at_ns += 10**9 // rate
            was_out = account.is_out
            side = account.update((offset + 0.5) % 1 - 0.5, 0.3, at_ns)
            assert bool(side) == (account.is_out and not was_out)
            told += bool(side)
        assert account.count == told > 2


def test_a_flicker_is_no_departure() -> None:
    assert driven([0, 0, 0, 0.4, 0, 0, -0.4, 0.0, 0.0, 0.31, 0.0]) == []


def test_lines_are_held_and_smoothed_by_capture_time() -> None:
    stage, truth = LanesStage(LaneOptions(smooth_s=0.2)), road()
    nothing = np.zeros((HEIGHT, WIDTH), np.bool_)
    for i in range(5):
        stage(pixels(), result({"lane": every(truth)}, i / 25))
    held = stage(pixels(), result({"lane": nothing}, 0.3)).lanes
    assert max(errors(held, truth)) <= ALLOWED_PX
    half = stage(pixels(), result({"lane": every(truth[2:])}, 0.35)).lanes
    assert half is not None
    assert [each.number for each in half.lines] == [-2, -1, 1, 2]
    assert half.lines[1].confidence < half.lines[2].confidence
    gone = stage(pixels(), result({"lane": nothing}, 1.5)).lanes
    assert gone is not None
    assert gone.lines == ()


@pytest.mark.slow
def test_a_trembling_line_is_still_and_a_moving_one_is_followed() -> None:
    rng = np.random.default_rng(2)
    stage, near = LanesStage(LaneOptions(smooth_s=0.3)), []
    for i in range(50):
        shaken = line(1.75 + rng.normal(0, 0.004))
        lanes = stage(pixels(), result({"lane": drawn(line(-1.75)) | drawn(shaken)}, i / 25)).lanes
        assert lanes is not None
        near.append((shaken.b, lanes.lines[1].curve.b))
    shaken_b, smoothed_b = np.array(near[10:]).T
    assert smoothed_b.std() < 0.6 * shaken_b.std()
    for i in range(20):  # a metre a second
        lines = [line(place - 0.04 * i) for place in (-1.75, 1.75)]
        lanes = stage(pixels(), result({"lane": every(lines)}, 2 + i / 25)).lanes
        assert max(errors(lanes, lines)) <= ALLOWED_PX


def test_one_line_of_a_known_lane_is_enough() -> None:
    stage, truth = LanesStage(), road(0.1)
    stage(pixels(), result({"lane": every(truth)}, 0))
    for shown in (truth[1:2], truth[2:3]):
        after = stage(pixels(), result({"lane": every(shown)}, 1 + shown[0].b)).lanes
        assert after is not None
        assert after.ego is not None
        assert after.ego.offset == pytest.approx(0.1, abs=0.02)
    beyond = stage(pixels(), result({"lane": every([truth[1], truth[3]])}, 5)).lanes
    assert beyond is not None
    assert [each.number for each in beyond.lines] == [-1, 2]
    assert beyond.ego is not None
    assert beyond.ego.offset == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(("confidence", "is_told"), [(0.19, False), (0.5, True)])
def test_no_lane_is_told_of_lines_that_are_not(confidence: float, is_told: bool) -> None:
    sides = [Line((0.0, b, 0.0), 200.0, confidence, 1) for b in (-1.2, 1.4)]
    state = State(Departures(), road=(180.0, 0.0, 0.0), lines=sides, lane_width=2.6)
    assert (ego_of(state, 360.0, Scale()) is not None) == is_told


def test_a_damaged_frame_is_no_evidence() -> None:
    stage, truth = LanesStage(), road()
    stage(pixels(), result({"lane": every(truth)}, 0))
    wrong = result({"lane": every(road(0.4))}, 0.1, damaged=True)
    after = stage(pixels(), wrong)
    assert max(errors(after.lanes, truth)) <= ALLOWED_PX
    assert after.events == ()


def test_what_a_memory_of_another_version_says_is_passed_over() -> None:
    stage = LanesStage(memory=Memory({"lanes": b"\x91\xc0"}))
    lanes = stage(pixels(), result({"lane": every(road())})).lanes
    assert max(errors(lanes, road())) <= ALLOWED_PX


@pytest.mark.parametrize(
    "label", ["lane", "lane_line", "Lane marking", "lane-3", "lane_left", "lane0"]
)
def test_names_of_lines(label: str) -> None:
    assert is_line(label)
    assert not is_area(label)


@pytest.mark.parametrize("label", ["road", "bus lane", "person", "skyline", "drivable", "curb"])
def test_names_of_no_lines(label: str) -> None:
    assert not is_line(label)


def test_planes_by_model_and_by_name() -> None:
    labels = ("lane", "paint", "drivable")
    assert LanePlanes("auto").lines_of("a", labels) == ["lane"]
    assert LanePlanes("a").lines_of("a", labels) == ["lane"]
    assert LanePlanes("a").lines_of("b", labels) == []
    assert LanePlanes("paint, lane").lines_of("a", labels) == ["lane", "paint"]
    assert LanePlanes("paint,lines").unnamed({"a": labels}) == ["lines"]


def test_a_crop_of_the_frame_has_its_place() -> None:
    plane = every(road())
    region = (0.0, 120.0, 640.0, 360.0)
    mask = Mask.from_planes(("lane",), plane[120:][None], region, "road")
    frame: FrameResult = replace(result({"lane": plane}), masks=(mask,))
    assert max(errors(LanesStage()(pixels(), frame).lanes, road())) <= ALLOWED_PX


def test_a_higher_camera_and_another_shape() -> None:
    curves = [Curve(90, 200, place * LANE / (2 * EYE), 0) for place in (-1.5, -0.5, 0.5)]
    y, x = np.mgrid[:480, :480] + 0.5
    below = np.maximum(y - 90, 1e-3)
    plane = np.any([(abs(x - c.a - c.b * below) < 0.03 * below) & (y > 96) for c in curves], axis=0)
    lanes = LanesStage()(pixels(), result({"lane": plane}, size=(480, 480))).lanes
    assert lanes is not None
    assert [each.number for each in lanes.lines] == [-2, -1, 1]
    for each, true in zip(lanes.lines, curves, strict=True):
        assert abs(true.at(each.points[:, 1]) - each.points[:, 0]).max() <= ALLOWED_PX


@pytest.mark.rtsp
def test_the_element(launch: Any) -> None:
    source = "videotestsrc num-buffers=2 ! video/x-raw,format=RGB,width=640,height=360"
    ended = launch(f"{source} ! mirinfer model=test-lane ! mirlanes lanes=auto ! fakesink")
    assert ended.error is None
    assert ended.counts.failed == 0
