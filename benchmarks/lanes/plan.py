"""The plan of ``mirante bench lanes``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from engines.commands import Text, names_of

WORDS = {  # of each condition
    "plain": "gentle bends, all lines",
    "missing": "one of the lines has no paint",
    "night": "a third of the light, amplified, its noise with it",
    "noise": "2 % of all pixels are wrong",
    "worn": "half of the paint is gone",
    "curve": "bends of 250 m, left and right within 10 s",
    "change": "a change of lanes in 3 s",
}


def conditions_in(text: str) -> tuple[str, ...]:
    """Return the conditions in ``plain,noise``."""
    return names_of("--conditions", "condition", text, WORDS)


@dataclass(frozen=True, slots=True)
class Plan:
    """Drives on roads drawn by chance, under each condition."""

    conditions: Annotated[
        tuple[str, ...],
        Option(help="; ".join(f"{name}: {words}" for name, words in WORDS.items())),
        Text(conditions_in, ",".join(WORDS)),
    ] = tuple(WORDS)
    drives: Annotated[int, Option(min=1, help="roads under each condition")] = 6
    seconds: Annotated[float, Option(min=1, help="length of a drive")] = 5.0
    fps: Annotated[int, Option(min=1, max=60, help="frames a second")] = 12
    seed: Annotated[int, Option(min=0, help="of the first road")] = 1
