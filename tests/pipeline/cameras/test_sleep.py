"""Which encoded images of a quiet camera are decoded, by sequences of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from pipeline.cameras.damage import Damage, Late, Loss
from pipeline.cameras.nal_units import CODECS, types_in_image
from pipeline.cameras.sleep import LARGE, LATE, MOST_BYTES, UNEVEN, Sizes, Sleep, Way
from plugins.gate.calm import GATE, MOTION, SIZES

FPS, GROUP = 10, 20
KEY, DELTA = 20_000, 1000


class Camera:
    """Sends images to ``Sleep``, and looks at key frames at once."""

    def __init__(self, group: int = GROUP) -> None:
        self.sleep = Sleep()
        self.group, self.number, self.at_s = group, 0, 100.0
        self.random = np.random.default_rng(1)

    def send(
        self,
        images: int,
        stirs: str = "",
        moves: Callable[[int], bool] = lambda number: False,
        size: int = DELTA,
        is_looked_at: bool = True,
    ) -> list[Way]:
        """Return what becomes of the next images."""
        ways = []
        for _ in range(images):
            is_key = self.number % self.group == 0
            sent = KEY if is_key else round(size * self.random.uniform(0.8, 1.2))
            ways.append(self.sleep.came(is_key, sent, self.at_s, stirs))
            if self.sleep.awaits and is_looked_at:
                self.sleep.looked(MOTION if moves(self.number) else "")
            self.number, self.at_s = self.number + 1, self.at_s + 1 / FPS
        return ways

    def asleep(self) -> Camera:
        """Return it in the middle of a group that it sleeps in."""
        self.send(5 * self.group + self.group // 2)
        assert self.sleep.is_asleep
        return self


def test_a_calm_camera_has_its_key_frames_decoded() -> None:
    ways = Camera().send(8 * GROUP)
    asleep = ways.index(Way.HELD)
    assert asleep % GROUP == 1, "it begins with a key frame"
    assert asleep <= 5 * GROUP
    assert set(ways[:asleep]) == {Way.DECODED}
    keys = [n for n, way in enumerate(ways) if way is Way.KEY]
    assert keys == [*range(asleep - 1 + GROUP, 8 * GROUP, GROUP)]
    assert Way.WAKES not in ways


def test_a_camera_that_is_not_calm_is_decoded() -> None:
    assert set(Camera().send(8 * GROUP, stirs=GATE)) == {Way.DECODED}


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (1, "fewer than 4 images lie between two of its key frames"),
        (3, "fewer than 4 images lie between two of its key frames"),
        (60, "its key frames are more than 4.5 s apart"),
        (1000, "its key frames are more than 4.5 s apart"),
    ],
)
def test_groups_that_are_too_short_or_too_long_are_left_alone(group: int, words: str) -> None:
    camera = Camera(group)
    assert set(camera.send(6 * group + 500)) == {Way.DECODED}
    assert camera.sleep.left_alone == words
    camera.group = GROUP
    camera.number = 0
    assert Way.HELD in camera.send(8 * GROUP)
    assert camera.sleep.left_alone == ""


def test_four_seconds_that_are_now_more_and_now_less_are_a_group() -> None:
    camera = Camera(4 * FPS)
    ways = list[Way]()
    for number in range(8 * 4 * FPS):
        camera.at_s = 100 + number / FPS + number % 3 * 0.002
        ways += camera.send(1)
    assert Way.HELD in ways
    assert Way.WAKES not in ways


def test_a_decoder_that_keeps_frames_back_is_left_alone() -> None:
    camera = Camera()
    assert set(camera.send(8 * GROUP, is_looked_at=False)) == {Way.DECODED}
    assert camera.sleep.left_alone == "its decoder holds frames back"


def test_a_key_frame_in_which_something_moves_wakes() -> None:
    camera = Camera().asleep()
    ways = camera.send(GROUP, moves=lambda number: True)
    assert ways[GROUP // 2 : GROUP // 2 + 3] == [Way.KEY, Way.WAKES, Way.DECODED]
    assert camera.sleep.why == MOTION
    assert set(camera.send(3 * GROUP, stirs=GATE)) == {Way.DECODED}


@pytest.mark.parametrize("happening", [{"stirs": GATE}, {"size": 3 * DELTA}])
def test_between_key_frames_others_wake(happening: dict[str, Any]) -> None:
    camera = Camera().asleep()
    ways = camera.send(5, **happening)
    assert Way.WAKES in ways
    assert not camera.sleep.is_asleep
    assert camera.sleep.why == happening.get("stirs", SIZES)


def test_a_key_frame_that_is_not_looked_at_wakes() -> None:
    camera = Camera().asleep()
    ways = camera.send(GROUP, is_looked_at=False)
    assert ways[GROUP // 2 : GROUP // 2 + 2] == [Way.KEY, Way.WAKES]
    assert camera.sleep.why == LATE


def test_key_frames_that_stay_away_and_much_data_wake() -> None:
    camera = Camera().asleep()
    camera.group = 10_000
    ways = camera.send(50)
    assert 25 <= ways.index(Way.WAKES) <= 40
    assert ways[-1] is Way.DECODED
    assert camera.sleep.why == UNEVEN
    camera = Camera().asleep()
    assert camera.sleep.came(False, MOST_BYTES, camera.at_s, "") is Way.WAKES
    assert camera.sleep.why == LARGE


def test_time_that_goes_back_wakes() -> None:
    camera = Camera().asleep()
    camera.at_s -= 50
    assert camera.send(2) == [Way.WAKES, Way.DECODED]


def test_it_sleeps_again() -> None:
    camera = Camera().asleep()
    camera.send(1, stirs=GATE)
    assert Way.HELD in camera.send(2 * GROUP)


def alarms(sizes: Iterable[float]) -> list[int]:
    usual = Sizes()
    return [n for n, size in enumerate(sizes) if usual.came(round(size))]


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4])
def test_noise_is_not_taken_for_something(spread: float) -> None:
    random = np.random.default_rng(2)
    sizes = 2000 * np.exp(random.normal(0, spread, 25 * 60 * 10))
    assert len(alarms(sizes)) <= 10, "one a minute"


def test_layers_of_two_sizes_are_usual() -> None:
    random = np.random.default_rng(3)
    sizes = np.where(np.arange(3000) % 2, 3000, 800) * random.uniform(0.9, 1.1, 3000)
    assert alarms(sizes) == []


def test_a_lasting_change_is_usual_soon() -> None:
    sizes = [1000 + n % 7 * 20 for n in range(500)] + [2500 + n % 7 * 50 for n in range(1000)]
    heard = alarms(sizes)
    assert 500 <= heard[0] <= 505
    assert heard[-1] < 700


@pytest.mark.parametrize("has_lengths", [True, False])
def test_units_of_an_image(has_lengths: bool) -> None:
    units = [b"\x67abc", b"\x68d", b"\x65" + bytes(range(1, 90))]
    starts = [len(u).to_bytes(4, "big") if has_lengths else b"\0\0\0\1" for u in units]
    data = b"".join(s + u for s, u in zip(starts, units, strict=True))
    assert types_in_image(data, CODECS["H264"], has_lengths) == {7, 8, 5}
    assert types_in_image(data[:12], CODECS["H264"], has_lengths) >= {7}
    assert types_in_image(b"", CODECS["H264"], has_lengths) == set()
    assert types_in_image(b"\0\0\1", CODECS["H265"], has_lengths) == set()


def test_a_loss_is_of_the_image_that_was_put_off() -> None:
    damage = Damage()
    damage.arrived(0, 0.0, True)
    assert not damage.decoded(0, False)
    damage.lost(None)
    damage.lost(40)
    assert damage.put_off(40) == Loss(40)
    assert damage.put_off(80) == Loss(40)
    assert damage.put_off(120) is None
    damage.arrived(1000, 1.0, True)
    assert not damage.decoded(1000, False), "a key frame behind it is whole"
    damage.arrived(0, 1.0, True, late=Late(None))
    assert not damage.decoded(0, False)
    damage.arrived(40, 1.0, False, late=Late(Loss(40)))
    assert damage.decoded(40, False)
    damage.arrived(160, 1.0, False, late=Late(None))
    assert damage.decoded(160, False), "it leans on that"
    damage.arrived(1000, 1.0, True, late=Late(None))
    assert not damage.decoded(1000, False)
