"""``mirante engines``: models made ready for one runtime, device and precision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.builder.request import Contest, Request
from engines.commands import command
from engines.console import is_fancy, print_table

if TYPE_CHECKING:
    from engines.builder.builders import Told
    from engines.store.engines import Engine

app = typer.Typer(help="Build, prove, list and remove engines.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="An engine's name in the list.")]


@app.command()
@command
def build(request: Request) -> None:
    """Make an engine, prove it equal to its source on real images, and keep it."""
    from engines.builder.build import build as build_one
    from engines.store.models import use_default_mirror

    use_default_mirror()
    if request.store is not None and not Path(request.store).is_dir():
        # A worker only says so and builds: its share may be away for an hour.
        raise ValueError(f"store: expected a folder that machines share, got {request.store}")
    with _progress(request.model) as told:
        engine = build_one(request, told)
    if engine.fresh:
        typer.echo(f"built in {engine.about['seconds']:.1f} s, {_megabytes(engine.bytes)}")
        for note in engine.about.get("notes", ()):  # those of older builds have none
            typer.echo(f"note       {note}")
    else:
        typer.echo(f"here already, built {engine.about['built']}, {_megabytes(engine.bytes)}")
        if request.frames is not None:
            typer.echo("           judged then; --frames was not looked at")
    for line in _parity(engine):
        typer.echo(line)
    typer.echo(f"run it     {engine.manifest}")


@app.command()
@command
def fastest(contest: Contest) -> None:
    """Measure which runtime runs a model fastest here, for workers with engine.runtime: auto."""
    from engines.builder.contest import hold
    from engines.store.models import use_default_mirror

    use_default_mirror()
    with _progress(contest.model) as told:
        verdict = hold(contest, told)
    ran = [way for way in verdict.measured if way.ms is not None]
    first = verdict.measured[0].ms or 0.0
    rows = [
        [way.runtime, way.precision, f"{way.ms:.2f}", f"{first / way.ms:.2f}"]
        for way in ran
        if way.ms
    ]
    print_table(["runtime", "precision", "CPU ms", "x as published"], rows)
    for way in verdict.measured:
        if way.words:
            typer.echo(f"{way.name} takes no part: {way.words}")
    typer.echo(f"runs       {verdict.winner.name}")


@app.command("list")
def list_() -> None:
    """List the engines on this machine."""
    from engines.builder.build import list_engines

    rows = [
        [
            engine.key,
            str(engine.about["device"]),
            str(engine.about["batch"]),
            _megabytes(engine.bytes),
            "proved" if engine.is_proved else "graph proved",
            str(engine.about["built"])[:10],
        ]
        for engine in list_engines()
    ]
    print_table(["engine", "for", "batch", "size", "parity", "built"], rows)


@app.command()
def show(key: Key) -> None:
    """Show all about one engine: what it was made from and for, and its parity."""
    engine = _find(key)
    about = engine.about
    calibration = about["calibration"]
    rows = {
        "engine": engine.key,
        "model": f"{about['model']} (sha256 {about['source'][:16]}…)",
        "runtime": f"{about['library']} on {_device(about)}",
        "precision": about["precision"],
        "calibrated": f"on {calibration['count']} images of {about['request']['calibrate']}"
        if calibration
        else "no",
        "batch": f"1 to {about['batch']}",
        "input": _input(about),
        "built": f"{about['built']} in {about['seconds']} s",
        "size": _megabytes(engine.bytes),
    }
    if "refitted" in about:
        rows["built"] += f" by giving {about['refitted']} these weights"
    for name, value in rows.items():
        typer.echo(f"{name:<10} {value}")
    for line in _parity(engine):
        typer.echo(line)
    typer.echo(f"run it     {engine.manifest}")


@app.command()
def prove(
    key: Key,
    frames: Annotated[
        str | None,
        typer.Option(metavar="CLIP", help="Images to compare on; by default its graph's."),
    ] = None,
) -> None:
    """Run an engine that was built elsewhere through its gate, on the device that is here."""
    from engines.builder.build import prove as prove_one
    from engines.builder.frames import read_pictures
    from engines.store.models import use_default_mirror

    use_default_mirror()
    engine = _find(key)
    pictures = (
        None
        if frames is None
        else read_pictures(frames, int(engine.about["request"]["parity_frames"]))
    )
    for line in _parity(prove_one(engine, pictures)):
        typer.echo(line)


@app.command()
def floor(
    key: Key,
    batch: Annotated[
        int | None, typer.Option(help="Images per call; by default the engine's largest.")
    ] = None,
    lanes: Annotated[int, typer.Option(help="Streams at once.")] = 2,
    seconds: Annotated[float, typer.Option(help="How long.")] = 3.0,
    copies: Annotated[
        bool, typer.Option("--copies/--no-copies", help="Inputs and outputs cross the bus.")
    ] = True,
) -> None:
    """Run an engine in a bare loop: the most that its library and this GPU give."""
    from engines.runtimes.tensorrt.floor import Load, measure_floor

    engine = _find(key)
    load = Load(batch, lanes, seconds, copies)
    runtime = str(engine.about["request"]["runtime"])
    found = measure_floor(engine.file, runtime, load)
    row = [f"{found.pictures_per_s:.0f}", f"{found.ms:.2f}", f"{found.p99_ms:.2f}"]
    how = [str(found.batch), str(found.lanes), "yes" if found.graphs else "no", str(found.calls)]
    print_table(
        ["images/s", "ms", "p99 ms", "batch", "lanes", "CUDA graphs", "calls"], [[*row, *how]]
    )


@app.command()
def remove(keys: Annotated[list[str], typer.Argument(metavar="KEY…")]) -> None:
    """Remove engines."""
    from engines.store.engines import remove as remove_one

    for key in keys:
        remove_one(key)
        typer.echo(f"{key}: removed")


@app.command()
def prune() -> None:
    """Remove damaged engines, leftovers, and engines that a newer build has replaced."""
    from engines.store.engines import prune as prune_all

    gone = prune_all()
    for key in gone:
        typer.echo(f"{key}: removed")
    typer.echo(f"{len(gone)} removed")


def _find(key: str) -> Engine:
    from engines.store.engines import get, shelf

    engine = get(key) if re.fullmatch(r"[\w.-]+", key) else None
    if engine is None:
        raise ValueError(f'no engine "{key}" in {shelf()}; mirante engines list names them')
    return engine


def _parity(engine: Engine) -> list[str]:
    """Return the gate's verdict on the engine, or on its graph if the engine cannot run here."""
    from engines.builder.parity import told

    about = engine.about
    parity = about["parity"]
    if parity["engine"]:
        return [f"parity     {told(parity['engine'])}"]
    return [
        f"parity     of the graph: {told(parity['graph'])}",
        f"           of the engine: pending, until cameras first run it on {about['device']}",
        f"           or there: mirante engines prove {engine.key}",
    ]


def _device(about: Any) -> str:
    """Return the device, with the driver where the engine is for that alone."""
    return f"{about['device']}, driver {about['driver']}" if "driver" in about else about["device"]


def _input(about: Any) -> str:
    given = about["input"]
    width, height = given["frame"] or given["size"]
    how = "uint8 images, preprocessing in the graph" if about["fold"] else "as of the model"
    largest = "at most " if given["multiple"] and not given["frame"] else ""
    return f"{largest}{width}x{height}, {how}"


@contextmanager
def _progress(name: str) -> Iterator[Told]:
    """A bar in a terminal, a line per step elsewhere."""
    if not is_fancy():
        yield _lines(name)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(name), BarColumn(), TextColumn("{task.fields[doing]}"))
    with Progress(*columns, TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task(name, total=1.0, doing="")
        # A step of which nobody knows how far it is leaves the bar where it was.
        yield lambda share, words: bar.update(task, completed=share, doing=words)


def _lines(name: str) -> Told:
    said: set[str] = set()

    def show_steps(share: float | None, words: str) -> None:
        # Builders come back to the same steps a hundred times.
        if words not in said:
            said.add(words)
            percent = "     " if share is None else f"{share * 100:3.0f} %"
            typer.echo(f"{name}: {percent} {words}", err=True)

    return show_steps


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
