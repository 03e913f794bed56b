"""Let a site run under faults, and print what its processes hold at the start and at the end."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import typer

from benchmarks.machine import describe_machine
from benchmarks.soak.faults import Schedule
from benchmarks.soak.figures import Growth, Sample, growths
from benchmarks.soak.plan import Plan
from benchmarks.soak.site import Site
from engines.console import print_table

EVERY_S = 1.0
SAID_EVERY_S = 60.0
SETTLE_S = 15.0  # until what the last fault held back has come


def run_bench(plan: Plan) -> None:
    """Measure and print.

    Raises:
        typer.Exit: with status 1: something grew faster than the plan allows, or frames were lost.
        RuntimeError: the site does not start, or the worker ended.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # what is lost is meant to be
    typer.echo(describe_machine())
    schedule = Schedule(plan.faults, plan.every)
    with (
        tempfile.TemporaryDirectory(prefix="mirante-soak-") as folder,
        Site(plan, Path(folder)) as site,
    ):
        samples = _watch(site, schedule, plan)
        time.sleep(SETTLE_S)
        samples.append(site.sample())
    typer.echo(
        f"\n{plan.cameras} RTSP cameras, {plan.minutes:g} min after {plan.warm_up:g} of warm-up; "
        f"{schedule.words()}"
    )
    found = growths(samples)
    headings = ("", "start", "end", "an hour", "percent an hour")
    print_table(headings, [_row(growth) for growth in found])
    over = [growth.name for growth in found if growth.is_over(plan.bound)]
    over += [g.name for g in found if g.name.startswith("lost") and g.end > 0]
    if over:
        typer.echo(f"over the bound of {plan.bound:g} percent an hour, 0 lost: {', '.join(over)}")
        raise typer.Exit(1)


def _watch(site: Site, schedule: Schedule, plan: Plan) -> list[Sample]:
    """Return the samples taken after the warm-up."""
    began_s = time.monotonic()
    samples: list[Sample] = []
    said = 0
    while (passed_s := time.monotonic() - began_s) < 60 * (plan.warm_up + plan.minutes):
        schedule.run(site, passed_s)
        sample = site.sample()
        if passed_s >= 60 * plan.warm_up:
            samples.append(sample)
        if passed_s >= said * SAID_EVERY_S:
            said += 1
            both = {**sample.levels, **sample.counts}
            words = ", ".join(f"{name} {value:.6g}" for name, value in both.items())
            typer.echo(f"{passed_s / 60:.0f} min: {words}", err=True)
        time.sleep(EVERY_S)
    return samples


def _row(growth: Growth) -> tuple[str, ...]:
    return (
        growth.name,
        f"{growth.start:.1f}" if "MiB" in growth.name else f"{growth.start:.0f}",
        f"{growth.end:.1f}" if "MiB" in growth.name else f"{growth.end:.0f}",
        f"{growth.per_hour:+.1f}" if growth.is_level else f"{growth.per_hour:.0f}",
        f"{growth.percent:+.1f}" if growth.is_level else "",
    )
