"""``mirante run-once``: a camera's stages on one frame, where a debugger can look."""

from __future__ import annotations

import math
import sys
from bdb import BdbQuit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.commands import Texts, command
from pipeline.cli.configured import Models, Which, which

if TYPE_CHECKING:
    from mirante.detections import Detections
    from pipeline.config.camera import CameraOptions
    from pipeline.run_once import Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """The options of ``mirante run-once``.

    Raises:
        ValueError: the image cannot be written.
    """

    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A clip or an image.")]
    number: Annotated[int, typer.Option("--frame", help="Number of the frame, from 0.", min=0)] = 0
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; the stages of one of its cameras.")
    ] = None
    camera: Which = None
    models: Models = ()
    own: Annotated[
        tuple[str, ...],
        typer.Option(
            "--stage", help="module:Class of your own, run after the models; may be repeated."
        ),
        Texts(tuple),
    ] = ()
    threads: Annotated[int, typer.Option(help="Inside one inference.", min=1)] = 1
    json: Annotated[bool, typer.Option("--json", help="Print the messages of the wire.")] = False
    picture: Annotated[
        Path | None, typer.Option(help="Write the frame with what was found there, .png or .jpg.")
    ] = None
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show where an error came from; starts pdb in a terminal."),
    ] = False

    def __post_init__(self) -> None:
        from engines.files import check_picture

        if self.picture is not None:
            check_picture("picture", self.picture)


@command
def run_once(asked: Once) -> None:
    """Run stages on one frame, on the main thread: breakpoint() works in stages and decoders."""
    from engines.store.models import use_default_mirror
    from pipeline.run_once import analysed, make_stages, shown_frame
    from pipeline.run_once import run_once as run
    from plugins.frame import Picture

    use_default_mirror()
    name, options = _settled(*_camera(asked))
    with _debugger(asked.debug):
        rgb = shown_frame(asked.clip, asked.number, options)
        frame = analysed(rgb, options.width, options.height)
        if asked.debug:
            typer.echo("loading: each decoder is tried out on a grey image first", err=True)
        stages = make_stages(options.stages or (), asked.threads)
        if asked.debug:
            at = f"{frame.shape[1]}x{frame.shape[0]}"
            typer.echo(f"frame {asked.number} of {asked.clip.name}, analysed at {at}", err=True)
        size = (rgb.shape[1], rgb.shape[0])
        ran = run(stages, frame, size, name, asked.number, Picture(rgb))
    _print(ran, asked.json)
    if asked.picture is not None and ran.result is not None:
        from engines.files import write_picture
        from pipeline.cli.drawn_result import draw_result

        write_picture(asked.picture, draw_result(rgb, ran.result))


@contextmanager
def _debugger(wanted: bool) -> Iterator[None]:
    """With ``--debug`` in a terminal an error opens pdb where it was raised; leaving pdb by ``q``
    ends the command.
    """
    try:
        yield
    except BdbQuit:
        raise typer.Exit(1) from None
    except Exception as error:
        if not (wanted and sys.stdin.isatty()):
            raise
        import pdb
        import traceback

        traceback.print_exc()
        root: BaseException = error
        while root.__cause__ is not None:
            root = root.__cause__
        pdb.post_mortem(root.__traceback__)
        raise typer.Exit(1) from None


def _settled(name: str, options: CameraOptions, folder: Path | None) -> tuple[str, CameraOptions]:
    """The options with the stages that a camera gets which names none, said where they are less."""
    from pipeline.config.choosing import chosen, settle

    settled = settle(options, folder)
    assert settled is not None  # it was waited for
    less = chosen(folder).less(options.preview.blur)
    if options.stages is None and less is not None:
        typer.echo(less.account(), err=True)
    return name, settled


def _camera(asked: Once) -> tuple[str, CameraOptions, Path | None]:
    """The name in the results, the options with the stages, and the folder of manifests."""
    config, camera = asked.config, asked.camera
    if config is None:
        if camera is not None:
            raise typer.BadParameter("--camera: expected with --config")
        return "once", _options(asked.models, asked.own), None
    if asked.models or asked.own:
        raise typer.BadParameter("--config: expected without --model and --stage")
    from pipeline.config.load import load_settings

    settings = load_settings(config)
    name = which(settings, config, camera)
    return name, settings.cameras[name], settings.models


def _options(models: Sequence[str], own: Sequence[str]) -> CameraOptions:
    """The defaults of a camera, with these stages."""
    from pydantic import ValidationError

    from pipeline.config.camera import CameraOptions
    from pipeline.config.messages import ConfigError, describe
    from pipeline.config.references import check_stages, search_in
    from pipeline.config.stages.stage import stages_of

    search_in(Path.cwd())
    specs = stages_of("--model", models) + stages_of("--stage", own)
    document = {"stages": specs} if specs else {}
    try:
        options = CameraOptions.model_validate(document)
    except ValidationError as error:
        raise ConfigError("run-once", describe(error, CameraOptions, document)) from None
    if lines := list(check_stages(options.stages or (), "stages")):
        raise ConfigError("run-once", lines)
    return options


def _print(ran: Ran, json: bool) -> None:
    """Print what was found, or the messages that would have been published."""
    if ran.result is None:
        typer.echo(f"dropped by stage {list(ran.elapsed_ms)[-1]}")
        return
    if json:
        from mirante.wire.codec import encode

        encoded = encode(ran.result)
        for fields in filter(None, (encoded.detections, encoded.masks)):
            typer.echo(fields["json"].decode())
        return
    from pipeline.cli.tail import lane_words, mask_words

    _print_objects(ran.result.detections)
    for of_object, mask in ran.result.all_masks():
        of = "" if of_object is None else f" of object {of_object}"
        typer.echo(f"mask by {mask.model}{of}, {mask.width}x{mask.height}: {mask_words(mask)}")
    if ran.result.lanes is not None:
        typer.echo(f"lanes: {lane_words(ran.result.lanes)}")
    for step, step_ms in ran.result.timings.items():
        typer.echo(f"{step} {step_ms:.2f} ms")
    for stage, stage_ms in ran.elapsed_ms.items():
        typer.echo(f"stage {stage}: {stage_ms:.2f} ms")


def _print_objects(found: Detections) -> None:
    """Print a line for each object, and one for each of its vectors."""
    for index, (label, score, xyxy) in enumerate(found):
        said = [f"{n} {a.label} {a.score:.2f}" for n, a in found.attributes_of(index).items()]
        box = ", ".join(f"{edge:.1f}" for edge in xyxy)
        if found.rotated is not None and found.rotated[index].any():
            x, y, width, height, angle = (float(each) for each in found.rotated[index])
            turned = f"{width:.1f} x {height:.1f} at {x:.1f}, {y:.1f}, {math.degrees(angle):.1f}°"
            said.insert(0, turned)
        typer.echo("  ".join([f"{label} {score:.3f}", f"[{box}]", *said]))
        for name, (x, y, sure) in found.keypoints_of(index).items():
            typer.echo(f"  {name} [{x:.1f}, {y:.1f}] {sure:.2f}")
        for name, vector in found.embeddings_of(index).items():
            typer.echo(f"  embedding by {name}: {len(vector)} numbers")
