"""``mirante eval``: how good a model is on pictures with labels, or against another model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.console import is_fancy, names_in, print_table

if TYPE_CHECKING:
    from training.evaluation.measured import Measured
    from training.evaluation.pictures import Picture, Pictures


def evaluate(  # noqa: PLR0913, PLR0917 - one parameter an option
    model: Annotated[str, typer.Argument(help="Zoo name, or path of a manifest.")],
    data: Annotated[
        str, typer.Option(help="Clip, folder of pictures (labelled, or with --truth), or pattern.")
    ],
    truth: Annotated[
        str | None, typer.Option(help="A model whose answers are the truth, instead of labels.")
    ] = None,
    truth_threshold: Annotated[
        float | None, typer.Option(help="Least score of the truth's.", min=0, max=1)
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least score for precision, recall, masks; the manifest's.", min=0, max=1
        ),
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Only these of the model: a,b.")] = None,
    match: Annotated[
        list[str] | None, typer.Option(help="MODEL_LABEL=TRUTH_LABEL, for other names; repeat it.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Of a clip: FROM:TO in 0..1; of a collection: its folder.")
    ] = None,
    every: Annotated[int, typer.Option(help="One of so many frames or pictures.", min=1)] = 1,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only pictures that training never sees.")
    ] = False,
    sets: Annotated[str | None, typer.Option(help="Only these sets of a collection: a,b.")] = None,
    least_side: Annotated[
        float, typer.Option(help="Boxes with a shorter side do not count, in pixels.", min=0)
    ] = 0.0,
    least_share: Annotated[
        list[str] | None,
        typer.Option(help="PLANE=SHARE: only pictures of which the truth covers so much."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How far outlines and lines may be off, in pixels.", min=0)
    ] = 2.0,
    on_detector: Annotated[
        str | None, typer.Option(help="Run on crops of this detector's boxes, the truth too.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="Class of those boxes; need not be said of an only one.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write the ten worst pictures there, .png or .jpg.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures there.")] = None,
    threads: Annotated[int, typer.Option(help="Inside one inference.", min=1)] = 2,
) -> None:
    """Measure a model on labelled images or against another model.

    A detector gets AP, AP50, precision and recall of each class and a confusion matrix; a segmenter
    IoU and F1 of outline and line of each plane. docs/evaluation.md says what these are.
    """
    from engines.store.models import use_default_mirror
    from training.evaluation.data import Choice
    from training.evaluation.measured import Request, measure
    from training.evaluation.worst import SHEETS

    use_default_mirror()
    _check_target("json", json)
    _check_target("sheet", sheet, SHEETS)
    request = Request(
        model=model,
        choice=Choice(data, part, every, held_out, names_in(sets)),
        truth=truth,
        truth_threshold=truth_threshold,
        threshold=threshold,
        classes=names_in(classes),
        match=_pairs("match", match),
        least_side_px=least_side,
        least_share={k: _share(k, v) for k, v in _pairs("least-share", least_share).items()},
        tolerance_px=tolerance,
        detector=on_detector,
        on=on,
        threads=threads,
    )
    measured = measure(request, _watched)
    _show(measured)
    if json is not None:
        json.write_text(measured.json(), encoding="utf-8")
    if sheet is not None:
        measured.figures.worst.write(sheet)
        typer.echo(f"worst pictures: {sheet}")


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


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts or [])
    for name, value in pairs.items():
        if not name or not value:
            raise ValueError(f"--{option}: expected NAME=VALUE, got {name}={value}")
    return pairs


def _share(label: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"--least-share: expected 0 to 1, got {label}={text}")
    return share


def _show(measured: Measured) -> None:
    for line in measured.notes:
        typer.echo(line)
    for headings, rows in measured.tables():
        typer.echo()
        print_table(headings, rows)
