"""``mirante camera test``: what a camera shows, before it is added."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.commands import command
from mirante.faults import advice_on
from pipeline.cli.camera import RedisOption, app, connected
from pipeline.cli.view_keys import ViewKeys
from pipeline.config.source_kinds import forms

if TYPE_CHECKING:
    from pipeline.config.camera import Camera
    from pipeline.control.trials import Trial

NAME = "test"


@app.command("test")
@command
def try_camera(
    image: ViewKeys,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help=forms()),
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="Test an existing camera, with its worker's settings.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Zoo name or manifest, or NAME@CLASS; may be repeated."),
    ] = None,
    worker: Annotated[
        str | None, typer.Option(help="Try it from this worker's machine, instead of from here.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write the image to this .jpg file.")] = None,
    redis_url: RedisOption = None,
) -> None:
    """Connect to a camera, run its stages on one frame, and say what came or why nothing did."""
    if (url is None) == (camera is None):
        raise typer.BadParameter("expected URL, or --camera NAME of an existing camera")
    if camera is not None and (models or worker):
        raise typer.BadParameter("--camera: expected without --model and --worker")
    if camera is not None and (given := image.given()):
        raise typer.BadParameter(f"--camera: expected without --{next(iter(given))}")
    if save is not None and not (save.suffix.lower() in {".jpg", ".jpeg"} and save.parent.is_dir()):
        raise ValueError(f"--save: expected a .jpg in a folder that is there, got {save}")
    if camera is not None:
        trial = _try_wanted(camera, redis_url)
    else:
        trial = _try_new(_keys(str(url), models or []) | image.given(), worker, redis_url)
    _print(trial)
    if save is not None and trial.jpeg:
        save.write_bytes(trial.jpeg)
    if not trial.connected:
        raise typer.Exit(1)


def _keys(url: str, models: list[str]) -> dict[str, Any]:
    spec: dict[str, Any] = {"url": url}
    if models:
        from pipeline.config.stages.stage import stages_of

        spec["stages"] = stages_of("--model", models)
    return spec


def _try_new(spec: dict[str, Any], worker: str | None, redis_url: str | None) -> Trial:
    from pipeline.control.credentials import Credentials
    from pipeline.control.trials import ask_trial
    from pipeline.worker.trials import run_trial

    camera = expanded(spec)  # a mistake is said here already
    if worker is None:
        return run_trial(NAME, camera)
    with connected(redis_url) as client:
        return ask_trial(client, Credentials(), NAME, spec, worker)


def _try_wanted(name: str, redis_url: str | None) -> Trial:
    from mirante.nearest import nearest
    from pipeline.control.credentials import Credentials
    from pipeline.control.registry import Registry
    from pipeline.control.trials import ask_trial

    with connected(redis_url) as client:
        wanted = Registry(client).cameras()
        if name not in wanted:
            hint = nearest(name, wanted) if wanted else "there is none"
            raise ValueError(f'--camera: no camera "{name}"; {hint}')
        return ask_trial(client, Credentials(), name, {}, wanted[name].worker)


def expanded(spec: dict[str, Any]) -> Camera:
    """The camera with what this machine's variables stand for.

    Raises:
        ConfigError: a key or value is wrong.
    """
    from pydantic import ValidationError

    from engines.store.models import use_default_mirror
    from pipeline.config.camera import Camera
    from pipeline.config.environment import expand_tree, from_environment
    from pipeline.config.messages import ConfigError, describe
    from pipeline.config.references import check_stages

    expanded, failures = expand_tree(spec, from_environment)
    if failures:
        raise ConfigError("camera", list(failures.values()))
    try:
        camera = Camera.model_validate(expanded)
    except ValidationError as error:
        raise ConfigError("camera", describe(error, Camera, spec)) from None
    use_default_mirror()
    if lines := list(check_stages(camera.stages or (), "stages")):
        raise ConfigError("camera", lines)
    return camera


def _print(trial: Trial) -> None:
    typer.echo(trial.words, err=not trial.connected)
    if advice := advice_on(trial.code):
        typer.echo(advice, err=True)
    if trial.less is not None:
        typer.echo(trial.less.account(), err=True)
    if trial.size is None:
        return
    facts = [f"{trial.size[0]}x{trial.size[1]}"]
    if trial.fps is not None:
        facts.append(f"{trial.fps:g} fps")
    if trial.codec is not None:
        facts.append(trial.codec)
    typer.echo(", ".join(facts))
    if trial.warning is not None:
        typer.echo(f"warning: {trial.warning}", err=True)
    if trial.hint is not None:
        typer.echo(f"hint: {trial.hint}", err=True)
    if trial.models:
        typer.echo(f"models: {', '.join(trial.models)}")
    for each in trial.objects:
        box = ", ".join(f"{edge:g}" for edge in each.bbox)
        typer.echo(f"{each.label} {each.score:.2f}  [{box}]")
