"""The rate limit."""

from __future__ import annotations

import random

import pytest

from plugins.rate import RateLimit

MS = 1_000_000


def admitted(fps: float, pts_ms: list[float]) -> list[float]:
    limit = RateLimit(fps)
    return [pts for pts in pts_ms if limit.admits(round(pts * MS))]


def test_every_nth_of_an_even_stream() -> None:
    assert admitted(1, [n * 100 for n in range(31)]) == [0, 1000, 2000, 3000]


@pytest.mark.parametrize("fps", [10, 7.5, 2.5, 0.5])
def test_the_average_is_the_limit(fps: float) -> None:
    frames = len(admitted(fps, [n * 40 for n in range(2500)]))  # 100 s at 25 fps
    assert abs(frames - 100 * fps) <= 1


def test_a_camera_at_the_limit_loses_next_to_nothing_to_jitter() -> None:
    chance = random.Random(1)
    pts_ms = [n * 40 + chance.uniform(0, 20) for n in range(1000)]
    assert len(admitted(25, pts_ms)) >= 995


def test_a_slower_camera_is_left_alone() -> None:
    pts_ms = [n * 200.0 for n in range(50)]
    assert admitted(10, pts_ms) == pts_ms


def test_after_a_jump_back_or_a_pause_it_goes_on_at_once() -> None:
    assert admitted(1, [50_000, 50_500, 0, 500, 1000]) == [50_000, 0, 1000]
    assert admitted(1, [0, 60_000, 60_500, 61_000]) == [0, 60_000, 61_000]
