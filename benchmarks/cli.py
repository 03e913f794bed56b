"""``mirante bench``: what the line costs, beside its floor and beside good loops, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.dashboard.plan import Plan as PagesPlan
from benchmarks.gpu.plan import Plan as GpuPlan
from benchmarks.lanes.plan import Plan as LanesPlan
from benchmarks.latency.plan import Plan as LatencyPlan
from benchmarks.line.plan import Plan as LinePlan
from benchmarks.models.plan import Plan as EnginesPlan
from benchmarks.objects.plan import Plan as ObjectsPlan
from benchmarks.once.plan import Plan as OncePlan
from benchmarks.quiet.plan import Plan as QuietPlan
from benchmarks.soak.plan import Plan as SoakPlan
from engines.commands import command, names_in

app = typer.Typer(no_args_is_help=True, help="Run benchmarks; what is compared runs side by side.")


@app.callback()
def _bench() -> None:
    """Run benchmarks; what is compared runs side by side."""
    from engines.store.models import use_default_mirror

    use_default_mirror()


@app.command()
@command
def line(plan: LinePlan) -> None:
    """Throughput against floor and good loops; latency; CPU per frame from 1 to 8 cameras."""
    from benchmarks.line.line import run_bench

    run_bench(plan)


@app.command()
@command
def latency(plan: LatencyPlan) -> None:
    """Time from sending a frame to reading its results, beside good loops."""
    from benchmarks.latency.run import run_bench

    run_bench(plan)


@app.command()
def masks(
    clip: Annotated[
        Path | None,
        typer.Option(exists=True, help="any clip that OpenCV reads; none: objects only"),
    ] = None,
    model: Annotated[str, typer.Option(help="a zoo segmenter")] = "twinlitenet",
    frames: Annotated[int, typer.Option(min=1, help="frames of the clip")] = 40,
) -> None:
    """Size, time and loss of each mask encoding; time and size of an object's mask."""
    from benchmarks.masks import run_masks
    from benchmarks.object_masks import run_object_masks

    if clip is not None:
        run_masks(clip, model, frames)
    run_object_masks()


@app.command()
def clips(
    seconds: Annotated[float, typer.Option(min=2, help="length of each run")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="pairs of runs, with and without")] = 5,
) -> None:
    """CPU and memory that a camera's clips cost while nothing happens."""
    from benchmarks.clips import run_clips

    run_clips(seconds, rounds)


@app.command("engines")
@command
def engines_(plan: EnginesPlan) -> None:
    """Engines: time, share of this machine's peak, what our runtime and the batcher add."""
    from benchmarks.engines import run_engines

    run_engines(plan)


@app.command()
@command
def gpu(plan: GpuPlan) -> None:
    """Measure all that this machine's NVIDIA GPU does for us, within 8 minutes.

    Exit 1 unless all was measured; what was not says why.
    """
    from benchmarks.gpu.run import run_bench

    if not run_bench(plan):
        raise typer.Exit(1)


@app.command()
@command
def dashboard(plan: PagesPlan) -> None:
    """Measure what pages cost: CPU, bytes, Redis to canvas, a page that stalls, nobody."""
    from benchmarks.dashboard.run import run_bench

    run_bench(plan)


@app.command()
@command
def soak(plan: SoakPlan) -> None:
    """Memory, files, threads and lost frames of a site under faults, at the start and at the end.

    Exit 1 if something grows faster than --bound, or a frame is lost.
    """
    from benchmarks.soak.run import run_bench

    run_bench(plan)


@app.command()
@command
def once(plan: OncePlan) -> None:
    """Crossings of a line under faults: how many are lost, doubled, or out of order.

    Exit 1 if any is.
    """
    from benchmarks.once.run import run_bench

    run_bench(plan)


@app.command()
@command
def lanes(plan: LanesPlan) -> None:
    """Lines of roads drawn by chance: how far off, how late, and CPU per frame."""
    from benchmarks.lanes.run import run_bench

    run_bench(plan)


@app.command()
@command
def quiet(plan: QuietPlan) -> None:
    """Scenes with known motion, gate on and off: CPU, objects, events, delay, false wakes."""
    from benchmarks.quiet.run import run_bench

    run_bench(plan)


@app.command()
@command
def objects(plan: ObjectsPlan) -> None:
    """Measure tracking accuracy and the cost of each stage, beside the package `trackers`."""
    from benchmarks.objects.run import run_bench

    run_bench(plan)


@app.command()
def zoo(
    clip: Annotated[Path, typer.Argument(exists=True, help="any clip that OpenCV reads")],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]…", help="zoo names; else all")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="inside one inference")] = 1,
    photos: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="labelled photographs: accuracy too, each fitted into the clip's frame",
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="those that accuracy is of: a,b; by default the street's six")
    ] = None,
) -> None:
    """Milliseconds of each model, a whole call and its steps; accuracy on photographs."""
    from benchmarks.models.zoo import run_zoo

    run_zoo(str(clip), models or None, threads, photos, names_in(classes))
