"""``mirante bench gpu``: all parts within a limit, one table, and JSON."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import typer

from benchmarks.gpu.figures import HEADINGS, Outcome, rows_of, watt_rows
from benchmarks.gpu.nvml import Meter
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.plan import Plan
from benchmarks.gpu.running import run_parts
from benchmarks.machine import describe_machine
from benchmarks.report import check_report, write_report
from engines.console import print_table


def run_bench(plan: Plan) -> bool:
    """Measure and print; write JSON if asked to. Return whether all was measured.

    Raises:
        ValueError: the JSON file cannot be written.
    """
    check_report(plan.json)
    began_s, machine = time.monotonic(), describe_machine()
    typer.echo(machine)
    outcomes: list[Outcome] = []
    with Meter() as meter:
        typer.echo(meter.gpu or f"no GPU: {meter.why}")
        parts = {name: PARTS[name] for name in plan.parts}
        left_s = plan.seconds - (time.monotonic() - began_s)
        for outcome in run_parts(parts, left_s, plan.job, meter):
            typer.echo(_progress(outcome), err=True)
            outcomes.append(outcome)
            # Each time anew, so that a machine that is taken away leaves what was measured.
            write_report(plan.json, _report(machine, meter, outcomes, began_s))
        rows = [row for each in outcomes for row in rows_of(each)]
        typer.echo()
        print_table(HEADINGS, [*rows, *watt_rows(outcomes, meter.why)])
    lacking = [each.part for each in outcomes if not each.is_good]
    took = f"{time.monotonic() - began_s:.0f} s"
    typer.echo(f"\n{took}; not all was measured of: {', '.join(lacking)}" if lacking else took)
    return not lacking


def _progress(outcome: Outcome) -> str:
    measured = sum(each.value is not None for each in outcome.figures)
    words = f"{outcome.part}: {outcome.state}, {measured} figures in {outcome.seconds:.0f} s"
    return f"{words}: {outcome.why}" if outcome.why else words


def _report(machine: str, meter: Meter, outcomes: list[Outcome], began_s: float) -> dict[str, Any]:
    return {
        "machine": machine,
        "gpu": meter.gpu,
        "watts": meter.why or "read",
        "seconds": time.monotonic() - began_s,
        "ok": all(each.is_good for each in outcomes),
        "parts": [
            {
                **asdict(each),
                "figures": [{**asdict(one), "ratio": one.ratio} for one in each.figures],
            }
            for each in outcomes
        ],
    }
