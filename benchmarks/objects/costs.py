"""The time that each stage takes for a frame, at several numbers of objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.models.rounds import turns
from benchmarks.objects.camera import Faults, watch
from benchmarks.objects.identities import Tracker, Trackers
from benchmarks.objects.library import NOT_HERE
from benchmarks.objects.ours import events_ms, lanes_ms, numbered, zones_ms
from benchmarks.objects.plan import Plan
from benchmarks.objects.world import Walker, World
from mirante.frame import FrameResult

COST_FPS = 10
_SECONDS = 10.0
_COLUMNS, _ROWS = 12, 8


def costs(plan: Plan, trackers: Trackers) -> list[tuple[str, ...]]:
    """Return a row for each number of objects: ms of each stage, then of the other trackers."""
    rows = []
    for count in plan.objects:
        frames = frames_of(count)
        known = numbered(frames)
        calls: dict[str, Callable[[], float] | None] = {
            name: tracker and partial(_ms, tracker, frames) for name, tracker in trackers.items()
        }
        ours = {
            "mirzones": partial(zones_ms, known),
            "mirlanes": partial(lanes_ms, known),
            "mirevents": partial(events_ms, known),
        }
        first, *others = calls
        taken = _in_turn(
            {first: calls[first], **ours, **{name: calls[name] for name in others}}, plan.rounds
        )
        rows.append((str(count), *taken))
    return rows


def frames_of(count: int) -> list[FrameResult]:
    """Return frames with so many people who walk to and fro, none hidden and none missed."""
    walkers = [
        Walker(
            n + 1,
            (150.0 * (n % _COLUMNS) + 130, 1080 - 125.0 * (n // _COLUMNS % _ROWS)),
            (0.0, 0.0),
            140,
            sway=40.0,
            phase=float(n),
        )
        for n in range(count)
    ]
    world, faults = World(walkers, size=(1920, 1080)), Faults(missed=0.0, false=0.0)
    return [each.result for each in watch(world, COST_FPS, _SECONDS, faults)]


def _ms(tracker: Tracker, frames: list[FrameResult]) -> float:
    return tracker(frames, COST_FPS).ms


def _in_turn(calls: dict[str, Callable[[], float] | None], rounds: int) -> list[str]:
    """Return the median of what each call returns; every other round goes the other way round."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _, name in turns(calls, rounds):
        if (call := calls[name]) is not None:
            taken[name].append(call())
    return [f"{median(each):.3f}" if each else NOT_HERE for each in taken.values()]
