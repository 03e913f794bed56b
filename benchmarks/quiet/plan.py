"""The plan of ``mirante bench quiet``, filled from its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from typer import Option

from engines.commands import Text, names_of

SCENES = {
    "street": "an empty street in rain, with clouds and a noisy sensor",
    "visitor": "the same street, dry, which something crosses every 20 s",
    "parked": "something stands there all the time, and nothing moves",
    "busy": "the clip itself",
    "night": "as visitor, with an eighth of the light and twice the noise",
}

OFF = "off"  # the lever that others are compared with


class Lever(NamedTuple):
    """Keys of the cameras that have it.

    Attributes:
        camera: of the camera itself.
        model: of its model's stage.
        track: of the stage behind it.
    """

    camera: Mapping[str, object]
    model: Mapping[str, object] = {}
    track: Mapping[str, object] = {}


_GATE = {"gate": "on", "sleep": "off"}
LEVERS: dict[str, Lever] = {  # a lever more is a row more
    OFF: Lever({"gate": "off"}),
    "gate": Lever(_GATE),
    "sleep": Lever({"gate": "on", "sleep": "auto"}),
    "regions": Lever(_GATE, model={"regions": "auto"}),
    "skip": Lever(_GATE, track={"skip": 5}),
    "rates": Lever({**_GATE, "fps": {"quiet": 1}}),
}
PEER = "frigate-like"  # a loop beside them, written from Frigate's documents


def levers_in(text: str) -> tuple[str, ...]:
    """Return the levers in ``gate,sleep``, behind the one that they are compared with."""
    return (
        OFF,
        *(each for each in names_of("--levers", "lever", text, (*LEVERS, PEER)) if each != OFF),
    )


def scenes_in(text: str) -> tuple[str, ...]:
    """Return the scenes in ``street,busy``."""
    return names_of("--scenes", "scene", text, SCENES)


@dataclass(frozen=True, slots=True)
class Plan:
    """Scenes made from a clip, sent over RTSP, and analysed with the gate and without it."""

    clip: Annotated[
        Path, Option(exists=True, dir_okay=False, help="from a fixed camera; something moves in it")
    ]
    scenes: Annotated[
        tuple[str, ...],
        Option(help="; ".join(f"{name}: {words}" for name, words in SCENES.items())),
        Text(scenes_in, ",".join(SCENES)),
    ] = tuple(SCENES)
    levers: Annotated[
        tuple[str, ...],
        Option(help=f"compared with gate: off; {PEER}: a stand-in from Frigate's documents"),
        Text(levers_in, ",".join((*LEVERS, PEER))),
    ] = (*LEVERS, PEER)
    together: Annotated[
        int, Option(min=1, help=f"levers that run side by side, each time with {OFF} beside them")
    ] = 3
    cameras: Annotated[
        int, Option(min=1, max=16, help="of each lever; objects are those of the first")
    ] = 1
    model: Annotated[str, Option(help="a zoo detector")] = "yolox-nano"
    fps: Annotated[int, Option(min=5, max=60, help="frames a second")] = 25
    height: Annotated[int, Option(min=180, max=2160, help="of the scenes, in pixels")] = 1080
    seconds: Annotated[int, Option(min=20, help="length of each scene")] = 60
    json: Annotated[Path | None, Option(help="write all figures there")] = None
