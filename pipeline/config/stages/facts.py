"""The models that a stage runs, and the facts of a model that need no loading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.config.messages import show


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that a stage runs.

    Attributes:
        key: the stage's key that names the model.
        name: zoo name, or path of a manifest.
        on: the class whose boxes it runs on; None for the whole frame.
        threshold: minimum score of a detection, one number or one per class; None for the model's.
    """

    key: str
    name: str
    on: str | None = None
    threshold: float | dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts of a model.

    Attributes:
        name: as its manifest says.
        labels: all that it may find or say.
        boxes, masks: those that are classes of boxes, names of masks.
        needs_boxes: it says something about boxes that an earlier stage finds.
        gives_vectors: it gives embeddings, which a stage may publish.
        scored: those labels that have a threshold; None where that is unknown.
        is_for_crops: it was made for boxes that an earlier stage finds.
    """

    name: str
    labels: tuple[str, ...]
    boxes: tuple[str, ...]
    masks: tuple[str, ...]
    needs_boxes: bool
    is_for_crops: bool
    gives_vectors: bool = False
    scored: tuple[str, ...] | None = None


FactsOf = Callable[[str], ModelFacts | None]
"""The facts of a model by the name that a stage gives it; None where nothing is known of it."""


class Labels(NamedTuple):
    """The classes that a stage finds: of boxes, on which later stages may run, and of masks."""

    boxes: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """The findings of the stages before one.

    Attributes:
        boxes: classes of boxes; None where any may be found.
        masks: names of planes of the whole frame, by the model that makes them; None where any
            may be found.
        kinds: the keys that name their kinds, in order.
        owned: objects may have masks of their own.
    """

    boxes: tuple[str, ...] | None = ()
    masks: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    owned: bool = False


class UnknownModelError(ValueError):
    """A stage names no model; in words."""


def zoo_here() -> dict[str, ModelFacts]:
    """Return the facts of the zoo's models, by name."""
    from engines.manifest import zoo_names

    return {name: facts_here(name) for name in zoo_names()}


def facts_here(name: str) -> ModelFacts:
    """Return the facts of a model of this machine: of the zoo, or of a manifest.

    Raises:
        UnknownModelError: there is none, or its manifest is wrong.
    """
    from engines.manifest import ManifestError, find

    try:
        manifest = find(name)
    except ManifestError as error:
        words = str(error).removeprefix(f'no model "{name}"; ').removeprefix(f"{name}: ")
        raise UnknownModelError(words) from None
    return ModelFacts(
        manifest.name,
        manifest.every_label,
        manifest.box_labels,
        manifest.mask_labels,
        manifest.about_boxes is not None,
        manifest.is_for_crops,
        manifest.gives_vectors,
        manifest.scored_labels,
    )


def check_file(here: str, name: str) -> Iterator[str]:
    """Yield a line where a model's file is missing and cannot be fetched at the start.

    Args:
        here: path of the key that names the model.
        name: of a model of this machine.
    """
    from engines.store.models import show as show_model

    manifest, listing = show_model(name)
    if manifest.url is None and listing.place is None:
        yield (
            f"{here}: {show(name)} — {manifest.file} is not on this machine and "
            f"has no address to fetch it from; see: mirante models show {name}"
        )
