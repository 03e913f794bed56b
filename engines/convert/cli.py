"""``mirante models import`` and ``export``: from PyTorch, Keras, TensorFlow, TF Lite; to phones."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.console import names_in

if TYPE_CHECKING:
    from engines.convert.phones import Exported

_ONE_OVER = re.compile(r"1/(\d+(?:\.\d+)?)")


def import_(  # noqa: PLR0913, PLR0917 - one parameter an option
    source: Annotated[
        str,
        typer.Argument(
            help="PyTorch .pth .pt .pt2 or module:function; .keras .h5 .pb, a SavedModel folder; "
            ".tflite; .onnx."
        ),
    ],
    name: Annotated[str, typer.Option(help="Of the model.")],
    out: Annotated[Path, typer.Option(help="Folder for it.", metavar="DIR")],
    labels: Annotated[
        str | None, typer.Option(help="a,b,c, a file with one a line, or a table such as coco80.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="As in a manifest.")] = None,
    decoder: Annotated[str, typer.Option(help="Its name, or auto to find out.")] = "auto",
    option: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the decoder; may be repeated.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT of the input, where the file does not say.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="nchw or nhwc, where it is open.")] = None,
    colour: Annotated[str | None, typer.Option(help="rgb or bgr [rgb].")] = None,
    scale: Annotated[
        str | None, typer.Option(help="tensor = (pixel * scale - mean) / std [1/255].")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="a,b,c or one for all [0].")] = None,
    std: Annotated[str | None, typer.Option(help="a,b,c or one for all [1].")] = None,
    resize: Annotated[
        str | None, typer.Option(help="stretch, letterbox-top-left or letterbox-centre [stretch].")
    ] = None,
    pad: Annotated[int | None, typer.Option(help="Of a letterbox [114].")] = None,
    multiple: Annotated[
        int | None, typer.Option(help="Sides of a network of open size are multiples of this.")
    ] = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="Further input: NAME=size_wh or NAME=size_hw.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Least score.")] = None,
    iou: Annotated[float | None, typer.Option(help="Boxes that overlap more are one.")] = None,
    licence: Annotated[
        str, typer.Option(help="SPDX identifier, of the weights.")
    ] = "LicenseRef-unknown",
    summary: Annotated[str, typer.Option(help="What it finds, in one line.")] = "",
    network: Annotated[
        str | None, typer.Option(help="PyTorch: module:function that makes the weights' module.")
    ] = None,
    legacy: Annotated[
        bool, typer.Option("--legacy", help="PyTorch: the older exporter instead of dynamo.")
    ] = False,
    dynamic: Annotated[
        str, typer.Option(help="What stays open: batch, size (and batch), or none.")
    ] = "batch",
    inputs: Annotated[str | None, typer.Option(help="Of a frozen graph: a,b.")] = None,
    outputs: Annotated[str | None, typer.Option(help="Of a frozen graph: a,b.")] = None,
    frames: Annotated[
        str | None, typer.Option(help="Clip or pictures to compare on [noise].", metavar="CLIP")
    ] = None,
) -> None:
    """Convert a model, find its decoder, prove it equal to its source, and write its manifest."""
    from engines.convert.asked import Asked
    from engines.convert.importing import import_model

    _see_here()
    made = import_model(
        Asked(
            source=source,
            name=name,
            out=out,
            labels=_labels(labels),
            task=task,
            decoder=decoder,
            options=_options(option),
            size=_size(size),
            input=_set(
                layout=layout,
                colour=colour,
                scale=_scale(scale),
                mean=_triple("mean", mean),
                std=_triple("std", std),
                resize=resize,
                pad=pad,
                multiple=multiple,
                extra=_extra(extra),
            ),
            threshold=threshold,
            iou=iou,
            licence=licence,
            summary=summary,
            network=network,
            legacy=legacy,
            dynamic=dynamic,  # type: ignore[arg-type]
            inputs=names_in(inputs) if inputs else (),
            outputs=names_in(outputs) if outputs else (),
            frames=frames,
        )
    )
    about = made.about
    typer.echo(f"from      {about['source']['framework']} ({about['source']['library']})")
    told = about["onnx"]
    typer.echo(f"onnx      {made.onnx}, {_size_of(told['bytes'])}, opset {told['opset']}")
    typer.echo(f"          by {told['by']}; {told['batch']}")
    typer.echo(f"decoder   {about['decoder']['name']}: {'; '.join(about['decoder']['because'])}")
    for line in _parity(about):
        typer.echo(line)
    if doubt := (about.get("task") or {}).get("doubt"):
        typer.echo(f"mirante: warning: {name} found nothing there: {doubt}", err=True)
    typer.echo(f"report    {made.report}")
    typer.echo(f"run it    {made.manifest}")


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
        str | None, typer.Option(help="Clip or pictures to compare on [noise].", metavar="CLIP")
    ] = None,
) -> None:
    """Make a file for phones from a model's own framework, and prove it equal to the ONNX file."""
    from engines.convert.phones import export_model
    from engines.store.models import use_default_mirror

    _see_here()
    use_default_mirror()
    made: Exported = export_model(model, to, out, source=source, network=network, frames=frames)
    typer.echo(f"from      {made.about['source']} by {made.about['library']}")
    typer.echo(f"file      {made.file}, {_size_of(made.file.stat().st_size)}")
    for line in _parity(made.about):
        typer.echo(line)
    typer.echo(f"report    {made.report}")
    if made.manifest is not None:
        typer.echo(f"run it    {made.manifest}")


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
    lines.append(f"          on {about['pictures']} pictures: {about['frames']}")
    return lines


def _size_of(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _see_here() -> None:
    """Modules in the folder where the command is given are found, as by ``python -m``."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)


def _labels(text: str | None) -> tuple[str, ...] | None:
    from engines.labels import TABLES

    if text is None:
        return None
    if text in TABLES:
        return TABLES[text]
    if (path := Path(text)).is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if "/" in text:
        raise ValueError(f"labels: no file {text}; expected a,b,c, a file, or a table's name")
    return names_in(text)


def _options(pairs: list[str] | None) -> dict[str, Any]:
    import yaml

    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"option: expected such as logits=true, got {pair!r}")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"option {key}: not YAML: {value!r}") from error
    return found


def _extra(pairs: list[str] | None) -> dict[str, str] | None:
    found = {}
    for pair in pairs or []:
        key, _, value = pair.partition("=")
        if value not in ("size_wh", "size_hw"):
            raise ValueError(f"extra: expected a name and =size_wh or =size_hw, got {pair!r}")
        found[key] = value
    return found or None


def _set(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None:
        raise ValueError(f'size: expected WIDTHxHEIGHT, such as 640x640, got "{text}"')
    return int(found[1]), int(found[2])


def _scale(text: str | None) -> float | None:
    if text is None:
        return None
    if (found := _ONE_OVER.fullmatch(text)) and float(found[1]):
        return 1 / float(found[1])
    return _number("scale", text)


def _triple(key: str, text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    values = [_number(key, part) for part in text.split(",")]
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise ValueError(f"{key}: expected a number or three, got {text!r}")
    return values[0], values[1], values[2]


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{key}: expected a number, got {text!r}") from None
