"""The plan of ``mirante bench once``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typer import Option

from engines.commands import Text, names_of

FAULTS = {
    "none": "nothing happens",
    "kill": "the worker is killed (SIGKILL) and started again",
    "restart": "the worker is stopped and started again",
    "takeover": "the worker is stopped, and one that stands by takes over",
    "redis": "Redis is killed, and back after --down seconds with what it saved",
    "emptied": "the same, and it comes back empty",
    "failover": "the primary is killed, and Sentinel chooses the replica",
    "reconnect": "the camera is killed and started again",
    "pause": "the camera is paused and resumed, with a new graph",
    "swap": "another model takes the place of the one that runs",
}


def faults_in(text: str) -> tuple[str, ...]:
    """Return the faults in ``kill,redis``."""
    return names_of("--faults", "fault", text, FAULTS)


@dataclass(frozen=True, slots=True)
class Plan:
    """A crowd before one camera, and what happens meanwhile."""

    faults: Annotated[
        tuple[str, ...],
        Option(help="; ".join(f"{name}: {words}" for name, words in FAULTS.items())),
        Text(faults_in, ",".join(FAULTS)),
    ] = tuple(FAULTS)
    crossings: Annotated[int, Option(min=1, help="crossings under each fault")] = 1000
    rate: Annotated[float, Option(min=0.1, max=50, help="crossings a second")] = 8.0
    seen: Annotated[
        float,
        Option(min=1, max=60, help="seconds for which each object is seen before it and after"),
    ] = 11.0
    every: Annotated[float, Option(min=1, help="seconds between two faults")] = 25.0
    down: Annotated[float, Option(min=0, help="seconds for which Redis is away")] = 5.0
    tracker: Annotated[
        Literal["bytetrack", "none"],
        Option(help="what gives the objects their numbers; none: they come with them"),
    ] = "bytetrack"
    fps: Annotated[int, Option(min=1, max=60, help="frames a second")] = 5
