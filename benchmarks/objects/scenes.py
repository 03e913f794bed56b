"""The scenes of which it is known who is who."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.objects.camera import Faults
from benchmarks.objects.world import Walker, World, street

SECONDS = 30.0  # of each scene
_CROSSING_S, _HIDDEN_S = 7.5, 2.0


class Scene(NamedTuple):
    """A scene and the errors of the detector that looks at it."""

    world: World
    faults: Faults


def crossing(seed: int) -> Scene:
    """Return pairs that walk towards each other, one pair after the other, and pass close by."""
    walkers = []
    for pair in range(4):
        begins_s, y = pair * _CROSSING_S, 480.0 + 60 * ((pair + seed) % 3)
        ends_s = begins_s + _CROSSING_S
        speed = 1280 / (_CROSSING_S - 1)
        one = Walker(2 * pair + 1, (0.0, y), (speed, 0.0), 300, begins_s, ends_s)
        other = Walker(2 * pair + 2, (1280.0, y + 25), (-speed, 0.0), 310, begins_s, ends_s)
        walkers += [one, other]
    return Scene(World(walkers), Faults())


def hidden(seed: int) -> Scene:
    """Return people one behind the other who are behind a pillar for two seconds each."""
    speed, width = 110.0, 110.0
    walkers = [
        Walker(n + 1, (0.0, 560 + 20 * ((n + seed) % 3)), (speed, 0.0), 300, 2.8 * n, 2.8 * n + 11)
        for n in range(8)
    ]
    middle = 640.0
    half = (speed * _HIDDEN_S + width) / 2
    return Scene(World(walkers, [(middle - half, middle + half)]), Faults())


def busy(seed: int) -> Scene:
    """Return a street with twenty people who walk together, stop, turn and pass a pillar."""
    return Scene(street(seed, 20, SECONDS), Faults(bout_s=0.3))


def crowd(seed: int) -> Scene:
    """Return forty people who hide each other."""
    world = street(seed, 40, SECONDS, (1920, 1080), pillars=2)
    return Scene(world, Faults(bout_s=0.5, missed=0.2, false=0.5))


def turning(seed: int) -> Scene:
    """Return twenty people before a camera that turns to and fro."""
    return Scene(street(seed, 20, SECONDS, swing_px=300), Faults(bout_s=0.3))


SCENES: dict[str, Callable[[int], Scene]] = {
    "crossing": crossing,
    "hidden": hidden,
    "busy": busy,
    "crowd": crowd,
    "turning": turning,
}
