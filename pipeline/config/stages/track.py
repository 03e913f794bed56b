"""A stage that tracks objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from mirante.nearest import nearest
from pipeline.config.form import Shown
from pipeline.config.launch import written
from pipeline.config.messages import show
from pipeline.config.section import Score
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, ModelFacts, ModelUse, check_file

if TYPE_CHECKING:
    from plugins.stage import Stage


MOST_SKIPPED = 30  # more than half a second holds, which no stage may exceed


def _of_skip(value: object, info: ValidationInfo) -> object:
    """Say both forms of the option in one message."""
    if value == "auto":
        return value
    is_text = isinstance(value, str) and info.mode == "json"  # variables are text, JSON has numbers
    try:
        frames = int(str(value))
    except ValueError:
        frames = -1
    if isinstance(value, bool) or is_text or not 0 <= frames <= MOST_SKIPPED:
        raise ValueError(
            f"expected auto, or a whole number of at least 0 and at most {MOST_SKIPPED}"
        )
    return frames


class TrackStage(StageKind):
    """Give each object a number that it keeps from frame to frame."""

    title: ClassVar[str] = "Tracking"
    placeholder: ClassVar[str] = "bytetrack"
    example: ClassVar[Mapping[str, str]] = {"track": "bytetrack"}

    track: Annotated[Literal["bytetrack"], Shown("Algorithm")] = Field(
        description="algorithm that tracks objects"
    )
    per_class: Annotated[bool, Shown("Never change class")] = Field(
        False, description="an object keeps its class; otherwise boxes of another class continue it"
    )
    min_score: Annotated[Score, Shown("Minimum score", "score")] = Field(
        0.1, description="boxes of a lower score are left without a track"
    )
    new_score: Annotated[Score, Shown("Minimum score of a new object", "score")] = Field(
        0.3, description="boxes of a lower score continue objects and begin none"
    )
    lost_s: Annotated[float, Shown("Give up after, seconds")] = Field(
        3.0, gt=0, le=60, description="seconds after which an object that is not found is given up"
    )
    camera_motion: Annotated[bool, Shown("Camera moves")] = Field(
        False, description="the camera may move: what moves most objects alike is its movement"
    )
    appearance: Annotated[str | None, Shown("Appearance", "embedder", "not used")] = Field(
        None,
        description="model of embeddings that compares objects where positions alone do not tell "
        "them apart: zoo name, or path of a manifest",
    )
    appearance_on: Annotated[str, Shown("Appearance of", "class", "person")] = Field(
        "person", description="class whose objects it compares"
    )
    appearance_distance: Annotated[float, Shown("Maximum difference")] = Field(
        0.25, gt=0, le=2, description="maximum cosine distance between two views of one object"
    )
    still_s: Annotated[float, Shown("Still after, seconds")] = Field(
        10.0, gt=0, le=86400, description="seconds without movement until an object is still"
    )
    skip: Annotated[
        Annotated[int, Field(ge=0, le=MOST_SKIPPED)] | Literal["auto"],
        BeforeValidator(_of_skip),
        Shown("Frames skipped in a row"),
    ] = Field(
        0,
        description="maximum frames in a row that skip the models while only tracked objects move, "
        "as expected, 0 to 30, or auto: as many as the last looks were expected well; they are "
        "published with the expected boxes",
    )

    @property
    def most_tracked(self) -> int:
        """Maximum frames in a row that skip the models while only its objects move."""
        return MOST_SKIPPED if self.skip == "auto" else self.skip

    @property
    def happens(self) -> Mapping[str, Any]:
        """That objects have tracks, and for how long a missing one keeps its own."""
        return {"tracked": True, "lost_s": self.lost_s}

    @property
    def check_s(self) -> float:
        """After as long as it takes an object that stands to become still."""
        return self.still_s

    def launch_text(self, threads: int) -> str:
        """Return ``mirtrack`` with its properties."""
        said = self.model_dump(exclude_defaults=True, exclude={"track", "skip"})
        if self.appearance is not None:
            said["threads"] = threads
        keys = {"algorithm": self.track} | {key.replace("_", "-"): v for key, v in said.items()}
        return " ".join(["mirtrack", *(f"{key}={written(value)}" for key, value in keys.items())])

    def make(self, threads: int) -> Stage:
        """Return the stage with a memory of its own."""
        from plugins.track.appearance import Embedder
        from plugins.track.options import TrackOptions
        from plugins.track.stage import TrackStage as Tracking

        others = {"track", "skip", "appearance", "appearance_on"}
        options = TrackOptions(**self.model_dump(exclude=others))
        name, on = self.appearance, self.appearance_on
        embedder = None if name is None else Embedder(name, on, threads)
        return Tracking(self.track, options, embedder=embedder)

    def models(self) -> Sequence[ModelUse]:
        """Return the model that compares objects, if any."""
        if self.appearance is None:
            return ()
        return (ModelUse("appearance", self.appearance, self.appearance_on),)

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where no earlier stage finds objects, another one tracks them, or the model
        of appearance does not fit.
        """
        if earlier.boxes is not None and not earlier.boxes:
            yield f"{here}.track: {self.track} — expected a stage before it that finds objects"
        if self.key() in earlier.kinds:
            yield f"{here}.track: {self.track} — a second one; expected one tracker a camera"
        if self.appearance is None:
            return
        model, on = facts[self.appearance], self.appearance_on
        if not model.gives_vectors:
            yield (
                f"{here}.appearance: {show(self.appearance)} — expected a model of embeddings "
                f"(task: embed); {model.name} gives none"
            )
        if earlier.boxes and on not in earlier.boxes:
            words = f"expected a class that an earlier stage finds; {nearest(on, earlier.boxes)}"
            yield f"{here}.appearance_on: {show(on)} — {words}"

    def check_here(self, here: str) -> Iterator[str]:
        """Yield a line where the model's file is missing and cannot be fetched at the start."""
        if self.appearance is not None:
            yield from check_file(f"{here}.appearance", self.appearance)
