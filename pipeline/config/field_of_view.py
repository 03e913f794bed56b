"""How a camera's image is shown, and the parts of it that may be seen.

Crop and masked areas are in fractions of the whole image as it is shown, from 0, 0 at its top left
corner to 1, 1 at its bottom right one, so that they hold for every resolution.
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from pipeline.config.messages import unfit

MIN_SIDE = 0.01  # of a crop, on each axis
MAX_CORNERS = 100

Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Corner = tuple[float, float]
Edge = tuple[Corner, Corner]


def _check_crop(crop: list[float]) -> list[float]:
    if len(crop) != 4:
        raise ValueError(f"expected [left, top, right, bottom], got {len(crop)} numbers")
    left, top, right, bottom = crop
    for first, last, order in ((left, right, "left < right"), (top, bottom, "top < bottom")):
        if round(last - first, 9) < MIN_SIDE:
            raise unfit(f"expected {order}, at least {MIN_SIDE} apart, got {crop}")
    return crop


def _check_corner(corner: list[float]) -> list[float]:
    if len(corner) != 2:
        raise ValueError(f"expected [x, y], got {len(corner)} numbers")
    return corner


def _check_zone(zone: list[list[float]]) -> list[list[float]]:
    """Refuse a polygon that meets itself: what lies inside it depends on whom one asks."""
    corners = [(x, y) for x, y in zone]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()  # closed, as GeoJSON writes it
    if len(zone) < 3 or len(corners) > MAX_CORNERS:
        words = f"expected 3 to {MAX_CORNERS} corners [x, y], got {len(corners)}"
        raise unfit(words) if len(zone) == MAX_CORNERS + 1 else ValueError(words)
    if (count := len(set(corners))) < 3:
        raise unfit(f"expected at least 3 different corners [x, y], got {count}")
    for (one, corner), (other, same) in combinations(enumerate(corners), 2):
        if corner == same:
            words = f"but corners {one + 1} and {other + 1} are both {[*corner]}"
            raise unfit(f"expected different corners, {words}")
    edges = [*zip(corners, corners[1:] + corners[:1], strict=True)]
    if not any(_side(edges[0], corner) for corner in corners):
        raise unfit("expected corners around an area, but all of them are in one line")
    for (one, a), (other, b) in combinations(enumerate(edges), 2):
        if _folds(a, b) if a[1] == b[0] else _folds(b, a) if b[1] == a[0] else _meet(a, b):
            raise unfit(
                "expected corners in order around an area, "
                f"but edges {one + 1} and {other + 1} meet"
            )
    return zone


def _side(edge: Edge, corner: Corner) -> float:
    """Positive on one side of an edge, negative on the other, 0 in line with it."""
    (ax, ay), (bx, by) = edge
    return (bx - ax) * (corner[1] - ay) - (by - ay) * (corner[0] - ax)


def _folds(a: Edge, b: Edge) -> bool:
    """Return whether an edge goes back over the one before it."""
    (ux, uy), (vx, vy) = a
    wx, wy = b[1]
    return _side(a, b[1]) == 0 and (ux - vx) * (wx - vx) + (uy - vy) * (wy - vy) >= 0


def _meet(a: Edge, b: Edge) -> bool:
    """Return whether two edges have a point in common."""
    around_a, around_b = [_side(a, end) for end in b], [_side(b, end) for end in a]
    if any(around_a) or any(around_b):
        return max(around_a) >= 0 >= min(around_a) and max(around_b) >= 0 >= min(around_b)
    return all(  # all in one line
        max(min(first), min(second)) <= min(max(first), max(second))
        for first, second in zip(zip(*a, strict=True), zip(*b, strict=True), strict=True)
    )


def _read_degrees(value: object, info: ValidationInfo) -> object:
    """Variables of the environment are text; JSON has numbers."""
    if isinstance(value, str) and value.isdecimal() and info.mode != "json":
        return int(value)
    return value


def _array(of: dict[str, Any], least: int, most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "items": of, "minItems": least, "maxItems": most})


_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_CORNER = {"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2}


Rotation = Annotated[Literal[0, 90, 180, 270], BeforeValidator(_read_degrees)]
Crop = Annotated[list[Share], AfterValidator(_check_crop), _array(_SHARE, 4, 4)]
Place = Annotated[list[Share], AfterValidator(_check_corner), _array(_SHARE, 2, 2)]
Zone = Annotated[
    list[Place],
    AfterValidator(_check_zone),
    _array(_CORNER, 3, MAX_CORNERS + 1),
]
