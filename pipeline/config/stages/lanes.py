"""A stage that turns the planes of a segmenter into the lanes of a road."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mirante.lane_planes import AUTO, LanePlanes, names
from mirante.nearest import nearest
from pipeline.config.form import Shown
from pipeline.config.launch import written
from pipeline.config.messages import show
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, ModelFacts

if TYPE_CHECKING:
    from plugins.stage import Stage


class LanesStage(StageKind):
    """Turn lane masks into lines, the camera's lane and outlines of the drivable area."""

    title: ClassVar[str] = "Lanes"
    placeholder: ClassVar[str] = "auto"
    example: ClassVar[Mapping[str, Any]] = {"lanes": "auto"}
    is_gated: ClassVar[bool] = False  # a camera in a car always moves

    lanes: Annotated[str, Shown("Lane lines")] = Field(
        min_length=1,
        description="planes that show lane lines: auto for those that are called so, the name of "
        "an earlier stage's model, or names of planes with commas between them",
    )
    drivable: Annotated[str, Shown("Drivable area")] = Field(
        AUTO,
        description="planes that show the drivable area: auto, names of planes, or nothing",
    )
    departure: Annotated[float, Shown("Departure")] = Field(
        0.3,
        ge=0,
        le=0.5,
        description="share of a lane's width from its centre at which the camera departs from "
        "it; 0 for no such events",
    )
    lane_width_m: Annotated[float, Shown("Lane width, metres", empty="unknown")] = Field(
        0.0, ge=0, le=20, description="width of a lane in metres; 0 for unknown"
    )
    fov_deg: Annotated[float, Shown("Field of view, degrees", empty="unknown")] = Field(
        0.0,
        ge=0,
        le=170,
        description="angle that the image's width shows, for curvatures in 1/m; 0 for unknown",
    )
    smooth_s: Annotated[float, Shown("Smoothing, seconds")] = Field(
        0.1,
        ge=0,
        le=5,
        description="seconds over which small movements of lines are smoothed",
    )

    @property
    def name(self) -> str:
        """The stage's name where its time is shown."""
        return self.key()

    @property
    def happens(self) -> Mapping[str, Any]:
        """None: lanes have no tracks."""
        return {}

    def launch_text(self, threads: int) -> str:
        """Return ``mirlanes`` with its properties."""
        said = {"lanes": self.lanes} | self.model_dump(exclude_defaults=True)
        keys = (f"{key.replace('_', '-')}={written(value)}" for key, value in said.items())
        return " ".join(["mirlanes", *keys])

    def make(self, threads: int) -> Stage:
        """Return the stage with a memory of its own."""
        from plugins.lanes.options import LaneOptions
        from plugins.lanes.stage import LanesStage as Reading

        return Reading(LaneOptions(**self.model_dump()))

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where no earlier stage makes a mask of lanes."""
        if self.key() in earlier.kinds:
            yield f"{here}.lanes: {self.lanes} — a second one; expected one such stage a camera"
        if earlier.masks is None:
            return
        labels = [*dict.fromkeys(label for made in earlier.masks.values() for label in made)]
        planes = LanePlanes(self.lanes, self.drivable)
        models = [*earlier.masks]
        unknown = {"lanes": (planes.unnamed(earlier.masks), labels + models)}
        if self.drivable != AUTO:
            unknown["drivable"] = sorted(names(self.drivable) - {*labels}), labels
        for key, (missing, known) in unknown.items():
            for label in missing:
                hint = nearest(label, known, "there are") if labels else "none makes one"
                yield f"{here}.{key}: {show(label)} — expected a mask of an earlier stage; {hint}"
        if unknown["lanes"][0] or any(planes.lines_of(*made) for made in earlier.masks.items()):
            return
        found = f"there are {', '.join(labels)}" if labels else "none makes a mask"
        yield (
            f"{here}.lanes: {show(self.lanes)} — expected a stage before it that finds lane lines "
            f"in the whole frame, such as model: road; {found}"
        )
