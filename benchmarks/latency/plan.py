"""The plan of ``mirante bench latency``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from benchmarks.models.plan import numbers_reader
from engines.commands import Text


@dataclass(frozen=True, slots=True)
class Plan:
    """Cameras that send a clip with numbered frames, and the variants that read them in turn."""

    clip: Annotated[Path, Option(exists=True, dir_okay=False, help="any clip that OpenCV reads")]
    model: Annotated[str, Option(help="a zoo model with one input")] = "yolox-nano"
    cameras: Annotated[
        tuple[int, ...],
        Option(help="number that send at once, in step"),
        Text(numbers_reader("cameras"), "1,4"),
    ] = (1, 4)
    fps: Annotated[int, Option(min=1, max=60, help="frames a second of each camera")] = 10
    rounds: Annotated[int, Option(min=1, help="medians are over these")] = 3
    seconds: Annotated[float, Option(min=1, help="length of each run")] = 10.0
    json: Annotated[Path | None, Option(help="write all figures there")] = None
