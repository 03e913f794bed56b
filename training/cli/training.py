"""``mirante train``: a model of your own, from labelled images or from teachers."""

from __future__ import annotations

import shlex
from importlib.util import find_spec

import typer

from engines.commands import command
from training.recipes.job import RECIPES, Job


@command
def train(job: Job) -> None:
    """Train a model; checkpoints are kept, and the same command resumes from the last.

    DIR holds COCO JSON or YOLO text (street), or a PNG mask per image (road, face).
    """
    if missing := [name for name in ("torch", "onnx") if find_spec(name) is None]:
        raise RuntimeError(f"training needs {' and '.join(missing)}: pip install 'mirante[train]'")
    import logging

    from engines.names import resolve
    from engines.store.models import use_default_mirror

    learn = resolve("recipe", job.recipe, RECIPES)
    use_default_mirror()
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    job.prepare()
    manifest = learn(job)
    measure = shlex.join(["mirante", "eval", str(manifest), "--data", str(job.data), "--held-out"])
    typer.echo(f"{manifest}\nmeasure it: {measure}")
