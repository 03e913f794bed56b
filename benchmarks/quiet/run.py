"""``mirante bench quiet``: each scene with each lever and with none, side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from statistics import median

import typer

from benchmarks.latency.processes import sending
from benchmarks.line.clips import folder_of, kept
from benchmarks.line.job import Job
from benchmarks.machine import describe_machine
from benchmarks.quiet.plan import OFF, PEER, Plan
from benchmarks.quiet.scenes import (
    CROSSED,
    VISIT_S,
    Material,
    crossing,
    material_of,
    scene,
    visits,
)
from benchmarks.quiet.seen import (
    MOTION,
    TRACK,
    Seen,
    false_wakes,
    first_found_s,
    found_again,
    unseen,
)
from benchmarks.quiet.watched import watched
from benchmarks.report import check_report, write_report
from engines.console import print_table

START_S = 60.0  # maximum wait for both cameras' first results
SETTLE_S = 6.0  # the gate has learnt, and parked objects are still
LATE_S = 1.0
KEPT_UP = 90.0  # percent of the frames that all cameras keep up with, unless overloaded
COLUMNS = {
    "percent_of_a_core": "CPU %",
    "published_percent": "published %",
    "looked_percent": "looked %",
    "motion_percent": "motion",
    "track_percent": "track",
    "objects": "objects",
    "found_percent": "found %",
    "visits": "visits",
    "visits_missed": "missed",
    "frames_missed": "frames missed",
    "new": "new",
    "wakes_a_minute": "wakes/min",
    "first_s": "first s",
}
COUNTS = ("objects", "visits", "visits_missed", "frames_missed", "new")
Figures = dict[str, float | None]


def run_bench(plan: Plan) -> None:
    """Measure and print, with a Redis and cameras of its own; write JSON if asked to.

    Raises:
        ValueError: no scene can be made from the clip; the JSON file cannot be written.
        RuntimeError: a camera does not start, or ends.
    """
    check_report(plan.json)
    machine = describe_machine()
    typer.echo(machine)
    material = material_of(plan.clip, plan.seconds)
    report = {}
    for name in plan.scenes:
        typer.echo(f"{name}, {plan.seconds} s: {', '.join(plan.levers)}", err=True)
        report[name] = figures_of(plan, name, material)
    typer.echo(
        f"\n{plan.cameras} RTSP cameras of {plan.height} rows, {plan.fps} frames/s, {plan.model} "
        f"and tracks; scenes of {plan.seconds} s from {plan.clip.name}, "
        f"{plan.together} levers and none side by side"
    )
    rows = [
        (name, lever, *(_cell(column, figures[column]) for column in COLUMNS))
        for name, levers in report.items()
        for lever, figures in levers.items()
    ]
    print_table(("scene", "lever", *COLUMNS.values()), rows)
    for line in overloaded(report):
        typer.echo(line, err=True)
    if PEER in plan.levers:
        typer.echo(f"{PEER}: a stand-in for Frigate, written from its documents; not Frigate")
    write_report(plan.json, {"machine": machine, "scenes": report})


def overloaded(report: Mapping[str, Mapping[str, Figures]]) -> list[str]:
    """Return a sentence for each scene that the machine was too slow for: its figures show dropped
    frames, not the levers.
    """
    read = {name: levers[OFF]["published_percent"] or 0.0 for name, levers in report.items()}
    return [
        f"overloaded: {name}: {share:.0f} % of the frames came with {OFF}; figures are "
        "of no use: lower --fps, --cameras or --height, or name fewer --levers"
        for name, share in read.items()
        if share < KEPT_UP
    ]


def figures_of(plan: Plan, name: str, material: Material) -> dict[str, Figures]:
    """Return the figures of one scene by lever, each by the names of ``COLUMNS``.

    Levers run in groups, so that the machine keeps up; ``off`` is of the group in which it did
    worst.
    """
    clip, figures = scene_clip(plan, name, material), dict[str, Figures]()
    for levers in groups_of(plan):
        seen = seen_of(plan, name, clip, levers)
        for lever, each in seen.items():
            found = _compared(plan, name, lever, material, each, seen[OFF])
            if lever != OFF or _published(found) < _published(figures.get(OFF)):
                figures[lever] = found
    return figures


def groups_of(plan: Plan) -> list[tuple[str, ...]]:
    """Return the levers that run side by side, in turn, each time beside ``off``."""
    others = [lever for lever in plan.levers if lever != OFF]
    starts = range(0, max(1, len(others)), plan.together)
    return [(OFF, *others[start : start + plan.together]) for start in starts]


def _published(figures: Figures | None) -> float:
    return inf if figures is None else figures["published_percent"] or 0.0


def _compared(
    plan: Plan, name: str, lever: str, material: Material, seen: Seen, off: Seen
) -> Figures:
    """Return the figures of one lever beside those without any."""
    count, there = plan.seconds * plan.fps, visits(name, plan.seconds)
    found, total = found_again(seen, off)
    boxes = _boxes(plan, material)
    begins = [begin for begin in _begins(plan, off, there) if begin >= min(seen.frames)]
    begins = begins if name in CROSSED else []
    firsts = {begin: first_found_s(seen, plan.fps, begin, boxes) for begin in begins}
    there_off = [b for b in begins if first_found_s(off, plan.fps, b, boxes) is not None]
    times = [inf if firsts[begin] is None else firsts[begin] for begin in there_off]
    return {
        "percent_of_a_core": seen.of_a_core / plan.cameras,
        "published_percent": seen.published_percent,
        "looked_percent": seen.looked_percent,
        "motion_percent": seen.looked_for(MOTION),
        "track_percent": seen.looked_for(TRACK),
        "objects": total,
        "found_percent": 100 * found / total if total else None,
        "visits": len(there_off) if begins else None,
        "visits_missed": sum(firsts[b] is None for b in there_off) if begins else None,
        "frames_missed": sum(unseen(seen, off, b, boxes) for b in begins) if begins else None,
        "new": seen.new_objects if lever != PEER else None,  # it has no events
        "wakes_a_minute": false_wakes(seen, plan.fps, count, there) if seen is not off else None,
        "first_s": median(float(each) for each in times if each is not None) if times else None,
    }


def _boxes(plan: Plan, material: Material) -> list[tuple[float, float, float, float]]:
    """Return where the object is that crosses, in each frame of a visit."""
    long = round(VISIT_S * plan.fps)
    return [crossing(material, place / long) for place in range(long)]


def _begins(plan: Plan, seen: Seen, there: Sequence[tuple[float, float]]) -> list[int]:
    """Return the first frame of each visit that is complete in a run."""
    count, long = plan.seconds * plan.fps, round(VISIT_S * plan.fps)
    found = []
    for begin_s, _ in there:
        turn = round(begin_s * plan.fps)
        begin = turn + -(-(min(seen.frames) - turn) // count) * count  # the first in the run
        if begin + long <= max(seen.frames):
            found.append(begin)
    return found


def _cell(column: str, value: float | None) -> str:
    if value is None or value == inf:
        return "-" if value is None else "never"
    digits = 0 if column in COUNTS else 2 if column == "first_s" else 1
    return f"{value:.{digits}f}"


def scene_clip(plan: Plan, name: str, material: Material) -> Path:
    """Return the clip of a scene, which is made on first use."""
    target = folder_of(plan.clip) / f"{name}-{plan.height}-{plan.seconds}s-{plan.fps}fps.mp4"
    return kept(target, scene(name, material, plan.seconds, plan.fps, plan.height), plan.fps)


def seen_of(plan: Plan, name: str, clip: Path, levers: Sequence[str]) -> dict[str, Seen]:
    """Return the results of the first camera of some levers, all on the same streams.

    Raises:
        RuntimeError: a camera does not start, or ends.
    """
    with ExitStack() as around:
        urls, _ = around.enter_context(sending(str(clip), plan.cameras, plan.fps))
        job = Job(str(clip), plan.model, plan.cameras, 0, "", threads=1, urls=urls)
        cameras = {lever: around.enter_context(watched(job, lever)) for lever in levers}
        until_s = time.monotonic() + START_S
        while not all(camera.frames for camera in cameras.values()):
            for camera in cameras.values():
                camera.check()
            if time.monotonic() > until_s:
                raise RuntimeError(f"{name}: no results within {START_S:g} s")
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        before = {lever: camera.cpu_s() for lever, camera in cameras.items()}
        since_s = time.time()
        # A whole scene, and what was already crossing once more.
        time.sleep(plan.seconds + VISIT_S + LATE_S)
        return {
            lever: camera.seen(since_s, before[lever], plan.fps)
            for lever, camera in cameras.items()
        }
