"""The kinds of findings, a class each: boxes, planes, attributes, …; and their table.

A kind knows how it comes to source pixels, which threshold its models have, what its labels mean to
other stages, and how the parity gate compares it. Nothing else asks a model for its task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.found.attributes import Attributes
from engines.found.base import Agreement, Found
from engines.found.boxes import Boxes
from engines.found.embeddings import Embedding
from engines.found.instances import Instances
from engines.found.oriented import OrientedBoxes
from engines.found.planes import Planes
from engines.found.poses import Points, Poses

__all__ = [
    "KINDS",
    "TASKS",
    "Agreement",
    "Attributes",
    "Boxes",
    "Embedding",
    "Found",
    "Instances",
    "OrientedBoxes",
    "Planes",
    "Points",
    "Poses",
    "as_found",
    "kind_of",
]

# The kinds, by a manifest's ``task``.
KINDS: Mapping[str, type[Found]] = {
    kind.task: kind
    for kind in (
        Boxes,
        OrientedBoxes,
        Instances,
        Poses,
        Points,
        Planes,
        Attributes,
        Embedding,
    )
}
TASKS = " or ".join(", ".join(map(repr, KINDS)).rsplit(", ", 1))  # in messages


def kind_of(task: str) -> type[Found]:
    """Return the kind of finding that models of a task give.

    Raises:
        ValueError: there is no such task; names those that there are.
    """
    if task not in KINDS:
        raise ValueError(f"task: expected {TASKS}, got {task!r}")
    return KINDS[task]


def as_found(given: Any) -> Found:
    """Return what a decoder gave as its kind.

    A decoder of a user's own may also give a bare array of planes, or a dict of attributes.
    """
    if isinstance(given, Found):
        return given
    return Attributes(given) if isinstance(given, Mapping) else Planes(given)
