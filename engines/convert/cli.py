"""``mirante models import`` and ``export``: from PyTorch, Keras, TensorFlow, TF Lite; to phones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.commands import command
from engines.convert.asked import Asked

if TYPE_CHECKING:
    from engines.convert.importing import Imported
    from engines.convert.phones import Exported

_NAMED = 3  # labels that the output names


@command
def import_(asked: Asked) -> None:
    """Convert a model, find its decoder, prove it equal to its source, and write its manifest."""
    from engines.convert.importing import import_model
    from engines.convert.watch import Watch, ended_in_time
    from engines.refusal import RefusalError

    watch = Watch(asked.name, asked.time_limit)
    try:
        with ended_in_time(watch, asked.out, lambda line: typer.echo(f"mirante: {line}", err=True)):
            made = import_model(asked, watch)
    except RefusalError as refusal:
        for line in refusal.why if asked.why else ():
            typer.echo(line, err=True)
        raise
    about = made.about
    typer.echo(f"from      {about['source']['framework']} ({about['source']['library']})")
    for line in _file(made):
        typer.echo(line)
    typer.echo(f"decoder   {about['decoder']['name']}: {'; '.join(about['decoder']['because'])}")
    for line in _fed(made, asked):
        typer.echo(line)
    for line in _parity(about):
        typer.echo(line)
    for line in _tried(made):
        typer.echo(line)
    for note in made.notes:
        typer.echo(f"mirante: warning: {note}", err=True)
    if made.trial is not None and (advice := made.trial.advice):
        typer.echo(f"mirante: warning: {asked.name}: {advice}", err=True)
    elif doubt := (about.get("task") or {}).get("doubt"):
        typer.echo(f"mirante: warning: {asked.name} found nothing there: {doubt}", err=True)
    typer.echo(f"report    {made.report}")
    typer.echo(f"run it    {made.manifest}")


def _file(made: Imported) -> Iterator[str]:
    """Yield which file runs, and what it was made by or why it is the source's own."""
    if (told := made.about.get("onnx")) is not None:
        yield f"onnx      {made.onnx}, {_size_of(told['bytes'])}, opset {told['opset']}"
        yield f"          by {told['by']}; {told['batch']}"
        return
    kept = made.about["kept"]
    yield f"file      {made.onnx}, {_size_of(kept['bytes'])}, kept as it is, for LiteRT"
    yield f"          {kept['because']}"
    if kept["beside"]:
        beside = made.manifest.with_stem(f"{made.manifest.stem}-onnx")
        yield f"          {beside} finds the same, and engines can be made of it"


def export(
    model: Annotated[str, typer.Argument(help="Zoo name, or path of a manifest.")],
    to: Annotated[str, typer.Option(help="litert or executorch.")],
    out: Annotated[Path, typer.Option(help="Folder for it.", metavar="DIR")],
    source: Annotated[
        str | None,
        typer.Option(help="The framework's file or module:function [what it was imported from]."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="PyTorch: module:function that makes the weights' module.")
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Clip or images to compare on [noise].", metavar="CLIP")
    ] = None,
) -> None:
    """Make a file for phones from a model's own framework, and prove it equal to the ONNX file."""
    from engines.convert.phones import export_model
    from engines.store.models import use_default_mirror

    use_default_mirror()
    made: Exported = export_model(model, to, out, source=source, network=network, frames=frames)
    typer.echo(f"from      {made.about['source']} by {made.about['library']}")
    typer.echo(f"file      {made.file}, {_size_of(made.file.stat().st_size)}")
    for line in _parity(made.about):
        typer.echo(line)
    typer.echo(f"report    {made.report}")
    if made.manifest is not None:
        typer.echo(f"run it    {made.manifest}")


def _fed(made: Imported, asked: Asked) -> Iterator[str]:
    """Yield how images are fed and which labels there are, and where each of that came from."""
    from engines.convert.origins import ASSUMED, SHOWN, told_lines

    heading = "input"
    for line in told_lines(made.fed, made.origins):
        yield f"{heading:<9} {line}"
        heading = ""
    if asked.frames is None and any(made.origins[key] == ASSUMED for key in SHOWN):
        yield f"{'':<9} --frames CLIP tries what is assumed here"
    more = ", …" if len(made.labels) > _NAMED else ""
    names = ", ".join(made.labels[:_NAMED]) + more
    yield f"labels    {len(made.labels)} ({names}): {made.origins['labels']}"


def _tried(made: Imported) -> Iterator[str]:
    """Yield how many ways of feeding were tried, and what came of it."""
    from engines.convert.trial import FEWEST, MOST_S

    trial = made.trial
    if trial is None:
        return
    if not trial.pictures:
        yield f"tried     no other way of feeding: that takes {FEWEST} images in {MOST_S:.0f} s"
        return
    said = "another finds clearly more" if trial.advice else "none finds clearly more"
    yield (
        f"tried     {len(trial.ways) - 1} other ways of feeding on {trial.pictures} images: {said}"
    )


def _parity(about: Mapping[str, Any]) -> list[str]:
    """Return what was compared, a line for each output, and what was found."""
    lines = []
    for name, gap in about["outputs"].items():
        shape = "x".join(map(str, gap["shape"])) or "1"
        lines.append(
            f"parity    {name} ({shape}): {gap['absolute']:.2g}, {gap['relative']:.2g} of its "
            f"magnitude; {gap['allowed']:g} is allowed"
        )
    task = about.get("task") or {}
    found = [f"{key} {value:.4g}" for key, value in task.get("figures", {}).items()]
    if said := task.get("note") or ", ".join(found):
        lines.append(f"          {said}")
    lines.append(f"          on {about['pictures']} images: {about['frames']}")
    return lines


def _size_of(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
