"""A stage that runs a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
)

from mirante.nearest import nearest
from pipeline.config.form import Shown
from pipeline.config.launch import quoted
from pipeline.config.messages import show
from pipeline.config.section import Score
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, Labels, ModelFacts, ModelUse, check_file

if TYPE_CHECKING:
    from plugins.stage import Stage

Threshold = Annotated[
    Annotated[Score, Tag("<one>")] | Annotated[dict[str, Score], Tag("<per class>")],
    Discriminator(lambda value: "<per class>" if isinstance(value, dict) else "<one>"),
]
PARTS = ("regions", "tiles")
_TILES = "auto|off|1x[2-8]|[2-8]x[1-8]"


def _tiles(text: str) -> str:
    """Check ``tiles``."""
    if not re.fullmatch(_TILES, text):
        raise ValueError("expected auto, off, or COLUMNSxROWS from 1x2 to 8x8")
    return text


class ModelStage(StageKind):
    """Run a model on each frame, or on the crops of one class that earlier stages found."""

    title: ClassVar[str] = "A model"
    placeholder: ClassVar[str] = "NAME"
    example: ClassVar[Mapping[str, str]] = {"model": "yolox-street"}
    option: ClassVar[str] = "--model"

    model: Annotated[str, Shown("Model", "model")] = Field(
        description="zoo name, or path of a manifest"
    )
    on: Annotated[str | None, Shown("Runs on", "class", "the whole frame")] = Field(
        None, description="run on the boxes of this class instead of the frame"
    )
    threshold: Annotated[Threshold | None, Shown("Minimum score", "score", "default")] = Field(
        None, description="minimum score of a detection, 0 to 1; one number, or one per class"
    )

    @classmethod
    def from_option(cls, text: str) -> dict[str, str]:
        """Return the stage of NAME, or of NAME@CLASS."""
        name, at, label = text.rpartition("@")
        return (
            super().from_option(name) | {"on": label} if at and name else super().from_option(text)
        )

    publish: Annotated[bool, Shown("Publish embeddings", "vectors")] = Field(
        False, description="write the model's embeddings, a vector per box, into the message"
    )
    regions: Annotated[Literal["auto", "off"], Shown("Regions")] = Field(
        "off",
        description="auto: where something moves in a small part of a large frame, look at a "
        "region around it at full resolution, and at the whole frame now and then",
    )
    tiles: Annotated[str, Shown("Tiles"), AfterValidator(_tiles)] = Field(
        "off",
        json_schema_extra={"pattern": f"^(?:{_TILES})$"},
        description="overlapping tiles at full resolution that are looked at beside the whole "
        "frame: auto for as many as the model needs to see small objects, off, or COLUMNSxROWS, as "
        "3x2",
    )

    @property
    def parts(self) -> Mapping[str, str]:
        """Its keys for looking at parts of the frame that are not off, with their values."""
        return {key: getattr(self, key) for key in PARTS if getattr(self, key) != "off"}

    def launch_text(self, threads: int) -> str:
        """Return ``mirinfer`` with its properties."""
        text = f"mirinfer model={quoted(self.model)} threads={threads}"
        if self.on is not None:
            text += f" on={quoted(self.on)}"
        if isinstance(self.threshold, dict):
            pairs = ",".join(f"{label}={score:g}" for label, score in self.threshold.items())
            text += f" thresholds={quoted(pairs)}"
        elif self.threshold is not None:
            text += f" threshold={self.threshold:g}"
        text += "".join(f" {key}={value}" for key, value in self.parts.items())
        return f"{text} publish=true" if self.publish else text

    def make(self, threads: int) -> Stage:
        """Return the stage with its model loaded."""
        from plugins.infer.stage import InferStage

        asked = self.model, self.on, self.threshold, threads, self.publish
        return InferStage(*asked, tiles=self.tiles, regions=self.regions)

    def models(self) -> Sequence[ModelUse]:
        """Return its model."""
        return (ModelUse("model", self.model, self.on, self.threshold),)

    def labels_found(self, facts: Mapping[str, ModelFacts]) -> Labels:
        """Return the model's labels; of one that describes boxes, none."""
        model = facts[self.model]
        return Labels(model.boxes, model.masks)

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where ``on`` or a class of ``threshold`` does not fit the model."""
        model, boxes = facts[self.model], earlier.boxes
        if self.on is None and (model.needs_boxes or model.is_for_crops):
            does, such = (
                ("describes boxes", "person") if model.needs_boxes else ("runs on crops", "face")
            )
            yield (
                f"{here}.on: nothing — {show(self.model)} {does}: expected a class that an "
                f"earlier stage finds, such as {such}"
            )
        if self.on is not None and boxes is not None and self.on not in boxes:
            hint = nearest(self.on, boxes) if boxes else "no stage before it finds boxes"
            words = f"expected a class that an earlier stage finds; {hint}"
            yield f"{here}.on: {show(self.on)} — {words}"
        if self.publish and not model.gives_vectors:
            yield f"{here}.publish: true — {model.name} gives no embeddings"
        for key, value in self.parts.items():
            if self.on is not None:
                yield f"{here}.{key}: {value} — expected off with on: {self.on}"
            elif set(model.labels) != set(model.boxes):
                yield (
                    f"{here}.{key}: {value} — expected off, or a model that finds boxes alone; "
                    f"{model.name} finds {', '.join(sorted({*model.labels} - {*model.boxes}))}"
                )
        yield from self._check_threshold(f"{here}.threshold", model)

    def _check_threshold(self, here: str, model: ModelFacts) -> Iterator[str]:
        scored = model.labels if model.scored is None else model.scored
        if self.threshold is not None and not scored:
            yield f"{here}: {self.threshold} — {model.name} has no thresholds; expected none"
        elif isinstance(self.threshold, dict):
            for label in self.threshold:
                if label not in model.labels:
                    hint = nearest(label, model.labels)
                    yield f"{here}.{label}: no class of {model.name} — {hint}"
                elif label not in scored:
                    yield (
                        f"{here}.{label}: {model.name} has no threshold for it — "
                        f"expected one of {', '.join(scored)}"
                    )

    def check_here(self, here: str) -> Iterator[str]:
        """Yield a line where the model's file is missing and cannot be fetched at the start."""
        yield from check_file(f"{here}.model", self.model)
