"""Let a crowd cross a line under each fault, and print what came of it."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import typer

from benchmarks.machine import describe_machine
from benchmarks.once.crowd import Crowd
from benchmarks.once.faults import FAULTS
from benchmarks.once.plan import Plan
from benchmarks.once.site import LOST_S, Site
from benchmarks.once.tally import KINDS, Tally, tally
from engines.console import print_table

SETTLE_S = LOST_S + 15.0  # at most, until the last events have come
COUNTS = ("crossings", "crossed", "new", "end", "lost", "doubled", "wrong", "unordered")
HEADINGS = ("fault", "times", *COUNTS, "gap")


def run_bench(plan: Plan) -> None:
    """Measure and print.

    Raises:
        ValueError: the crowd cannot be, or not be tracked.
        typer.Exit: with status 1: an event was lost, doubled, wrong or out of order.
        RuntimeError: the site does not start, or its worker ended.
    """
    crowd = Crowd(plan.crossings, plan.rate, plan.seen)
    if plan.tracker != "none":
        crowd.check_trackable(plan.fps)
    logging.getLogger().addHandler(logging.NullHandler())  # what is lost is meant to be
    typer.echo(describe_machine())
    rows, exact = [], True
    for fault in plan.faults:
        with tempfile.TemporaryDirectory(prefix="mirante-once-") as folder:
            times, found = run_fault(plan, Path(folder), fault)
        typer.echo(f"{fault}: {_in_words(found)}", err=True)
        rows.append(_row(fault, times, found))
        exact &= found.is_exact
    typer.echo(
        f"\n{plan.crossings} crossings, {plan.rate:g} a second, a fault each {plan.every:g} s; "
        f"{plan.fps} frames a second, tracker: {plan.tracker}"
    )
    print_table(HEADINGS, rows)
    if not exact:
        raise typer.Exit(1)


def run_fault(plan: Plan, folder: Path, fault: str) -> tuple[int, Tally]:
    """Return how often a fault happened, and what came of the crossings."""
    crowd = Crowd(plan.crossings, plan.rate, plan.seen)
    site, times = Site(plan, folder, fault), 0
    with site.running():
        begun_s = site.begin()
        last_s = begun_s + plan.crossings / plan.rate
        due_s = begun_s + plan.every / 2
        while (now_s := time.time()) < last_s + plan.seen:
            is_due = due_s <= now_s and (now_s < last_s or not times)  # once, however late
            if fault != "none" and is_due:
                FAULTS[fault](site)
                times, due_s = times + 1, due_s + plan.every
            site.check()
            time.sleep(0.2)
        until_s = time.monotonic() + SETTLE_S
        while time.monotonic() < until_s and (
            sum(event.kind in KINDS for event in list(site.reader.events))
            < len(KINDS) * plan.crossings
        ):
            time.sleep(0.2)
        events = list(site.reader.events)
        found = tally(events, crowd, begun_s)
        if not found.is_exact:
            typer.echo(site.log(), err=True)
        return times, found


def _in_words(found: Tally) -> str:
    """Return what came of a fault, said before the table can be printed."""
    counts = {name: getattr(found, name) for name in ("lost", "doubled", "wrong", "unordered")}
    faulty = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(faulty) or "each event once, in order"


def _row(fault: str, times: int, found: Tally) -> tuple[str, ...]:
    counts = (found.lost, found.doubled, found.wrong, found.unordered)
    numbers = (times, found.crossings, *found.events.values(), *counts)
    return (fault, *map(str, numbers), f"{found.gap_s:.1f} s")
