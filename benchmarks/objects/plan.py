"""The plan of ``mirante bench objects``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from benchmarks.models.plan import numbers_reader
from engines.commands import Text, names_in, names_of

SCENES = ("crossing", "hidden", "busy", "crowd", "turning")


def scenes_in(text: str) -> tuple[str, ...]:
    """Return the scenes in ``crossing,hidden``."""
    return names_of("--scenes", "scene", text, SCENES)


@dataclass(frozen=True, slots=True)
class Plan:
    """Scenes whose objects are known, and how many there are where time is measured."""

    scenes: Annotated[
        tuple[str, ...],
        Option(help="whose numbers are judged; none: --scenes ''"),
        Text(scenes_in, ",".join(SCENES)),
    ] = SCENES
    fps: Annotated[
        tuple[int, ...], Option(help="frames a second"), Text(numbers_reader("fps"), "1,5,15,30")
    ] = (1, 5, 15, 30)
    seeds: Annotated[
        tuple[int, ...], Option(help="one world each"), Text(numbers_reader("seeds"), "101,102,103")
    ] = (101, 102, 103)
    objects: Annotated[
        tuple[int, ...],
        Option(help="in a frame, where time is measured"),
        Text(numbers_reader("objects"), "5,20,60"),
    ] = (5, 20, 60)
    rounds: Annotated[int, Option(min=1, help="medians are over these")] = 7
    appearance: Annotated[
        bool, Option(help="the scenes with looks too, which are made up as the boxes are")
    ] = False
    sequences: Annotated[
        tuple[str, ...],
        Option(help="folders with det.txt and gt.txt of the MOT Challenge, 25 frames a second"),
        Text(names_in, ""),
    ] = ()
    library: Annotated[
        bool, Option(help="beside the package trackers, in an environment of its own")
    ] = True
