"""Kinds of items that an option names; apart from their JSON, so that help loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from engines.commands import Text, names_in, names_of

ItemKind = Literal["detections", "events", "status"]
KINDS: tuple[ItemKind, ...] = ("events", "detections", "status")


def kinds_in(text: str) -> tuple[ItemKind, ...]:
    """Return the kinds in an option's ``events,status``.

    Raises:
        ValueError: one is of no kind.
    """
    names_of("--kinds", "kind", text, KINDS)
    return tuple(kind for kind in KINDS if kind in names_in(text))


KindsOption = Annotated[
    tuple[ItemKind, ...],
    typer.Option(help="Of entries, some of events, detections, status."),
    Text(kinds_in, "events"),
]
