"""``mirante models``: the zoo, and which of its files are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from engines.console import is_fancy, print_table
from pipeline.cli import swap
from pipeline.cli.found import FoundModels

if TYPE_CHECKING:
    from engines.head import Head
    from engines.manifest import Manifest
    from engines.store.models import Progress

app = typer.Typer(cls=FoundModels, help="List, fetch and describe models.", no_args_is_help=True)

app.command()(swap.swap)
app.command()(swap.rollback)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Zoo name, or path of a manifest.")]


@app.command("list")
def list_() -> None:
    """List the models of the zoo and where their files are."""
    from engines.store.models import list_models, use_default_mirror

    use_default_mirror()
    rows = [
        [m.name, m.task, _size(m.bytes), m.licence, m.place or "not here yet", m.summary]
        for m in list_models()
    ]
    print_table(["model", "task", "size", "licence", "where", "finds"], rows)


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="Zoo names, or paths of manifests.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The whole zoo.")] = False,
) -> None:
    """Download models' files into the store, verify checksums, make the networks asked for."""
    from engines.made import pull as pull_one
    from engines.store.models import list_models, use_default_mirror

    if every == bool(names):
        raise typer.BadParameter("expected names of models, or --all")
    use_default_mirror()
    failures = 0
    for name in [model.name for model in list_models()] if every else names or []:
        try:
            with _progress(name) as progress:
                path = pull_one(name, progress)
            typer.echo(f"{name}: {path}")
        except RuntimeError as error:  # not available; the others may be
            typer.echo(f"mirante: {error}", err=True)
            failures += 1
    if failures:
        raise typer.Exit(1)


@app.command()
def show(name: Name) -> None:
    """Show all about one model: what it finds, its input, licence, source and file."""
    from engines.made import told
    from engines.store.models import show as show_one
    from engines.store.models import use_default_mirror

    use_default_mirror()
    manifest, listing = show_one(name)
    rows = {
        "model": manifest.name,
        "finds": manifest.summary,
        "task": manifest.tasks,
        "labels": ", ".join(manifest.every_label),
        **({"key points": points} if (points := _keypoints(manifest)) else {}),
        "input": f"{manifest.input.size[0]}x{manifest.input.size[1]} {manifest.input.resize}",
        "runtime": manifest.runs_on,
        "decoder": manifest.decoders,
        "threshold": "; ".join(_thresholds(part) for part in manifest.parts),
        "licence": manifest.licence,
        "source": manifest.source,
    }
    if manifest.server is not None:
        rows["server"] = str(manifest.server)
    else:
        rows |= {
            "address": manifest.url or manifest.obtain or "none",
            "sha256": manifest.sha256 or "not checked",
            "size": _size(listing.bytes),
            "file": str(listing.path or f"not here yet: mirante models pull {name}"),
        }
    if listing.path is not None:
        rows["network"] = told(manifest, listing.path)
    for key, value in rows.items():
        typer.echo(f"{key:<10} {value}")


def _keypoints(manifest: Manifest) -> str:
    """The names of the key points of all heads."""
    return "; ".join(", ".join(part.keypoints) for part in manifest.parts if part.keypoints)


def _thresholds(part: Head) -> str:
    """The least score of each label of a head, one number where all have the same."""
    default = "none" if part.threshold is None else f"{part.threshold:g}"
    own = [f"{label} {score:g}" for label, score in part.thresholds.items()]
    others = set(part.labels) - set(part.thresholds)
    return ", ".join([*own, *([f"others {default}"] if others else [])]) if own else default


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar in a terminal, a line per tenth elsewhere."""
    if not is_fancy():
        yield _lines(name)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(name: str) -> Progress:
    said = 0

    def show_tenths(done: int, total: int | None) -> None:
        nonlocal said
        if total and done * 10 // total > said:
            said = done * 10 // total
            typer.echo(f"{name}: {said * 10} % of {_size(total)}", err=True)

    return show_tenths


def _size(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e6:.1f} MB"
