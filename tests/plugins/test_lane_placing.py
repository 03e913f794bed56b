"""Where lines end: what is said of a line is where it is, and no further than that is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lanes.plan import Plan
from benchmarks.lanes.roads import CONDITIONS
from benchmarks.lanes.run import ALLOWED_PX, driven
from mirante import Lanes
from plugins.lanes.lines import Seen
from plugins.lanes.memory import LaneMemory
from plugins.lanes.road import Road, deviations, fit, own_curves
from plugins.lanes.stage import LanesStage
from tests.support.lane_planes import (
    HEIGHT,
    HORIZON,
    LANE,
    WIDTH,
    Plane,
    drawn,
    errors,
    line,
    pixels,
    result,
    road,
)

ROW = np.mgrid[:HEIGHT, :WIDTH][0]


def seen(plane: Plane) -> Lanes:
    lanes = LanesStage()(pixels(), result({"lane": plane})).lanes
    assert lanes is not None
    return lanes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("condition", "share"),
    [
        # test_lanes.py drives by night and by noise, too
        *(pytest.param(name, 1.0, marks=pytest.mark.full) for name in ("night", "noise")),
        ("curve", 0.99),
        ("worn", 0.95),
    ],
)
def test_what_is_said_is_there(condition: str, share: float) -> None:
    found = driven(CONDITIONS[condition], Plan(drives=2, seconds=1.5, seed=7301))
    right = sum(off <= ALLOWED_PX for off in found.px)
    assert right >= share * (len(found.px) + found.ghosts)
    assert found.rows_found > 0.15 * found.rows


@pytest.mark.parametrize("last", [170, 190, 220])
def test_a_line_ends_with_its_paint(last: int) -> None:
    plane = np.any([drawn(each) for each in road()], axis=0) & (last <= ROW)
    lanes = seen(plane)
    assert len(lanes.lines) == (4 if last < 220 else 2)  # of those beside, some rows are left
    assert all(abs(each.points[:, 1].min() - last) <= 3 for each in lanes.lines)
    assert max(errors(lanes, road())) <= ALLOWED_PX


def test_paint_that_another_line_crosses_with_is_not_its_own() -> None:
    """A line with paint nearby alone, and one that crosses its way far off."""
    near, other = line(-LANE / 2), drawn(line(LANE / 2))
    crossing = np.zeros((HEIGHT, WIDTH), np.bool_)
    row = HORIZON + 14
    at = int(near.at(np.array([row + 0.5]))[0])
    for step in range(5):
        crossing[row + step, at + 3 * step - 12 : at + 3 * step - 4] = True
    left = seen((drawn(near) & (ROW >= 240)) | other | crossing).lines[0]
    assert left.points[:, 1].min() >= 230


def test_a_short_piece_says_less_of_rows_far_from_it() -> None:
    below = np.arange(60.0, 90.0)
    y = np.concatenate([below, np.arange(10.0, 200.0)]) + HORIZON
    which = np.repeat([0, 1], [30, 190])
    x = np.where(which, 320 + 1.3 * (y - HORIZON), 320 - 1.3 * (y - HORIZON))
    found = fit((x, y), which, Road(HORIZON, 320.0, 0.0))
    own = own_curves((x, y), which, found, np.ones_like(x))
    piece, whole = deviations(own, found, np.array([20.0, 75.0, 120.0, 200.0]))
    assert piece[1] < piece[2] < piece[3]
    assert piece[1] < piece[0]
    assert (whole < piece).all()
    own = own_curves((x, y), which, found, np.full_like(x, 0.1))
    assert (deviations(own, found, np.array([75.0])) > piece[1]).any()


def state_of(curves: list[tuple[float, float, float]], c: float) -> Seen:
    count = len(curves)
    ends = np.full(count, 360.0), np.full(count, 170.0)
    return Seen(Road(150.0, 320.0, c), np.array(curves), *ends, np.full(count, 0.9), 1.0)


@pytest.mark.parametrize(("c", "farthest"), [(0.0, 170.0), (100.0, 200.0), (3000.0, None)])
def test_a_line_that_is_not_seen_ends_where_the_road_has_turned(
    c: float, farthest: float | None
) -> None:
    memory = LaneMemory()
    memory.update(state_of([(320.0, -1.3, 0.0), (320.0, 1.3, 0.0)], 0.0), 10**18, 360.0, 0.1)
    memory.update(state_of([(320.0, 1.3, c)], c), 10**18 + 10**8, 360.0, 0.1)
    held = [each for each in memory.state.lines if each.curve[1] < 0]
    assert [each.farthest for each in held] == pytest.approx(
        [] if farthest is None else [farthest], abs=20
    )


def test_a_bend_that_changes_is_expected_to_go_on() -> None:
    memory, at_ns = LaneMemory(), 10**18
    for n in range(12):
        at_ns = 10**18 + n * 40_000_000
        memory.update(state_of([(320.0, 1.3, 20.0 * n)], 20.0 * n), at_ns, 360.0, 0.1)
    expected = LaneMemory(memory.saved()).expected(at_ns + 40_000_000)[0]
    assert expected is not None
    assert expected.c == pytest.approx(240.0, abs=8)
    later = memory.expected(at_ns + 5 * 10**9)[0]
    assert later is not None
    assert later.c < 220 + 0.3 * 500 + 1
