"""``mirante up`` and ``mirante check``, and what other commands take of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.commands import Texts
from engines.console import is_fancy
from pipeline.loading import loading

if TYPE_CHECKING:
    from pipeline.config.settings import Settings

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration file (YAML).")]
Which = Annotated[
    str | None, typer.Option(help="Which of its cameras; optional where there is only one.")
]
Models = Annotated[
    tuple[str, ...],
    typer.Option("--model", help="Zoo name or manifest, or NAME@CLASS; may be repeated."),
    Texts(tuple),
]


def which(settings: Settings, config: Path, camera: str | None) -> str:
    """Return the name of the camera that is meant: the one that is named, or the only one.

    Raises:
        ValueError: there is no such camera, or more than one and none is named.
    """
    from mirante.nearest import nearest

    cameras = settings.cameras
    if camera is None and len(cameras) != 1:
        raise ValueError(f"--camera: expected one of {', '.join(cameras) or 'some'}")
    name = camera or next(iter(cameras))
    if name not in cameras:
        hint = nearest(name, cameras) if cameras else "it has none"
        raise ValueError(f'--camera: {config} has no camera "{name}"; {hint}')
    return name


def up(
    config: Config,
    standby: Annotated[
        bool, typer.Option("--standby", help="Wait while another worker has the name.")
    ] = False,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="all|0,2",
            help="A worker for each of these NVIDIA GPUs, each with a share of the cameras.",
        ),
    ] = None,
    share: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the worker that CONFIG describes, until Ctrl-C or SIGTERM."""
    with loading():
        from engines.store.models import use_default_mirror
        from pipeline.cli.live import LiveStatus
        from pipeline.config.load import load_settings
        from pipeline.gst.camera import CameraRunner
        from pipeline.logs import configure_logs
        from pipeline.worker.process import run_worker

    use_default_mirror()
    settings = load_settings(config)
    if gpus is not None:
        raise typer.Exit(_up_on_gpus(settings, config, gpus, standby))
    if share is not None:  # one of the workers of --gpus
        settings = settings.share(share.split(","))
    if not is_fancy() or settings.log.format == "json":
        configure_logs(settings.log)
        raise typer.Exit(run_worker(settings, CameraRunner, config_path=config, standby=standby))
    with LiveStatus() as live:
        configure_logs(settings.log)  # above the live table, which has taken stderr over
        status = run_worker(
            settings,
            CameraRunner,
            config_path=config,
            standby=standby,
            on_tick=lambda w: live.show(w.state()),
        )
    raise typer.Exit(status)


def _up_on_gpus(settings: Settings, config: Path, gpus: str, standby: bool) -> int:
    from pipeline.logs import configure_logs
    from pipeline.worker.gpu_workers import run_gpu_workers
    from pipeline.worker.gpus import chosen_gpus

    chosen = chosen_gpus(gpus)
    configure_logs(settings.log)
    return run_gpu_workers(settings, chosen, config, standby)


def check(config: Config) -> None:
    """List every mistake in CONFIG, and what this machine lacks to run it."""
    from engines.store.models import use_default_mirror
    from pipeline.cameras.sharing import read_apart
    from pipeline.config.load import load_settings
    from pipeline.config.messages import ConfigError
    from pipeline.config.standard import SHIPPED
    from pipeline.doctor import examine, needs_of

    use_default_mirror()
    try:
        settings = load_settings(config)
    except ConfigError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        raise typer.Exit(1) from None
    lacking = [finding for finding in examine(needs_of(settings)) if finding.is_missing]
    for finding in lacking:
        typer.echo(f"{finding.need.name}: missing — {finding.need.command}", err=True)
    if lacking:
        raise typer.Exit(1)
    if wrong := list(_undecodable(settings)):
        for line in wrong:
            typer.echo(line, err=True)
        raise typer.Exit(1)
    for name, is_standard in _still_to_fetch(settings).items():
        less = f"; {SHIPPED} runs where it cannot be had" if is_standard else ""
        typer.echo(f"{name}: fetched at the first start, or now: mirante models pull {name}{less}")
    for line in read_apart(settings.cameras):
        typer.echo(f"hint: {line}")
    for line in _listening(settings):
        typer.echo(line)
    count = len(settings.cameras)
    typer.echo(f"{config}: fine, {count} camera{'' if count == 1 else 's'}")


def _listening(settings: Settings) -> Iterator[str]:
    """A line for each camera that is listened to, besides its images."""
    from pipeline.config.onvif_address import onvif_url

    for name, camera in settings.cameras.items():
        if camera.onvif is not None:
            events = ", ".join(camera.onvif.events)
            yield f"{name}: listens to the camera's own events at {onvif_url(camera)}: {events}"


def _undecodable(settings: Settings) -> Iterator[str]:
    """A line for each camera that asks for a decoder which this machine has not."""
    from pipeline.gst.decoders import refusal

    for name, camera in settings.cameras.items():
        if words := refusal(camera.decode):
            yield f"cameras.{name}.{words}"


def _still_to_fetch(settings: Settings) -> dict[str, bool]:
    """Models whose files are not on this machine yet; True for those that no camera names."""
    from engines.store.models import show
    from pipeline.config.settings import with_standard
    from pipeline.config.standard import Standard

    found: dict[str, bool] = {}
    for camera in settings.cameras.values():
        for use in with_standard(camera, Standard(), settings.models).models():
            if show(use.name)[1].place is None:
                found[use.name] = found.get(use.name, True) and camera.stages is None
    return dict(sorted(found.items()))
