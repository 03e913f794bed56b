"""The figures of ``mirante bench gpu``, as a part tells them and as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["whole", "cut", "failed", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure, or why there is none.

    Attributes:
        what: was measured.
        value: in ``unit``; None where it could not be measured, then ``note`` says why.
        unit: of ``value`` and ``beside``.
        beside: what the value is compared with; None where there is nothing.
        of: what ``beside`` is.
        note: what else is to be said.
        more: further figures, for JSON.
    """

    what: str
    value: float | None = None
    unit: str = ""
    beside: float | None = None
    of: str = ""
    note: str = ""
    more: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """``value`` over ``beside``."""
        return self.value / self.beside if self.value is not None and self.beside else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line that a part's process writes: a figure, why there are none or no more, or the end."""

    figure: Figure | None = None
    why: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watts:
    """The power that the GPU took: in the mean, at most, and over how many seconds."""

    mean: float
    most: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a part.

    Attributes:
        part: its name.
        state: ``whole``; ``cut`` off at its limit; ``failed`` on the way; or ``not run``.
        why: it is not whole.
        limit_s, seconds: that it was given, and that it took.
        figures: in the order in which they came.
        watts: meanwhile; None where NVML does not tell.
    """

    part: str
    state: State
    why: str = ""
    limit_s: float = 0.0
    seconds: float = 0.0
    figures: tuple[Figure, ...] = ()
    watts: Watts | None = None

    @property
    def is_good(self) -> bool:
        """True if it is whole, and each of its figures was measured."""
        return self.state == "whole" and all(each.value is not None for each in self.figures)


def mib_of_one_more(held: Mapping[int, int]) -> float:
    """Return the MiB that one more takes, from bytes held by so many, of two numbers at least."""
    fewest, largest = min(held), max(held)
    return (held[largest] - held[fewest]) / (largest - fewest) / 2**20


HEADINGS = ("part", "what", "figure", "beside", "note")


def rows_of(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return the table's rows of a part."""
    rows: list[tuple[str, ...]] = [(outcome.part, *_cells(each)) for each in outcome.figures]
    if outcome.state != "whole":
        rows.append((outcome.part, outcome.state, "-", "-", outcome.why))
    return rows


def watt_rows(outcomes: list[Outcome], why: str) -> list[tuple[str, ...]]:
    """Return the table's rows of power: of each part, and why there are none or no more."""
    rows: list[tuple[str, ...]] = [
        (
            "watts",
            f"during {each.part}",
            f"{each.watts.mean:.0f} W",
            "-",
            f"{each.watts.most:.0f} W at most, {each.watts.seconds:.0f} s",
        )
        for each in outcomes
        if each.watts is not None
    ]
    if why or not rows:
        state = "failed" if rows else "not run"
        rows.append(("watts", state, "-", "-", why or "NVML told nothing meanwhile"))
    return rows


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    if figure.value is None:
        return figure.what, "-", "-", figure.note
    beside = "-"
    if figure.beside is not None and figure.ratio is not None:
        beside = f"{figure.ratio:.2f} of {_number(figure.beside)}: {figure.of}"
    return figure.what, f"{_number(figure.value)} {figure.unit}".strip(), beside, figure.note


def _number(value: float) -> str:
    """Three digits, or all that a large number has before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
