"""Zones and lines: the objects that count, where, and on what ground."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, JsonValue, create_model, model_validator

from mirante.keys import CAMERA_NAME
from mirante.zones.ground import MAX_PLACES, MIN_PLACES, Plane
from mirante.zones.rules import AFTER_S, BAND, CROWDED_S, LOST_S, MAX_RULES, MIN_LENGTH, SHARE
from pipeline.config.field_of_view import Place, Zone
from pipeline.config.messages import unfit
from pipeline.config.section import Score, Section

Name = Annotated[str, Field(pattern=CAMERA_NAME)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Metres = Annotated[float, Field(ge=-1e5, le=1e5)]
_NO_OTHER_NAMES: dict[str, JsonValue] = {"additionalProperties": False}
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
    enabled: bool = Field(True, description="false: nothing counts in it; its totals are kept")

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


class ZoneRules(Section):
    """All that is counted at a camera."""

    zones: dict[Name, ZoneRule] = Field(
        max_length=MAX_RULES, description="areas, by name", json_schema_extra=_NO_OTHER_NAMES
    )
    lines: dict[Name, LineRule] = Field(
        {},
        max_length=MAX_RULES,
        description="directed lines, by name",
        json_schema_extra=_NO_OTHER_NAMES,
    )
    ground: Ground | None = Field(None, description="the ground in metres; null: no speeds")

    @property
    def rules(self) -> str:
        """All that is counted, as ``mirante.zones.rules`` reads it."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True))
