"""The options of a camera's image, for the commands that take them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from engines.commands import Text, Texts


def _numbers(option: str, text: str, count: int, form: str) -> list[float]:
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(f'{option}: expected {form}, each 0 to 1 of the image, got "{text}"')
    return numbers


def _read_crop(text: str) -> list[float]:
    return _numbers("--crop", text, 4, "LEFT,TOP,RIGHT,BOTTOM")


def _read_mask(texts: list[str]) -> list[list[list[float]]]:
    return [[_numbers("--mask", each, 2, "X,Y X,Y X,Y …") for each in t.split()] for t in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKeys:
    """The keys that say how a camera's image is shown, as the command line takes them."""

    rotate: Annotated[int | None, typer.Option(help="Degrees clockwise: 90, 180 or 270.")] = None
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Swap left and right.")
    ] = None
    deinterlace: Annotated[str | None, typer.Option(help="auto, on or off.")] = None
    crop: Annotated[
        list[float] | None,
        typer.Option(
            metavar="LEFT,TOP,RIGHT,BOTTOM", help="The part that is seen, 0 to 1 of the image."
        ),
        Text(_read_crop),
    ] = None
    mask: Annotated[
        list[list[list[float]]] | None,
        typer.Option(
            metavar='"X,Y X,Y X,Y"',
            help="An area painted black, by its corners, 0 to 1 of the image; may be repeated.",
        ),
        Texts(_read_mask),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return those that are given."""
        return {key: value for key, value in asdict(self).items() if value is not None}
