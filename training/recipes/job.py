"""The job of a recipe, and the table of recipes."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from engines.commands import Text, Texts, names_in

if TYPE_CHECKING:
    import torch

    from training.recipes.loop import Plan

OWN_LICENCE = "LicenseRef-own"  # of a user's model: who owns the images says what it is
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
PLANES = ("road", "face")  # the recipes that learn masks
RECIPES = {
    "street": "training.recipes.street:train_street",
    "road": "training.recipes.road:train_road",
    "face": "training.recipes.face:train_face",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Fields of the ``Plan`` that are to be others than the recipe's; None for the recipe's."""

    views: Annotated[int | None, Option(help="Augmented images to learn from in total.", min=1)] = (
        None
    )
    batch: Annotated[int | None, Option(help="Images per step.", min=2)] = None
    rate: Annotated[float | None, Option(help="Peak learning rate of new layers.", min=1e-6)] = None
    backbone_rate: Annotated[
        float | None,
        Option(help="Peak learning rate of the pretrained backbone; 0: it stays.", min=0),
    ] = None
    seed: Annotated[int | None, Option(help="Of all that is drawn.", min=0)] = None
    workers: Annotated[int | None, Option(help="Processes that prepare images.", min=0)] = None
    warmup: int | None = None
    ema: float | None = None
    every: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One training, as ``mirante train`` fills it. What is None or empty is the recipe's choice.

    Attributes:
        recipe: one of ``RECIPES``.
        data: folder of images: the collection that the recipe was made for, or a user's own.
        out: as ``folder``, where it is given.
        name: as ``model``, where it is given.
        device: where to train; see ``choose_device``.
        start: where the weights begin: a model of the same kind (zoo name or manifest),
            ``imagenet`` (the backbone's only) or ``nothing``.
        teachers: zoo models or manifests that label what nobody has labelled.
        labels: classes or planes to learn, where teachers alone say what there is.
        empty: folder of images that show none of the classes, for a recipe of boxes.
        size_px: width and height of what the network sees.
        changes: to the recipe's ``Plan``.

    Raises:
        ValueError: a name that a manifest cannot have, a label twice, teachers or labels for a
            collection, or images without objects for a recipe of planes.
    """

    recipe: Annotated[str, Argument(metavar="street|road|face", help="Which recipe.")]
    data: Annotated[Path, Option(help="Folder of images and labels.", metavar="DIR")]
    out: Annotated[
        Path | None, Option(help="Folder for the model [models/NAME].", metavar="DIR")
    ] = None
    name: Annotated[str | None, Option(help="Of the model [the recipe's].")] = None
    device: Annotated[str, Option(help="cpu, cuda, or auto.")] = "auto"
    start: Annotated[
        str | None,
        Option(
            help="Where the weights begin: a model, imagenet or nothing "
            "[the shipped model; for the recipe's own collection imagenet]."
        ),
    ] = None
    teachers: Annotated[
        tuple[str, ...],
        Option("--teacher", help="A model that labels what nobody has labelled; may be repeated."),
        Texts(tuple),
    ] = ()
    labels: Annotated[
        tuple[str, ...],
        Option("--classes", help="What to learn from teachers where nothing is labelled: a,b,c."),
        Text(names_in),
    ] = ()
    empty: Annotated[
        Path | None,
        Option(help="Folder of images that show none of the classes.", metavar="DIR"),
    ] = None
    size_px: Annotated[
        int | None,
        Option("--size", help="Width of what the network sees, in pixels.", min=64),
    ] = None
    changes: Changes = Changes()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.model):
            raise ValueError(f"name: expected letters, digits, . _ and -, got {self.model!r}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"classes: expected each once, got {', '.join(self.labels)}")
        if self.empty is not None and self.recipe in PLANES:
            raise ValueError(f"empty: expected with boxes only, got {self.empty} for {self.recipe}")
        if self.is_collection and (self.teachers or self.labels):
            raise ValueError(
                f"teacher, classes: expected with a folder of your own, got "
                f"{', '.join(self.teachers + self.labels)}; the recipe says what is learnt from "
                f"whom of the collection {self.data}"
            )

    def prepare(self) -> None:
        """Find out what is wrong before hours are spent, and make the folder.

        Raises:
            ValueError: the device is not here.
            OSError: ``folder`` cannot be one.
        """
        choose_device(self.device)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def model(self) -> str:
        """The name of the model; the recipe's where none is given."""
        return self.name or self.recipe

    @property
    def folder(self) -> Path:
        """The folder of the model, its manifest, and in ``work`` all that is needed to continue."""
        return self.out or Path("models") / self.model

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
        return self.folder / "work"

    @property
    def is_collection(self) -> bool:
        """True if ``data`` is a collection with a manifest, not a user's own folder."""
        return (self.data / "manifest.csv").is_file()

    def plan(self, recipe: Plan) -> Plan:
        """The recipe's plan with this job's changes."""
        changes = {key: value for key, value in asdict(self.changes).items() if value is not None}
        return replace(recipe, **changes)


def choose_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` (or ``cuda:1`` …), or ``auto``: CUDA where there is any.

    Raises:
        ValueError: another name, or a device that is not here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not torch.cuda.is_available()):
        raise ValueError(f"device: expected auto, cpu or a cuda device that is here, got {name}")
    return torch.device(name)
