"""The plan of ``mirante bench lanes``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from benchmarks.lanes.roads import CONDITIONS
from engines.commands import Text, names_of


def conditions_in(text: str) -> tuple[str, ...]:
    """Return the conditions in ``plain,noise``."""
    return names_of("--conditions", "condition", text, CONDITIONS)


@dataclass(frozen=True, slots=True)
class Plan:
    """Drives on roads drawn by chance, under each condition."""

    conditions: Annotated[
        tuple[str, ...],
        Option(help="; ".join(f"{name}: {each.words}" for name, each in CONDITIONS.items())),
        Text(conditions_in, ",".join(CONDITIONS)),
    ] = tuple(CONDITIONS)
    drives: Annotated[int, Option(min=1, help="roads under each condition")] = 6
    seconds: Annotated[float, Option(min=1, help="length of a drive")] = 5.0
    fps: Annotated[int, Option(min=1, max=60, help="frames a second")] = 12
    seed: Annotated[int, Option(min=0, help="of the first road")] = 1
