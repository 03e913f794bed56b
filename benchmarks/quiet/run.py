"""``mirante bench quiet``: each scene with the gate and without it, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import typer

from benchmarks.latency.processes import sending
from benchmarks.line.clips import folder_of, kept
from benchmarks.line.job import Job
from benchmarks.machine import describe_machine
from benchmarks.quiet.plan import Plan
from benchmarks.quiet.scenes import (
    CROSSED,
    VISIT_S,
    Material,
    crossing,
    material_of,
    scene,
    visits,
)
from benchmarks.quiet.seen import MOTION, TRACK, Seen, false_wakes, first_found_s, found_again
from benchmarks.quiet.watched import watched
from benchmarks.report import check_report, write_report
from engines.console import print_table

START_S = 60.0  # maximum wait for both cameras' first results
SETTLE_S = 6.0  # the gate has learnt, and parked objects are still
LATE_S = 1.0
GATES = ("off", "on")
COLUMNS = {
    "off_percent_of_a_core": "CPU % off",
    "on_percent_of_a_core": "on",
    "published_percent": "published %",
    "looked_percent": "looked %",
    "motion_percent": "motion",
    "track_percent": "track",
    "objects": "objects",
    "found_percent": "found %",
    "off_new": "new, off",
    "on_new": "on",
    "wakes_a_minute": "wakes/min",
    "off_first_s": "first s, off",
    "on_first_s": "on",
}
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
    report = {name: figures_of(plan, name, material) for name in plan.scenes}
    typer.echo(
        f"\none RTSP camera of {plan.height} rows, {plan.fps} frames/s, {plan.model} and tracks; "
        f"scenes of {plan.seconds} s from {plan.clip.name}, gate off and on side by side"
    )
    rows = [
        (name, *(_cell(column, figures[column]) for column in COLUMNS))
        for name, figures in report.items()
    ]
    print_table(("scene", *COLUMNS.values()), rows)
    write_report(plan.json, {"machine": machine, "scenes": report})


def figures_of(plan: Plan, name: str, material: Material) -> Figures:
    """Return the figures of one scene, by the names of ``COLUMNS``."""
    seen = seen_of(plan, name, scene_clip(plan, name, material))
    off, on = (seen[gate] for gate in GATES)
    count, there = plan.seconds * plan.fps, visits(name, plan.seconds)
    found, total = found_again(on, off)
    firsts = {
        gate: _first_s(plan, each, material, there if name in CROSSED else [])
        for gate, each in seen.items()
    }
    return {
        "off_percent_of_a_core": off.of_a_core,
        "on_percent_of_a_core": on.of_a_core,
        "published_percent": on.published_percent,
        "looked_percent": on.looked_percent,
        "motion_percent": on.looked_for(MOTION),
        "track_percent": on.looked_for(TRACK),
        "objects": total,
        "found_percent": 100 * found / total if total else None,
        "off_new": off.new_objects,
        "on_new": on.new_objects,
        "wakes_a_minute": false_wakes(on, plan.fps, count, there),
        "off_first_s": firsts["off"],
        "on_first_s": firsts["on"],
    }


def _first_s(
    plan: Plan, seen: Seen, material: Material, there: Sequence[tuple[float, float]]
) -> float | None:
    """Return the median time until the object that crosses is found, over complete visits."""
    count, long = plan.seconds * plan.fps, round(VISIT_S * plan.fps)
    boxes = [crossing(material, place / long) for place in range(long)]
    found: list[float] = []
    for begin_s, _ in there:
        turn = round(begin_s * plan.fps)
        begin = turn + -(-(min(seen.frames) - turn) // count) * count  # the first in the run
        if begin + long <= max(seen.frames):
            after_s = first_found_s(seen, plan.fps, begin, boxes)
            found.append(float("inf") if after_s is None else after_s)
    return median(found) if found else None


def _cell(column: str, value: float | None) -> str:
    if value is None or value == float("inf"):
        return "-" if value is None else "never"
    digits = 0 if column.endswith(("_new", "objects")) else 2 if column.endswith("_first_s") else 1
    return f"{value:.{digits}f}"


def scene_clip(plan: Plan, name: str, material: Material) -> Path:
    """Return the clip of a scene, which is made on first use."""
    target = folder_of(plan.clip) / f"{name}-{plan.height}-{plan.seconds}s-{plan.fps}fps.mp4"
    return kept(target, scene(name, material, plan.seconds, plan.fps, plan.height), plan.fps)


def seen_of(plan: Plan, name: str, clip: Path) -> dict[str, Seen]:
    """Return the results of two cameras on one stream, by their gate.

    Raises:
        RuntimeError: a camera does not start, or ends.
    """
    with ExitStack() as around:
        urls, _ = around.enter_context(sending(str(clip), 1, plan.fps))
        job = Job(str(clip), plan.model, 1, 0, "", threads=1, urls=urls)
        cameras = {gate: around.enter_context(watched(job, gate)) for gate in GATES}
        until_s = time.monotonic() + START_S
        while not all(camera.frames for camera in cameras.values()):
            for camera in cameras.values():
                camera.check()
            if time.monotonic() > until_s:
                raise RuntimeError(f"{name}: no results within {START_S:g} s")
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        before = {gate: camera.cpu_s() for gate, camera in cameras.items()}
        since_s = time.time()
        # A whole scene, and what was already crossing once more.
        time.sleep(plan.seconds + VISIT_S + LATE_S)
        return {
            gate: camera.seen(since_s, before[gate], plan.fps) for gate, camera in cameras.items()
        }
