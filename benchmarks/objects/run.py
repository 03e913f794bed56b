"""Judge numbers on scenes whose objects are known, time the stages, and print both."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmarks.machine import describe_machine
from benchmarks.objects.costs import COST_FPS, costs
from benchmarks.objects.identities import Trackers, identities
from benchmarks.objects.library import TRACKERS, VERSION, open_library
from benchmarks.objects.looks import COLUMNS, looks_rows
from benchmarks.objects.ours import track
from benchmarks.objects.plan import Plan
from benchmarks.objects.scenes import SECONDS
from benchmarks.objects.sequences import sequence_rows
from engines.console import print_table


def run_bench(plan: Plan) -> None:
    """Measure and print."""
    typer.echo(describe_machine())
    library = open_library() if plan.library else None
    trackers: Trackers = {"mirtrack": lambda frames, _: track(frames)}
    for name in TRACKERS:
        trackers[f"{name} {VERSION}"] = library.tracker(name) if library else None
    try:
        if plan.scenes:
            worlds = len(plan.seeds)
            typer.echo(f"\nIDF1 (switches a world); {worlds} worlds a scene, {SECONDS:g} s each")
            print_table(("scene", "fps", *trackers), identities(plan, trackers))
        if plan.appearance and plan.scenes:
            typer.echo("\nThe same with looks; boxes a frame, and how many of them are looked at")
            print_table(COLUMNS, looks_rows(plan))
        if plan.sequences:
            typer.echo("\nIDF1 (switches), and the best IDF1 that these boxes allow")
            rows = sequence_rows([Path(each) for each in plan.sequences], trackers)
            print_table(("sequence", "best", *trackers), rows)
        typer.echo(
            f"\nCPU ms a frame, medians of {plan.rounds} rounds in turn, {COST_FPS} frames/s"
        )
        print_table(
            ("objects", "mirtrack", "mirzones", "mirlanes", "mirevents", *list(trackers)[1:]),
            costs(plan, trackers),
        )
    finally:
        if library is not None:
            library.close()
