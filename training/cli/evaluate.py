"""``mirante eval``: how good a model is on images with labels, or against another model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.commands import command
from engines.console import is_fancy, print_table
from training.evaluation.request import Request

if TYPE_CHECKING:
    from training.evaluation.measured import Measured
    from training.evaluation.pictures import Picture, Pictures


@command
def evaluate(
    request: Request,
    sheet: Annotated[
        Path | None, typer.Option(help="Write the ten worst images to this .png or .jpg file.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures there.")] = None,
) -> None:
    """Measure a model on labelled images or against another model.

    A detector gets AP, AP50, precision and recall of each class and a confusion matrix; a segmenter
    IoU and F1 of outline and line of each plane. docs/evaluation.md says what these are.
    """
    from engines.store.models import use_default_mirror
    from training.evaluation.measured import measure
    from training.evaluation.worst import SHEETS

    use_default_mirror()
    _check_target("json", json)
    _check_target("sheet", sheet, SHEETS)
    measured = measure(request, _watched)
    _show(measured)
    if json is not None:
        json.write_text(measured.json(), encoding="utf-8")
    if sheet is not None:
        measured.figures.worst.write(sheet)
        typer.echo(f"worst images: {sheet}")


def _watched(pictures: Pictures) -> Iterable[Picture]:
    """A bar in a terminal, nothing elsewhere."""
    if not is_fancy():
        return pictures
    from rich.progress import track

    return track(pictures, "pictures", total=len(pictures), transient=True)


def _check_target(option: str, path: Path | None, suffixes: tuple[str, ...] = ()) -> None:
    """Before the work, not after it."""
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"--{option}: expected a file in a folder that is there, got {path}")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"--{option}: expected {' or '.join(suffixes)}, got {path}")


def _show(measured: Measured) -> None:
    for line in measured.notes:
        typer.echo(line)
    for headings, rows in measured.tables():
        typer.echo()
        print_table(headings, rows)
