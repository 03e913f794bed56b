"""Motion is found where something moves, and not where only light, noise, rain or leaves do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plugins.colour.thermal import Window
from plugins.gate.motion import LEARN_S, LONGEST, WEATHER_S, Motion, thumb_of
from tests.support.luma import (
    WIDTH,
    Draw,
    Scene,
    Walker,
    clouds,
    gains,
    lamp,
    leaves,
    parking,
    rain,
)


def wakes(
    scene: Scene, seconds: float, fps: float = 10.0, walker: Walker | None = None
) -> list[float]:
    """Return the times of frames in which something moves, once it has learnt."""
    motion = Motion()
    found = []
    longest_s = WEATHER_S if rain in scene.draw else LEARN_S
    for at_s, image in scene.frames(seconds, fps):
        moved = motion.see(image, 100 + at_s, walker.at(at_s) if walker else ())
        if at_s < max(LEARN_S, 8 / fps):
            assert moved.is_learning or fps < 4
        elif at_s >= longest_s:
            assert not moved.is_learning or fps < 4
        if moved.pixels and not moved.is_learning:
            found.append(at_s)
    return found


def spells(times: list[float], apart_s: float = 1.0) -> int:
    """Return how often it woke: motion within ``apart_s`` is one."""
    return sum(
        1 for before, at in zip([-1e9, *times], times, strict=False) if at - before > apart_s
    )


def some(*rows: tuple[Any, ...]) -> list[Any]:
    """Rows for ``--full``: the same of other noise, seeds and rates."""
    return [pytest.param(*row, marks=pytest.mark.full) for row in rows]


@pytest.mark.parametrize(
    ("noise", "light"),
    [(8.0, 1.0), (8.0, 0.1), *some((3.0, 1.0), (3.0, 0.1), (5.0, 1.0), (5.0, 0.1))],
)
def test_noise_is_no_motion(noise: float, light: float) -> None:
    assert not wakes(Scene(noise=noise, light=light), 40)


@pytest.mark.parametrize("draw", [gains, pytest.param(clouds, marks=pytest.mark.slow)])
def test_light_that_changes_is_no_motion(draw: Draw) -> None:
    assert spells(wakes(Scene((draw,)), 60)) <= 1


def test_sudden_light_is_no_motion_for_long() -> None:
    times = wakes(Scene((lamp,)), 50)
    assert times
    assert all(at % 15 < 1.5 for at in times)


@pytest.mark.full  # at 10 frames a second test_rain_is_learnt_before_it_wakes holds it
def test_rain_wakes_at_most_once_a_minute_when_it_is_known() -> None:
    times = wakes(Scene((rain,)), 70, 25)
    assert spells([at for at in times if at > 10]) <= 1


@pytest.mark.slow
def test_rain_is_learnt_before_it_wakes() -> None:
    """Three times in this minute, if two seconds had to do as in dry weather."""
    assert spells(wakes(Scene((rain,), seed=43), 60)) <= 1


def test_somebody_who_comes_while_rain_is_learnt_moves() -> None:
    motion, walker = Motion(), Walker(4, contrast=60, wide=4, tall=8)
    seen = [
        (walker.at(at_s), *motion.see(image, at_s, walker.at(at_s)))
        for at_s, image in Scene((rain, walker)).frames(12)
    ]
    there = [(pixels, is_learning) for boxes, pixels, is_learning in seen if boxes]
    assert all(is_learning for _, is_learning in there)
    assert sum(pixels > 0 for pixels, _ in there) >= 0.9 * len(there)


@pytest.mark.slow
def test_leaves_that_move_always_are_learnt() -> None:
    assert spells(wakes(Scene((leaves,)), 60)) <= 2
    times = wakes(Scene((lambda *each: leaves(*each) if each[1] > 20 else each[0],)), 120)
    assert 20 < min(times) < 21
    assert spells([at for at in times if at > 60]) <= 2


@pytest.mark.parametrize(
    ("seed", "fps"),
    [(31, 25.0), (32, 10.0), *some((31, 10.0), (32, 25.0), (33, 25.0), (33, 10.0))],
)
def test_somebody_far_away_is_seen(seed: int, fps: float) -> None:
    """12 by 24 pixels of 1280x720, and pale."""
    walker = Walker(5, speed=4, contrast=20, wide=1.5, tall=3)
    times = wakes(Scene((walker,), seed=seed), 20, fps)
    assert min(times) < 7
    gaps = np.diff([5, *times, 20])
    assert gaps.max() < 2


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [(42,), pytest.param((41, 42, 43), marks=pytest.mark.full)])
def test_rain_and_clouds_that_are_known_wake_at_most_once_a_minute(seeds: tuple[int, ...]) -> None:
    count = 0
    for seed in seeds:
        times = wakes(Scene((clouds, rain), seed=seed), 100, 10)
        count += spells([at for at in times if at > 40])
    assert count <= len(seeds)


WALKERS = {
    "usual": Walker(5),
    "dark": Walker(5, contrast=-25),
    "quick": Walker(5, speed=40),
    "slow": Walker(5, speed=1.5, contrast=30),
}


@pytest.mark.parametrize(
    ("name", "fps"),
    [
        *(("usual", 25.0), ("dark", 2.0), ("quick", 10.0), ("slow", 10.0)),
        *some(("usual", 10.0), ("usual", 2.0), ("dark", 25.0), ("dark", 10.0)),
        *some(("quick", 25.0), ("quick", 2.0), ("slow", 25.0), ("slow", 2.0)),
    ],
)
def test_a_small_person_is_seen_from_the_first_frames_to_the_last(name: str, fps: float) -> None:
    walker = WALKERS[name]
    scene = Scene((walker,))
    seconds = min(30.0, 6 + WIDTH / walker.speed)
    times = set(wakes(scene, seconds, fps, walker))
    there = [at for at, _ in scene.frames(seconds, fps) if walker.at(at)]
    assert min(times) - there[0] <= max(0.4, 2 / fps)
    assert len(times & set(there)) >= 0.9 * len(there)


def test_a_person_at_night_is_seen() -> None:
    walker = Walker(5, contrast=14)
    times = wakes(Scene((walker,), noise=5, light=0.1), 13, walker=walker)
    there = [at for at in times if walker.at(at)]
    assert min(there) < 5.7
    assert len(there) >= 0.9 * len(times)


@pytest.mark.slow
def test_who_walks_there_again_and_again_is_not_learnt() -> None:
    walker = Walker(5, contrast=30, back_s=12)
    times = wakes(Scene((walker,)), 92, walker=walker)
    assert 89 <= min(at for at in times if at > 88) < 89.6


@pytest.mark.slow
def test_a_person_is_seen_beside_leaves_that_are_learnt() -> None:
    walker = Walker(90, top=60)
    times = wakes(Scene((leaves, walker)), 98, walker=walker)
    assert len([at for at in times if walker.at(at)]) >= 0.9 * 78


def test_a_car_that_stands_moves_no_more_until_it_leaves() -> None:
    times = wakes(Scene((parking,)), 48)
    assert min(times) <= 5.3
    assert not [at for at in times if 22 < at < 40]
    assert [at for at in times if 40 <= at < 40.4]


def test_what_was_not_watched_for_long_is_learnt_again() -> None:
    motion = Motion()
    for at_s, image in Scene().frames(4):
        motion.see(image, at_s)
    image = next(Scene().frames(1))[1]
    assert motion.see(image, 20.0).is_learning
    assert motion.see(image, 19.0).is_learning, "the clock went back"
    assert motion.see(image[::2], 19.1).is_learning, "another size"


@pytest.mark.parametrize("size", [(1080, 1920), (352, 640), (1280, 720), (90, 120), (1, 1)])
def test_a_thumb_keeps_the_shape_and_is_small(size: tuple[int, int]) -> None:
    thumb = thumb_of(np.full(size, 77, np.uint8))
    assert max(thumb.shape) <= LONGEST
    assert thumb.shape[0] / thumb.shape[1] == pytest.approx(size[0] / size[1], rel=0.02)
    assert (thumb == 77).all()


def test_a_thumb_has_eight_bits_of_any_samples() -> None:
    luma = np.full((360, 640, 2), 77 << 2, np.uint16)[:, :, 0]
    assert (thumb_of(luma, 10) == 77).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shown", ["29000,31000", "auto"])
def test_somebody_warm_moves_in_the_counts_of_a_thermal_camera(order: str, shown: str) -> None:
    window, motion, random = Window.of_text(shown), Motion(), np.random.default_rng(1)
    wall = 29600 + 300 * np.sin(np.arange(160) / 9)[None, :] + random.normal(0, 8, (120, 1))
    moved = []
    for number in range(50):
        counts = wall + random.normal(0, 8, wall.shape)
        if number >= 30:
            left = 3 * (number - 30)
            counts[40:80, left : left + 12] += 400  # 4 degrees
        luma = counts.astype(np.uint16).astype(f"{order}u2")
        moved.append(motion.see(thumb_of(luma, 16, window), number / 10).pixels)
    assert not any(moved[:30])
    assert all(moved[32:])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumb_is_made_of_either_order_of_bytes(order: str) -> None:
    assert (thumb_of(np.full((360, 640), 0x4D12, np.uint16).astype(f"{order}u2"), 16) == 77).all()
