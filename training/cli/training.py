"""``mirante train``: a model of your own, from labelled pictures or from teachers."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from engines.console import names_in


def train(  # noqa: PLR0913, PLR0917 - a parameter per option
    recipe: Annotated[str, typer.Argument(metavar="street|road|face", help="Which recipe.")],
    data: Annotated[Path, typer.Option(help="Folder of pictures and labels.", metavar="DIR")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model [models/NAME].", metavar="DIR")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model [the recipe's].")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Where the weights begin: a model, imagenet or nothing "
            "[the shipped model; for the recipe's own collection imagenet]."
        ),
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="A model that labels what nobody has labelled; may be repeated."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="What to learn from teachers where nothing is labelled: a,b,c."),
    ] = None,
    views: Annotated[
        int | None, typer.Option(help="Augmented pictures to learn from in all.", min=1)
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures a step.", min=2)] = None,
    rate: Annotated[
        float | None, typer.Option(help="Peak learning rate of new layers.", min=1e-6)
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Width of what the network sees, in pixels.", min=64)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is drawn.", min=0)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that prepare pictures.", min=0)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Train a model; what it has learnt is kept, and the same command goes on from there.

    DIR holds COCO JSON or YOLO text (street), or a PNG mask per picture (road, face).
    """
    if missing := [name for name in ("torch", "onnx") if find_spec(name) is None]:
        raise RuntimeError(f"training needs {' and '.join(missing)}: pip install 'mirante[train]'")
    import logging

    from engines.names import resolve
    from engines.store.models import use_default_mirror
    from training.recipes.job import RECIPES, Job, choose_device

    learn = resolve("recipe", recipe, RECIPES)
    use_default_mirror()
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    changes = {"views": views, "batch": batch, "rate": rate, "seed": seed, "workers": workers}
    name = name or recipe
    job = Job(
        recipe=recipe,
        data=data,
        out=out or Path("models") / name,
        name=name,
        device=choose_device(device),
        start=start,
        teachers=tuple(teacher or ()),
        labels=names_in(classes),
        size_px=size,
        changes={key: value for key, value in changes.items() if value is not None},
    )
    manifest = learn(job)
    measure = shlex.join(["mirante", "eval", str(manifest), "--data", str(data), "--held-out"])
    typer.echo(f"{manifest}\nmeasure it: {measure}")
