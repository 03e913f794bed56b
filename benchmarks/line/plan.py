"""The plan of ``mirante bench line``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

LEAST_FRAMES = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """The cameras that play a clip, as fast as can be and live."""

    clip: Annotated[Path, Option(exists=True, dir_okay=False, help="an H.264 MP4")]
    model: Annotated[str, Option(help="a zoo model with one input")] = "yolox-nano"
    cameras: Annotated[int, Option(min=1, max=64, help="how many play it at once")] = 4
    frames: Annotated[int, Option(min=LEAST_FRAMES, help="frames of the clip, per camera")] = 300
    rounds: Annotated[int, Option(min=1, help="medians are over these")] = 3
    rate: Annotated[int, Option(min=8, help="frames/s in all, of live cameras")] = 16
    peers: Annotated[
        bool,
        Option("--peers", help="ModelPipe, Roboflow and OpenVINO's queue too; pip installs two"),
    ] = False
    seconds: Annotated[float, Option(min=2, help="length of each live run")] = 15.0
