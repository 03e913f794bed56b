"""The plan of ``mirante fleet simulate``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A fleet of which everything is real but the cameras.

    Raises:
        ValueError: fewer processes than the loss of a tenth of the workers takes.
    """

    cameras: Annotated[int, typer.Option(min=1, max=100_000, help="of the fleet")] = 1000
    workers: Annotated[int, typer.Option(min=2, max=5000, help="that have them")] = 50
    fps: Annotated[
        float, typer.Option(min=0.01, max=60, help="results a second of each camera")
    ] = 1.0
    redis: Annotated[
        str,
        typer.Option(help="one: a private Redis; cluster: a private one of three; or an address"),
    ] = "one"
    rarely: Annotated[
        float,
        typer.Option(
            min=1, max=8, help="times by which workers look and report more rarely than real ones"
        ),
    ] = 1.0
    seconds: Annotated[float, typer.Option(min=1, help="of measuring what it costs at rest")] = 10.0
    processes: Annotated[
        int, typer.Option(min=2, help="that the workers are spread over; one of them is killed")
    ] = 10
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="of each step")] = 300.0

    def __post_init__(self) -> None:
        if self.processes > self.workers:
            raise ValueError(f"--processes: expected up to {self.workers}, got {self.processes}")
