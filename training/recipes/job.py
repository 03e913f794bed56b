"""The job of a recipe, and the table of recipes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from training.recipes.loop import Plan

OWN_LICENCE = "LicenseRef-own"  # of a user's model: who owns the pictures says what it is
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RECIPES = {
    "street": "training.recipes.street:train_street",
    "road": "training.recipes.road:train_road",
    "face": "training.recipes.face:train_face",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One training. What is None or empty is the recipe's own choice.

    Attributes:
        recipe: one of ``RECIPES``.
        data: folder of pictures: the collection that the recipe was made for, or a user's own.
        out: folder for the model, its manifest, and in ``work`` all that is needed to go on.
        name: of the model.
        device: where to train.
        start: where the weights begin: a model of the same kind (zoo name or manifest),
            ``imagenet`` (the backbone's only) or ``nothing``.
        teachers: zoo models or manifests that label what nobody has labelled.
        labels: classes or planes to learn, where teachers alone say what there is.
        size_px: width and height of what the network sees.
        changes: fields of the ``Plan`` that are to be others than the recipe's.
    """

    recipe: str
    data: Path
    out: Path
    name: str
    device: torch.device
    start: str | None = None
    teachers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    size_px: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Finds out what is wrong before hours are spent.

        Raises:
            ValueError: a name that a manifest cannot have, a label twice, or teachers or labels
                for a collection.
            OSError: ``out`` cannot be a folder.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name: expected letters, digits, . _ and -, got {self.name!r}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"classes: expected each once, got {', '.join(self.labels)}")
        if self.is_collection and (self.teachers or self.labels):
            raise ValueError(
                f"teacher, classes: expected with a folder of your own, got "
                f"{', '.join(self.teachers + self.labels)}; the recipe says what is learnt from "
                f"whom of the collection {self.data}"
            )
        self.out.mkdir(parents=True, exist_ok=True)

    @property
    def licence(self) -> str:
        """Of the model that comes of it."""
        return "Apache-2.0" if self.is_collection else OWN_LICENCE

    def size(self, recipe_px: int, multiple: int) -> int:
        """Width of what the network sees.

        Raises:
            ValueError: it is no multiple of the network's largest stride.
        """
        size_px = self.size_px or recipe_px
        if size_px % multiple:
            raise ValueError(f"size: expected a multiple of {multiple}, got {size_px}")
        return size_px

    @property
    def work(self) -> Path:
        """Checkpoints and teachers' answers."""
        return self.out / "work"

    @property
    def is_collection(self) -> bool:
        """True if ``data`` is a collection with a manifest, not a user's own folder."""
        return (self.data / "manifest.csv").is_file()

    def plan(self, recipe: Plan) -> Plan:
        """The recipe's plan with this job's changes."""
        return replace(recipe, **self.changes)


def choose_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` (or ``cuda:1`` …), or ``auto``: CUDA where there is any.

    Raises:
        ValueError: another name, or a device that is not here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not torch.cuda.is_available()):
        raise ValueError(f"device: expected auto, cpu or a cuda device that is here, got {name}")
    return torch.device(name)
