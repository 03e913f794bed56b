"""Options of ``mirante bridge metropolis``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import typer

from engines.commands import Texts
from mirante.keys import check_camera

Schema = Literal["protobuf", "minimal"]
Layout = Literal["metadata", "key-value"]


def sensors_in(texts: list[str]) -> dict[str, str]:
    """Return the sensor's ID of each camera in ``CAMERA=ID``.

    Raises:
        ValueError: one is not of that form.
    """
    found = {}
    for text in texts:
        camera, sign, sensor = text.partition("=")
        try:
            check_camera(camera)
        except ValueError as error:
            raise ValueError(f"--sensor: expected CAMERA=ID, got {text!r}: {error}") from None
        if not sign or not sensor:
            raise ValueError(f"--sensor: expected CAMERA=ID, got {text!r}")
        found[camera] = sensor
    return found


@dataclass(frozen=True, kw_only=True)
class Metropolis:
    """Which stream, in what form, and whether cameras come from there too."""

    to: Annotated[
        str | None, typer.Option(help="Redis that is written to; else that which is read.")
    ] = None
    stream: Annotated[str, typer.Option(help="Key of the stream.")] = "mdx-raw"
    schema: Annotated[
        Schema, typer.Option(help="nv.Frame as protobuf, or DeepStream's minimal JSON.")
    ] = "protobuf"
    layout: Annotated[
        Layout,
        typer.Option(help="Fields of an entry: metadata, or key, value and headers."),
    ] = "metadata"
    sensors: Annotated[
        dict[str, str],
        typer.Option(
            "--sensor", metavar="CAMERA=ID", help="Sensor's ID; else the camera's name; repeatable."
        ),
        Texts(sensors_in),
    ] = field(default_factory=dict)
    masks: Annotated[bool, typer.Option(help="Masks too, as nv.Segmentation.")] = True
    most: Annotated[int, typer.Option(help="Entries that the stream keeps, about.", min=1)] = 10_000
    cameras_from: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM",
            help="Stream of VST such as vst_events, by which cameras are added and removed; "
            "default: none.",
        ),
    ] = None
    worker: Annotated[
        str | None, typer.Option(help="Worker of added cameras; else the only one that runs.")
    ] = None

    def __post_init__(self) -> None:
        if not self.stream:
            raise ValueError("--stream: expected a key of Redis, got ''")
