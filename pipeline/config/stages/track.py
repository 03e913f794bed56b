"""A stage that tracks objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from pipeline.config.form import Shown
from pipeline.config.section import Score
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, ModelFacts

if TYPE_CHECKING:
    from plugins.stage import Stage


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
    still_s: Annotated[float, Shown("Still after, seconds")] = Field(
        10.0, gt=0, le=86400, description="seconds without movement until an object is still"
    )

    @property
    def happens(self) -> Mapping[str, Any]:
        """That objects have tracks, and for how long a missing one keeps its own."""
        return {"tracked": True, "lost_s": self.lost_s}

    def launch_text(self, threads: int) -> str:
        """Return ``mirtrack`` with its properties."""
        said = self.model_dump(exclude_defaults=True, exclude={"track"})
        keys = {"algorithm": self.track} | {key.replace("_", "-"): v for key, v in said.items()}
        return " ".join(["mirtrack", *(f"{key}={_written(value)}" for key, value in keys.items())])

    def make(self, threads: int) -> Stage:
        """Return the stage with a memory of its own."""
        from plugins.track.options import TrackOptions
        from plugins.track.stage import TrackStage as Tracking

        return Tracking(self.track, TrackOptions(**self.model_dump(exclude={"track"})))

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where no earlier stage finds objects, or another one tracks them."""
        if earlier.boxes is not None and not earlier.boxes:
            yield f"{here}.track: {self.track} — expected a stage before it that finds objects"
        if self.key() in earlier.kinds:
            yield f"{here}.track: {self.track} — a second one; expected one tracker a camera"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
