"""A stage that counts objects in zones and across lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, create_model, model_validator

from mirante.keys import CAMERA_NAME
from mirante.nearest import nearest
from mirante.zones.ground import MAX_PLACES, MIN_PLACES, Plane
from mirante.zones.rules import AFTER_S, BAND, CROWDED_S, LOST_S, MAX_RULES, MIN_LENGTH, SHARE
from pipeline.config.field_of_view import Place, Zone
from pipeline.config.launch import quoted
from pipeline.config.messages import show, unfit
from pipeline.config.section import Score, Section
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Earlier, ModelFacts

if TYPE_CHECKING:
    from plugins.stage import Stage

Name = Annotated[str, Field(pattern=CAMERA_NAME)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Metres = Annotated[float, Field(ge=-1e5, le=1e5)]
_SIZE = "minimum height of an object's box, as a share of the image's"
_LOST = "seconds outside, or unseen, after which an object is gone"
_CLASSES = "classes that count; none named: all"
_SCORE = "minimum score of an object"


class ZoneRule(Section):
    """An area, and the objects that count in it."""

    polygon: Zone | None = Field(
        None, description="corners [[x, y], …] in 0..1 of the whole image as shown"
    )
    mask: str | None = Field(
        None,
        min_length=1,
        description="instead of a polygon: a plane of the frame's masks, such as drivable",
    )
    classes: list[str] = Field([], description=_CLASSES)
    anchor: Literal["bottom", "centre", "mask"] = Field(
        "bottom",
        description="what of an object has to be inside: the middle of its box's lower edge, its "
        "centre, or a share of its mask",
    )
    share: Score = Field(SHARE, description="share of the mask that has to be inside")
    score: Score = Field(0.0, description=_SCORE)
    size: Score = Field(0.0, description=_SIZE)
    after_s: Seconds = Field(AFTER_S, description="seconds inside after which an object counts")
    lost_s: Seconds = Field(LOST_S, description=_LOST)
    crowded: int | None = Field(None, ge=0, description="more objects than that are too many")
    crowded_s: Seconds = Field(CROWDED_S, description="seconds of too many that make it crowded")

    @model_validator(mode="after")
    def _is_an_area(self) -> Self:
        if (self.polygon is None) == (self.mask is None):
            raise unfit("expected polygon or mask, one of them")
        return self


if TYPE_CHECKING:
    _Ends = Section
else:  # from is a word of Python's own
    _Ends = create_model(
        "_Ends",
        __base__=Section,
        **{
            "from": (
                Place,
                Field(
                    description="the start of the line, [x, y] in 0..1 of the whole image as "
                    "shown; in is from its left to its right, as seen from here"
                ),
            ),
            "to": (Place, Field(description="the end of the line, [x, y]")),
        },
    )


class LineRule(_Ends):
    """A directed line, and the objects that count when they cross it."""

    classes: list[str] = Field([], description=_CLASSES)
    anchor: Literal["bottom", "centre"] = Field(
        "bottom", description="the point of an object that crosses"
    )
    score: Score = Field(0.0, description=_SCORE)
    size: Score = Field(0.0, description=_SIZE)
    after_s: Seconds = Field(0.0, description="seconds on the other side before it counts")
    lost_s: Seconds = Field(LOST_S, description=_LOST)
    band: float = Field(
        BAND,
        ge=0,
        le=0.5,
        description="distance within which it is open on which side an object is, as a share of "
        "the image's longer side",
    )

    @model_validator(mode="after")
    def _is_a_line(self) -> Self:
        from_, to = (getattr(self, key) for key in ("from", "to"))
        if max(abs(a - b) for a, b in zip(from_, to, strict=True)) < MIN_LENGTH:
            raise unfit(f"expected from and to at least {MIN_LENGTH} apart")
        return self


class Ground(Section):
    """The ground in metres, for speeds and distances."""

    image: list[Place] = Field(
        min_length=MIN_PLACES,
        max_length=MAX_PLACES,
        description="four places on the ground or more, in order around an area: [[x, y], …] in "
        "0..1 of the whole image as shown",
    )
    metres: list[Annotated[list[Metres], Field(min_length=2, max_length=2)]] = Field(
        min_length=MIN_PLACES,
        max_length=MAX_PLACES,
        description="the same places as [[x, y], …] in metres",
    )

    @model_validator(mode="after")
    def _is_a_plane(self) -> Self:
        try:
            Plane.through(*([(x, y) for x, y in each] for each in (self.image, self.metres)))
        except ValueError as error:
            raise unfit(str(error).removeprefix("ground: ")) from None
        return self


class ZonesStage(StageKind):
    """Count tracked objects in zones and across lines."""

    title: ClassVar[str] = "Zones and lines"
    placeholder: ClassVar[str] = "{NAME: …}"
    example: ClassVar[Mapping[str, Any]] = {
        "zones": {"door": {"polygon": [[0.4, 0.5], [0.6, 0.5], [0.6, 1], [0.4, 1]]}},
        "lines": {"gate": {"from": [0.2, 0.8], "to": [0.8, 0.8]}},
    }

    zones: dict[Name, ZoneRule] = Field(max_length=MAX_RULES, description="areas, by name")
    lines: dict[Name, LineRule] = Field(
        {}, max_length=MAX_RULES, description="directed lines, by name"
    )
    ground: Ground | None = Field(None, description="the ground in metres; null: no speeds")

    @property
    def name(self) -> str:
        """The stage's name where its time is shown."""
        return self.key()

    @property
    def rules(self) -> str:
        """All that is counted, as ``mirante.zones.rules`` reads it."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True))

    @property
    def live(self) -> dict[str, str]:
        """All of it: zones and lines change while the camera runs."""
        return {self.key(): self.rules}

    def fixed(self) -> Self:
        """Return a stage that counts nothing."""
        return self.model_copy(update={"zones": {}, "lines": {}, "ground": None})

    def launch_text(self, threads: int) -> str:
        """Return ``mirzones`` with its properties."""
        return f"mirzones name=zones rules={quoted(self.rules)}"

    def make(self, threads: int) -> Stage:
        """Return the stage with a memory of its own."""
        from plugins.zones.stage import ZonesStage as Counting

        return Counting(self.rules)

    def check(self, here: str, earlier: Earlier, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
        """Yield a line where nothing tracks before it, or finds what it counts."""
        if not {"track", "python"} & set(earlier.kinds):
            yield f"{here}.zones: nothing tracks objects — expected a stage track before it"
        if self.key() in earlier.kinds:
            yield f"{here}.zones: a second one — expected all zones and lines in one stage"
        rules: Mapping[str, ZoneRule | LineRule] = {
            **{f"{here}.zones.{name}": zone for name, zone in self.zones.items()},
            **{f"{here}.lines.{name}": line for name, line in self.lines.items()},
        }
        for place, rule in rules.items():
            yield from _check_names(place, rule, earlier)


def _check_names(place: str, rule: ZoneRule | LineRule, earlier: Earlier) -> Iterator[str]:
    """Yield a line for each class and plane that no earlier stage finds."""
    for index, label in enumerate(rule.classes):
        if earlier.boxes is not None and label not in earlier.boxes:
            hint = nearest(label, earlier.boxes) if earlier.boxes else "none finds boxes"
            words = f"expected a class that an earlier stage finds; {hint}"
            yield f"{place}.classes[{index}]: {show(label)} — {words}"
    plane = rule.mask if isinstance(rule, ZoneRule) else None
    if plane is not None and earlier.masks is not None:
        planes = list(dict.fromkeys(each for found in earlier.masks.values() for each in found))
        if plane not in planes:
            hint = nearest(plane, planes) if planes else "none finds masks"
            words = f"expected a mask that an earlier stage finds; {hint}"
            yield f"{place}.mask: {show(plane)} — {words}"
