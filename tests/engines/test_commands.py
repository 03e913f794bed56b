"""Commands made from dataclasses, as typer runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import typer
from typer import Argument, Option
from typer.testing import CliRunner

from engines.commands import Text, Texts, command, names_in, size_reader


@dataclass(frozen=True, slots=True)
class Shown:
    frames: Annotated[int, Option(help="How many.", min=1)] = 3
    keep: Annotated[bool | None, Option("--keep/--drop")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    model: Annotated[str, Argument(help="Its name.")]
    size: Annotated[tuple[int, int], Option(), Text(size_reader("size", "640x360"))]
    sets: Annotated[tuple[str, ...], Option(help="a,b"), Text(names_in)] = ("all",)
    threads: Annotated[tuple[str, ...], Option(), Text(names_in, "1,2")] = ()
    tag: Annotated[tuple[str, ...], Option(), Texts(tuple)] = field(default_factory=tuple)
    shown: Shown = Shown()
    least_px: Annotated[float, Option("--least")] = 0.5
    secret: str = "kept"


SIZE = ("--size", "8x4")


def run(*arguments: str) -> Any:
    """What a command is given; or typer's result where it refuses."""
    got: list[Any] = []

    @command
    def measure(asked: Asked, loud: Annotated[bool, Option("--loud")] = False) -> None:
        """Measure it."""
        got.append((asked, loud))

    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command()(measure)
    result = CliRunner().invoke(app, arguments)
    return got[0] if got else result


def test_what_is_not_typed_is_the_default() -> None:
    asked, loud = run("street", *SIZE)
    assert asked == Asked(model="street", size=(8, 4), threads=("1", "2"))
    assert (asked.sets, asked.tag, asked.secret, loud) == (("all",), (), "kept", False)


def test_what_is_typed_fills_the_dataclass_and_those_within() -> None:
    texts = ("--sets", "a, b", "--threads", "4", "--tag", "x", "--tag", "y")
    asked, loud = run("street", *SIZE, *texts, "--frames", "7", "--drop", "--least", "2", "--loud")
    assert asked == Asked(
        model="street",
        size=(8, 4),
        sets=("a", "b"),
        threads=("4",),
        tag=("x", "y"),
        shown=Shown(7, keep=False),
        least_px=2.0,
    )
    assert loud is True


def test_an_empty_text_is_read_too() -> None:
    assert run("street", *SIZE, "--sets", "")[0].sets == ()


def test_help_shows_bounds_defaults_and_words() -> None:
    said = run("--help").output
    for words in ("Measure it.", "Its name.", "How many.", "default: 3; x>=1", "default: 1,2"):
        assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument"),
        (("street",), "--size"),
        (("a", *SIZE, "--frames", "0"), "greater than or equal to 1"),
    ],
)
def test_typer_refuses(arguments: tuple[str, ...], words: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.output


def test_a_text_that_cannot_be_read_is_refused_in_its_words() -> None:
    refused = run("street", "--size", "big")
    expected = 'size: expected WIDTHxHEIGHT, such as 640x360, got "big"'
    assert str(refused.exception) == expected
