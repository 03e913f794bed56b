"""The roads whose truth is known, what is said of lines on them, and the bench."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lanes.plan import WORDS, Plan
from benchmarks.lanes.roads import CONDITIONS, HEIGHT, WIDTH, Drive
from benchmarks.lanes.run import delay_s, driven, run_bench
from mirante.lanes import Curve, LaneLine, Lanes


def said(curves: list[Curve]) -> Lanes:
    y = np.arange(HEIGHT - 1, 220, -8.0)
    points = [np.stack([curve.at(y), y], axis=1).astype(np.float32) for curve in curves]
    lines = zip(points, curves, range(1, 9), strict=False)
    return Lanes(tuple(LaneLine(each, curve, 1.0, n) for each, curve, n in lines))


def test_paint_lies_on_the_lines_of_the_truth() -> None:
    for seed in range(4):
        drive = Drive(seed, CONDITIONS["curve"], 2.0)
        y, x = np.nonzero(drive.plane(0.4))
        assert len(x) > 200
        off = [abs(true.at(y + 0.5) - x - 0.5) for true in drive.truth(0.4)]
        below = y + 0.5 - drive.road.horizon
        assert (np.min(off, axis=0) <= 0.6 + 0.2 / 1.1 * below / 2).all()
        assert drive.plane(0.4).shape == (HEIGHT, WIDTH)


def test_a_missing_line_has_no_paint_and_is_none_of_the_truth() -> None:
    for seed in range(4):
        drive = Drive(seed, CONDITIONS["missing"], 2.0)
        assert len(drive.truth(0)) == len(drive.road.lines) - 1


@pytest.mark.parametrize("late_s", [0.0, 0.1, 0.2])
def test_how_late_lines_are(late_s: float) -> None:
    drive = Drive(3, CONDITIONS["change"], 4.0)
    seen = [(at_s, said(drive.truth(at_s - late_s))) for at_s in np.arange(1.0, 3.0, 0.1)]
    assert delay_s(drive, seen) == pytest.approx(late_s, abs=0.011)


@pytest.mark.slow
def test_lines_that_are_said_of_an_unseen_road_are_near_the_truth() -> None:
    errors = driven(CONDITIONS["plain"], Plan(drives=2, seconds=1.0, seed=50))
    assert max(errors.px) <= 2
    assert errors.ghosts == 0
    assert len(errors.px) > 0.9 * errors.true
    assert max(errors.offsets) < 0.02


def test_the_bench_prints_a_row_for_each_condition(capsys: pytest.CaptureFixture[str]) -> None:
    run_bench(Plan(conditions=("missing", "noise"), drives=1, seconds=0.8))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["missing", "noise"]


def test_every_condition_of_the_plan_is_one() -> None:
    assert set(WORDS) == set(CONDITIONS)
