"""The silence that a camera's rate allows."""

from __future__ import annotations

import pytest

from pipeline.cameras.rhythm import GAPS, SHOWN, Rhythm

SECOND = 1_000_000_000


def play(gap_s: float, images: int, stated_s: float | None = None) -> Rhythm:
    rhythm = Rhythm()
    for n in range(images):
        rhythm.came(n * gap_s, round(n * (gap_s if stated_s is None else stated_s) * SECOND))
    return rhythm


@pytest.mark.parametrize(
    ("gap_s", "limit_s"), [(0.04, 3.0), (1.0, 3.0), (2.0, 6.0), (5.0, 15.0), (300.0, 600.0)]
)
def test_the_limit_follows_the_rate_and_is_never_below_three_seconds(
    gap_s: float, limit_s: float
) -> None:
    assert play(gap_s, SHOWN + 1).limit_s == pytest.approx(limit_s)


def test_a_rate_is_not_known_from_the_first_images() -> None:
    assert play(0.04, SHOWN).limit_s is None


def test_a_burst_of_old_images_counts_by_their_own_time() -> None:
    assert play(0.001, 20, stated_s=5.0).limit_s == pytest.approx(15.0)


def test_a_clock_that_jumps_is_no_rate() -> None:
    rhythm = play(0.04, 20)
    rhythm.came(0.8, 3600 * SECOND)
    assert rhythm.limit_s == 3.0


def test_a_camera_that_becomes_faster_is_trusted_less_again() -> None:
    rhythm = play(5.0, 10)
    for n in range(GAPS):
        rhythm.came(45.0 + n * 0.04, round((45.0 + n * 0.04) * SECOND))
    assert rhythm.limit_s == pytest.approx(3.0)


def test_images_without_a_time_of_their_own() -> None:
    rhythm = Rhythm()
    for n in range(20):
        rhythm.came(n * 2.0, 2**64 - 1)
    assert rhythm.limit_s == pytest.approx(6.0)
