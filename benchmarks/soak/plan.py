"""The plan of ``mirante bench soak``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from engines.commands import Text, names_of

FAULTS = ("reconnects", "redis", "pages", "cameras")
EVERY = ",".join(FAULTS)


def faults_in(text: str) -> tuple[str, ...]:
    """Return the faults in ``reconnects,redis``; none in ``none``."""
    return () if text == "none" else names_of("--faults", "fault", text, FAULTS)


@dataclass(frozen=True, slots=True)
class Plan:
    """A site of RTSP cameras, and what happens to it."""

    faults: Annotated[
        tuple[str, ...],
        Option(
            help="reconnects: the RTSP server is killed and started; redis: Redis likewise; pages: "
            "three pages come and go; cameras: another one is added and removed; or none"
        ),
        Text(faults_in, EVERY),
    ] = FAULTS
    cameras: Annotated[int, Option(min=1, max=64, help="RTSP cameras, 5 frames/s each")] = 8
    minutes: Annotated[float, Option(min=0.2, help="length, without the warm-up")] = 30.0
    warm_up: Annotated[float, Option(min=0, help="minutes before anything is measured")] = 5.0
    every: Annotated[
        float, Option(min=2, help="seconds between two reconnects; the others are rarer")
    ] = 12.0
    bound: Annotated[
        float, Option(min=0, help="largest growth of memory, files and threads, percent an hour")
    ] = 1.0
    model: Annotated[str, Option(help="a zoo detector or segmenter")] = "test-boxes"
