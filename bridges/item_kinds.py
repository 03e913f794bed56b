"""Kinds of items that an option names; apart from their JSON, as help shall load nothing heavy."""

from __future__ import annotations

from typing import Literal

from engines.commands import names_in, names_of

ItemKind = Literal["detections", "events", "status"]
KINDS: tuple[ItemKind, ...] = ("events", "detections", "status")


def kinds_in(text: str) -> tuple[ItemKind, ...]:
    """Return the kinds in an option's ``events,status``.

    Raises:
        ValueError: one is of no kind.
    """
    names_of("--kinds", "kind", text, KINDS)
    return tuple(kind for kind in KINDS if kind in names_in(text))
