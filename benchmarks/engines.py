"""``mirante bench engines``: models by runtimes by threads and batches, side by side in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.machine import describe_machine
from benchmarks.models import gpu
from benchmarks.models.batching import TimedSession, idle, loaded
from benchmarks.models.overhead import BARE, added_us, overhead
from benchmarks.models.peak import peaks_of
from benchmarks.models.plan import Plan, Variant
from benchmarks.models.timing import Row, measure, prepare_all
from benchmarks.models.variants import Prepared, Source
from benchmarks.models.zoo import read_frames
from benchmarks.report import check_report, write_report
from engines.console import print_table
from engines.inspect.values import Arrays
from engines.runtimes import Session
from pipeline.cameras.synthetic import picture

FRAMES = 8
OVERHEAD_ROUNDS, NOTHING_CALLS = 60, 3000
IDLE_CALLS, LOADED_S = 200, 2.0
SIMULATED_MS, SIMULATED_PICTURE_MS = 4.0, 0.5  # of a call, and of each image in it


def completed(plan: Plan) -> Plan:
    """Return the plan with runtimes and threads that fit the machine, where none are named."""
    runtimes = plan.runtimes or (gpu.RUNTIMES if plan.on_gpu else tuple(BARE))
    threads = plan.threads or ((1,) if plan.on_gpu else (1, 2))
    return replace(plan, runtimes=runtimes, threads=threads)


def run_engines(plan: Plan) -> None:
    """Measures and prints; writes JSON where that was asked for.

    Raises:
        NoGpuError: ``on_gpu``, and there is none.
        ValueError, RuntimeError, ImportError: a model cannot be had, or its file is no ONNX file;
            figures cannot be written there.
    """
    check_report(plan.json)
    plan = completed(plan)
    machine = describe_machine()
    if plan.on_gpu:
        machine += f"; {gpu.find_gpu()}"
    typer.echo(machine)
    with tempfile.TemporaryDirectory(prefix="mirante-bench-") as folder:
        report = {"machine": machine, **_measure(plan, Path(folder))}
    write_report(plan.json, report)


def _measure(plan: Plan, folder: Path) -> dict[str, Any]:
    frames = _frames(plan.clip)
    sources = {model: Source(model, frames, folder, plan.clip) for model in plan.models}
    ready, refusals = prepare_all(sources, list(plan.variants()), _tell)
    rows = _engines(plan, ready, refusals, folder)
    report: dict[str, Any] = {"engines": rows}
    if plan.on_gpu:
        report["probe"] = gpu.probe(folder)
        typer.echo("\nengines of TensorRT for RTX, built for other GPUs, on this one")
        print_table(("built for", "here"), list(report["probe"].items()))
    else:
        report["overhead"] = _overhead(sources, folder)
    report["batcher"] = _batcher(plan, ready)
    return report


def _frames(clip: Path | None) -> list[NDArray[np.uint8]]:
    if clip is not None:
        return read_frames(str(clip), FRAMES)
    return [picture(number * 10, 640, 360) for number in range(FRAMES)]


def _tell(words: str) -> None:
    typer.echo(f"  preparing {words}", err=True)


def _engines(
    plan: Plan, ready: dict[Variant, Prepared], refusals: dict[Variant, str], folder: Path
) -> list[dict[str, Any]]:
    runtimes = [*gpu.RUNTIMES] if plan.on_gpu else [*BARE]
    peaks = list(peaks_of(runtimes, plan.threads, plan.on_gpu, folder))
    measured, highest = measure(ready, peaks, plan.rounds)
    rows = {row.variant: row for row in measured}
    rows |= {variant: Row(variant, refusal=why) for variant, why in refusals.items()}
    ordered = [rows[variant] for variant in plan.variants()]
    typer.echo(f"\nengines, in turn, medians of {plan.rounds} rounds")
    print_table(ROW_HEADINGS, [row_words(row) for row in ordered])
    for key, rate in highest.items():
        names = ", ".join(peak.name for peak in peaks if peak.key == key)
        typer.echo(
            f"peak, {key.precision}, {key.threads} threads: {rate / 1e9:.0f} GFLOP/s in matrix "
            f"products, the fastest of {names}"
        )
    return [
        {**row.variant._asdict(), **{k: v for k, v in asdict(row).items() if k != "variant"}}
        for row in ordered
    ]


ROW_HEADINGS = (
    *("model", "runtime", "precision", "threads", "batch", "ms", "pictures/s", "x onnxruntime"),
    *("of peak", "build s", "MB", "differs by, or why not"),
)


def row_words(row: Row) -> tuple[str, ...]:
    """The cells of one variant."""
    variant = tuple(str(part) for part in row.variant)
    if row.refusal:
        return (*variant, *("-",) * 6, row.refusal)
    return (
        *variant,
        f"{row.call_ms:.2f}",
        f"{row.pictures_s:.1f}",
        "-" if row.speed is None else f"{row.speed:.2f}",
        "-" if row.share is None else f"{row.share:.0%}",
        "-" if row.build_s is None else f"{row.build_s:.1f}",
        f"{row.bytes / 1e6:.1f}",
        row.parity,
    )


def _overhead(sources: dict[str, Source], folder: Path) -> list[dict[str, Any]]:
    """Our session beside the library's own, one thread, calls in turn."""
    found, rows = [], []
    for runtime in BARE:
        try:
            us = added_us(runtime, folder, NOTHING_CALLS)
            for model, source in sources.items():
                ratios = overhead(source.graph.path, runtime, source.feeds[0], 1, OVERHEAD_ROUNDS)
                added, low, high = np.percentile(ratios, [50, 25, 75]) - 1
                rows.append(
                    (model, runtime, f"{us:.1f}", f"{added:+.1%}", f"{low:+.1%} to {high:+.1%}")
                )
                found.append({"model": model, "runtime": runtime, "added": added, "added_us": us})
        except (ImportError, ValueError, RuntimeError) as error:
            rows.append(("-", runtime, "-", "-", " ".join(str(error).split())))
    typer.echo(
        "\nour runtime beside the bare call, one thread: microseconds added to a call of nothing, "
        f"share added to a model's over {OVERHEAD_ROUNDS} rounds"
    )
    print_table(("model", "runtime", "us added", "share", "half of the rounds"), rows)
    return found


def _batcher(plan: Plan, ready: dict[Variant, Prepared]) -> list[dict[str, Any]]:
    """Idle and loaded, over an engine that only takes time, and over real ones."""
    from engines.batcher import Batcher

    most = max(plan.batches)
    if most < 2:
        typer.echo("\nbatcher: measured where --batch has more than 1")
        return []
    found, rows = [], []
    for name, session, feeds in _batched_engines(most, ready):
        alone = idle(session, lambda s: Batcher(s, most), feeds[0], IDLE_CALLS)
        full = loaded(session, lambda s: Batcher(s, most), feeds, most, plan.rounds, LOADED_S)
        rows.append(
            (
                name,
                f"{alone.bare_p50:.2f}",
                f"{alone.added_p50:+.2f}",
                f"{alone.added_p95:+.2f}",
                f"{full.full:.0f}",
                f"{full.batcher:.0f}",
                f"{full.share:.1%}",
            )
        )
        found.append({"engine": name, "batch": most, **asdict(alone), **asdict(full)})
    typer.echo(
        f"\nbatcher of {most}: one caller with pauses, then {2 * most} callers of one image each"
    )
    headings = ("engine", "bare ms", "added p50", "added p95", "full/s", "batcher/s", "of full")
    print_table(headings, rows)
    return found


def _batched_engines(
    most: int, ready: dict[Variant, Prepared]
) -> Iterator[tuple[str, Session, Sequence[Arrays]]]:
    """Engines that take several images: one that sleeps, and a runtime's first of each kind."""
    timed = TimedSession(SIMULATED_MS, SIMULATED_PICTURE_MS)
    pictures = [{"x": np.full((1, 3, 8, 8), i, np.float32)} for i in range(FRAMES)]
    words = f"simulated, {SIMULATED_MS:g} ms + {SIMULATED_PICTURE_MS:g} ms an image"
    yield words, timed, pictures
    seen: set[tuple[str, str]] = set()
    for variant, each in ready.items():
        kind = (variant.runtime, variant.precision)
        if variant.batch == most and kind not in seen:
            seen.add(kind)
            name = f"{variant.model}, {variant.runtime} {variant.precision}"
            yield f"{name}, {variant.threads} threads", each.session, each.pictures
