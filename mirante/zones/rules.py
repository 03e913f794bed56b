"""The zones and lines of a camera, as an element and the dashboard read them.

All coordinates are x and y in 0..1 of the whole image as shown, from its top left corner.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mirante.keys import CAMERA_NAME
from mirante.wire.errors import UNREADABLE
from mirante.zones.ground import Plane, Point

SHARE, AFTER_S, LOST_S, CROWDED_S, BAND = 0.5, 0.5, 1.0, 5.0, 0.02
MAX_RULES = 64  # zones, and lines, of one camera
MIN_LENGTH = 0.01  # of a line

Fraction = Annotated[float, Meta(ge=0, le=1)]
Place = tuple[Fraction, Fraction]
Time = Annotated[float, Meta(ge=0, le=86_400)]
Name = Annotated[str, Meta(pattern=CAMERA_NAME)]
Anchor = Literal["bottom", "centre", "mask"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The objects that count, and when.

    Attributes:
        classes: their classes; empty for all.
        anchor: the point of an object that decides: middle of the box's lower edge, its centre; or
            the share of the object's mask that is inside.
        score: minimum score.
        size: minimum height of the box, as a share of the image's.
        after_s: seconds that it takes to count.
        lost_s: seconds outside, or unseen, after which an object is gone.
    """

    classes: list[str] = []
    anchor: Anchor = "bottom"
    score: Fraction = 0.0
    size: Fraction = 0.0
    after_s: Time = AFTER_S
    lost_s: Time = LOST_S


class Zone(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An area.

    Attributes:
        polygon: its corners in order.
        mask: instead, the name of a plane among the frame's masks.
        share: of the object's mask, for the anchor ``mask``.
        crowded: more objects than that are too many; None for no limit.
        crowded_s: seconds of too many that make it crowded.
        enabled: objects count in it; who is inside when it is turned off leaves.
    """

    polygon: list[Place] = []
    mask: str = ""
    share: Fraction = SHARE
    crowded: Annotated[int, Meta(ge=0)] | None = None
    crowded_s: Time = CROWDED_S
    enabled: bool = True

    def __post_init__(self) -> None:
        if bool(self.mask) == bool(self.polygon):
            raise ValueError("expected polygon or mask, one of them")
        if self.polygon and len(self.polygon) < 3:
            raise ValueError(f"polygon: expected 3 corners or more, got {len(self.polygon)}")


class Line(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A directed line; ``in`` is from its left to its right, seen from its start.

    Attributes:
        from_, to: its ends.
        anchor: ``bottom`` or ``centre``.
        after_s: seconds on the other side before a crossing counts.
        band: distance from the line, as a share of the image's longer side, within which it is
            still open on which side an object is.
    """

    from_: Place
    to: Place
    after_s: Time = 0.0
    band: Annotated[float, Meta(ge=0, le=0.5)] = BAND

    def __post_init__(self) -> None:
        if self.anchor == "mask":
            raise ValueError("anchor: expected bottom or centre, got mask")
        if max(abs(a - b) for a, b in zip(self.from_, self.to, strict=True)) < MIN_LENGTH:
            raise ValueError(f"expected from and to at least {MIN_LENGTH} apart")


class Ground(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ground in metres.

    Attributes:
        image: places in the image.
        metres: the same places on the ground, x and y in metres.
    """

    image: list[Place]
    metres: list[Point]

    def __post_init__(self) -> None:
        self.plane()

    def plane(self) -> Plane:
        """Return the map from the image to the ground.

        Raises:
            ValueError: there is none.
        """
        return Plane.through(self.image, self.metres)


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is counted at a camera; zones and lines by name."""

    zones: Annotated[dict[Name, Zone], Meta(max_length=MAX_RULES)] = {}
    lines: Annotated[dict[Name, Line], Meta(max_length=MAX_RULES)] = {}
    ground: Ground | None = None


_decoder = msgspec.json.Decoder(Rules)


def read_rules(text: str | bytes) -> Rules:
    """Read rules from JSON.

    Raises:
        ValueError: naming what is wrong with them.
    """
    try:
        return _decoder.decode(text)
    except UNREADABLE as error:
        raise ValueError(f"zones: {error}") from None
