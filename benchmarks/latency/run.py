"""``mirante bench latency``: time from sending to reading, for line and loops in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import typer

from benchmarks.latency.figures import Read, Taken, row, taken
from benchmarks.latency.numbers import Image, numbered
from benchmarks.latency.plan import Plan
from benchmarks.latency.processes import looking, sending
from benchmarks.latency.reading import reading
from benchmarks.line.clips import folder_of, kept, pictures
from benchmarks.line.job import Job
from benchmarks.line.line import LOOPS, environment_of, loops_of
from benchmarks.machine import describe_machine
from benchmarks.models.rounds import turns
from benchmarks.report import check_report, write_report
from engines.console import print_table
from pipeline.worker.redis_server import RedisServer

START_S = 60.0  # maximum wait for each camera's first result
SETTLE_S = 2.0
LATE_S = 1.0  # wait for results after the last frame that counts
KEPT_UP = 0.9  # share of the frames that a variant reads in time, unless it is overloaded
NAMES = {"line": "mirante line", **LOOPS}
HEADINGS = ("", "read %", "p50 ms", "p95 ms", "beyond inference p50", "p95")


def run_bench(plan: Plan) -> None:
    """Measure and print, with a Redis and cameras of its own; write JSON if asked to.

    Raises:
        ValueError: the JSON file cannot be written; the clip has no frame.
        RuntimeError: a camera or a variant does not start, or ends.
    """
    check_report(plan.json)
    machine = describe_machine()
    typer.echo(machine)
    clip, variants = numbered_clip(plan), ["line", *loops_of(plan.model)]
    report: list[dict[str, Any]] = []
    with RedisServer(port=0) as server:
        for cameras in plan.cameras:
            job = Job(str(clip), plan.model, cameras, 0, server.url)
            runs: dict[str, list[Taken]] = {name: [] for name in variants}
            for number, name in turns(variants, plan.rounds):
                of = f"round {number + 1} of {plan.rounds}"
                typer.echo(f"{cameras} cameras, {of}: {NAMES[name]}", err=True)
                runs[name].append(measured(name, job, plan))
                figures = runs[name][-1].figures()
                report.append({"cameras": cameras, "of": name, "round": number, **figures})
            typer.echo(
                f"\nlatency: {cameras} cameras over RTSP, {plan.fps} frames/s each, {job.model}, "
                f"from sending to reading; medians of {plan.rounds} rounds of {plan.seconds:g} s"
            )
            print_table(HEADINGS, [row(NAMES[name], each) for name, each in runs.items()])
            for line in overloaded(runs):
                typer.echo(line, err=True)
    write_report(plan.json, {"machine": machine, "runs": report})


def numbered_clip(plan: Plan) -> Path:
    """Return the clip, repeated, with numbered frames: no number occurs twice in a run.

    Raises:
        ValueError: the clip has no frame.
    """
    count = round(plan.fps * (plan.seconds + SETTLE_S + LATE_S + 10))
    target = folder_of(plan.clip) / f"numbered-{count}-{plan.fps}fps.mp4"
    return kept(target, numbered(_over_and_over(plan.clip, count)), plan.fps)


def overloaded(runs: Mapping[str, Sequence[Taken]]) -> list[str]:
    """Return a sentence for each variant that did not keep up: its milliseconds depend on how long
    it ran, and cover only the frames that it read in time.
    """
    read = {name: median(each.share for each in taken) for name, taken in runs.items()}
    return [
        f"overloaded: {NAMES[name]} read {share:.0%} of the frames within {LATE_S:g} s; its times "
        "are of no use: lower --fps or --cameras"
        for name, share in read.items()
        if share < KEPT_UP
    ]


def _over_and_over(clip: Path, count: int) -> Iterator[Image]:
    frames = list(pictures(clip, count))
    if not frames:
        raise ValueError(f"--clip: expected a clip with frames, got {clip}")
    yield from islice(cycle(frames), count)


def measured(variant: str, job: Job, plan: Plan) -> Taken:
    """Return the outcome of one run.

    Raises:
        RuntimeError: a camera or the variant does not start, or ends.
    """
    with (
        sending(job.clip, job.cameras, plan.fps) as (urls, sent),
        reading(variant, job.redis, job.cameras) as read,
    ):
        program = ("benchmarks.latency.variants", variant, replace(job, urls=urls).text())
        with looking(*program, env=environment_of(variant)) as (_, check):
            _await_all(job.cameras, read, check)
            time.sleep(SETTLE_S)
            since_ns = time.monotonic_ns()
            time.sleep(plan.seconds)
            until_ns = time.monotonic_ns()
            time.sleep(LATE_S)
            check()
        return taken(list(sent), list(read), since_ns, until_ns)


def _await_all(cameras: int, read: Sequence[Read], check: Callable[[], None]) -> None:
    until_s = time.monotonic() + START_S
    while len({each.camera for each in list(read)}) < cameras:
        check()
        if time.monotonic() > until_s:
            raise RuntimeError(f"no results of all cameras within {START_S:g} s")
        time.sleep(0.05)
