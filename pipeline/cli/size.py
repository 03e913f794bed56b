"""``mirante size``: how many cameras like one fit on this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.commands import command
from pipeline.cli.configured import Models, Which, which
from pipeline.config.source_kinds import forms

if TYPE_CHECKING:
    from pipeline.config.camera import Camera
    from pipeline.config.settings import Settings
    from pipeline.control.room import Space
    from pipeline.worker.sizing import Cost, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """The options of ``mirante size``.

    Raises:
        ValueError: it is not said which camera, or twice.
    """

    url: Annotated[str | None, typer.Argument(metavar="[URL]", help=forms())] = None
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; the settings of one of its cameras.")
    ] = None
    camera: Which = None
    models: Models = ()
    fps: Annotated[
        float | None, typer.Option(help="Maximum frames analysed per second; by default all.")
    ] = None
    seconds: Annotated[
        float, typer.Option(help="Of measuring, 20 or more; starting comes on top.")
    ] = 60.0
    json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False

    def __post_init__(self) -> None:
        if (self.url is None) == (self.config is None):
            raise ValueError("expected URL, or --config FILE with cameras")
        if self.config is None and self.camera is not None:
            raise ValueError("--camera: expected with --config")
        if self.config is not None and (self.models or self.fps is not None):
            raise ValueError("--model, --fps: expected with URL, as --config says these")


@command
def size(asked: Sizing) -> None:
    """Measure for a minute what a camera costs here, and say how many like it fit."""
    import msgspec

    from engines.store.models import use_default_mirror
    from pipeline.config.choosing import settle
    from pipeline.gst.camera import CameraRunner
    from pipeline.worker.sizing import measure

    use_default_mirror()
    settings, camera = _camera(asked)
    whole = settle(camera, settings.models)
    assert whole is not None  # it was waited for
    found = measure(whole, settings, CameraRunner, asked.seconds, _told)
    if asked.json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for line in lines_of(found):
        typer.echo(line)


def lines_of(found: Size) -> list[str]:
    """Return the answer in words."""
    from pipeline.control.room import KEPT, percent

    busy = f"{percent(found.busy.cores)} of a core busy ({_rates(found.busy)})"
    memory = f"{_mib(found.camera_bytes)} of memory"
    fits = f"{_cameras(found.fits_busy)} like this one, if all are busy ({found.limited_by})"
    if found.quiet is not None:
        how = ", key frames alone" if found.asleep else ""
        quiet = f"{percent(found.quiet.cores)} quiet ({_rates(found.quiet)}{how})"
        fits += f"; {found.fits_quiet} if nothing happens before any"
    else:
        quiet = "no gate, so it is never quiet"
    full = "full        there was no time for all of it, so a camera costs more than this; measure "
    full += "again while less runs"
    return [
        f"a camera    {busy}; {quiet}; {memory}",
        f"in use      {percent(found.others)} of a core by others; a worker by itself "
        f"{percent(found.worker)} and {_mib(found.worker_bytes)}",
        f"here        {found.space.cores:g} cores, of which {100 * KEPT:.0f} % are kept free: "
        f"{percent(found.space.free)} of a core left; {_memory(found.space)}",
        f"fits        {fits}",
        *([full] if found.is_full else []),
    ]


def _rates(cost: Cost) -> str:
    return f"{cost.decoded:.1f} frames/s decoded, {cost.looked:.1f} analysed"


def _cameras(count: int) -> str:
    return f"{count} camera{'' if count == 1 else 's'}"


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def _memory(space: Space) -> str:
    return f"{space.memory_left_bytes / (1 << 30):.1f} GiB of memory left"


def _told(words: str) -> None:
    if sys.stderr.isatty():
        typer.echo(words, err=True)


def _camera(asked: Sizing) -> tuple[Settings, Camera]:
    """Return the camera that is meant, and the settings around it.

    Raises:
        ConfigError: the configuration or the address is wrong.
        ValueError: there is no such camera.
    """
    from pipeline.cli.camera_trial import expanded
    from pipeline.config.load import load_settings
    from pipeline.config.settings import Settings
    from pipeline.config.stages.stage import stages_of

    if asked.config is None:
        spec: dict[str, Any] = {"url": asked.url}
        spec |= {} if asked.fps is None else {"fps": asked.fps}
        spec |= {"stages": stages_of("--model", list(asked.models))} if asked.models else {}
        return Settings(), expanded(spec)
    settings = load_settings(asked.config)
    return settings, settings.cameras[which(settings, asked.config, asked.camera)]
