"""The lanes of a frame in its ``detections`` message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from mirante.lanes import Curve, EgoLane, LaneLine, Lanes
from mirante.terms import Pixels, Score
from mirante.wire.errors import WireError

Point = Annotated[tuple[Pixels, Pixels], Meta(description="x, y in pixels of the source frame")]
Number = Annotated[int, Meta(ge=-99, le=99)]
MAX_POINTS = 1 << 16  # of all lines and outlines of a frame


class LineOf(msgspec.Struct, frozen=True, kw_only=True):
    """A line along the road."""

    number: Annotated[
        Number,
        Meta(description="-1, -2, … from the camera to the left; 1, 2, … to the right"),
    ]
    confidence: Score
    points: Annotated[
        list[Point], Meta(min_length=2, description="from the nearest to the farthest")
    ]
    curve: Annotated[
        tuple[float, float, float, float],
        Meta(
            description="h, a, b, c of x = a + b (y - h) + c / (y - h), in pixels of the source "
            "frame; h is the road's horizon"
        ),
    ]


class EgoOf(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lane that the camera is in, between the lines -1 and 1."""

    offset: Annotated[
        float,
        Meta(
            description="of the camera from the lane's centre as a share of the lane's width, "
            "positive to the right"
        ),
    ]
    curvature: Annotated[
        float,
        Meta(description="of the lane's centre in the image, in 1 / pixels, positive to the right"),
    ]
    confidence: Score
    offset_m: Annotated[
        float | None, Meta(description="the offset in metres; absent without a lane width")
    ] = None
    curvature_per_m: Annotated[
        float | None,
        Meta(
            description="on the ground, in 1/m, positive to the right; absent without a lane "
            "width or a field of view"
        ),
    ] = None


class LanesOf(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lanes of a frame."""

    lines: Annotated[list[LineOf], Meta(description="from left to right")] = []
    ego: Annotated[
        EgoOf | None, Meta(description="absent where too little is seen of the lane")
    ] = None
    drivable: Annotated[
        list[Annotated[list[Point], Meta(min_length=3)]],
        Meta(description="outlines of the drivable area, the largest first; absent without"),
    ] = []


def encode_lanes(lanes: Lanes) -> LanesOf:
    """Write the lanes of a frame. Points keep 0.01 px, shares 4 decimals, metres 3; curves
    keep 7 digits, curvatures 4.

    Raises:
        WireError: a number is not finite or a confidence not in 0..1, or there are too many points.
    """
    _check_count([*(line.points for line in lanes.lines), *lanes.drivable])
    ego = lanes.ego
    return LanesOf(
        lines=[_line(line) for line in lanes.lines],
        ego=None if ego is None else _ego(ego),
        drivable=[_points("drivable", outline) for outline in lanes.drivable],
    )


def decode_lanes(said: LanesOf) -> Lanes:
    """Read the lanes of a frame.

    Raises:
        WireError: there are more points than a reader takes.
    """
    _check_count([*(line.points for line in said.lines), *said.drivable])
    ego = said.ego
    return Lanes(
        tuple(
            LaneLine(
                np.array(line.points, np.float32),
                Curve(*line.curve),
                line.confidence,
                line.number,
            )
            for line in said.lines
        ),
        None if ego is None else EgoLane(**msgspec.structs.asdict(ego)),
        tuple(np.array(outline, np.float32) for outline in said.drivable),
    )


def _check_count(parts: Iterable[Any]) -> None:
    if (count := sum(len(part) for part in parts)) > MAX_POINTS:
        raise WireError(f"lanes: {count} points; expected up to {MAX_POINTS}")


def _line(line: LaneLine) -> LineOf:
    where = f"lanes.lines[{line.number}]"
    _check_finite(where, [*line.curve, line.confidence])
    curve = Curve(*(float(f"{each:.7g}") for each in line.curve))
    return LineOf(
        number=line.number,
        confidence=_score(where, line.confidence),
        points=_points(where, line.points),
        curve=(curve.horizon, curve.a, curve.b, curve.c),
    )


def _ego(ego: EgoLane) -> EgoOf:
    _check_finite("lanes.ego", [value for value in ego if value is not None])
    return EgoOf(
        offset=round(ego.offset, 4),
        curvature=_digits(ego.curvature),
        confidence=_score("lanes.ego", ego.confidence),
        offset_m=None if ego.offset_m is None else round(ego.offset_m, 3),
        curvature_per_m=None if ego.curvature_per_m is None else _digits(ego.curvature_per_m),
    )


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def _points(where: str, points: NDArray[np.float32]) -> list[Any]:
    if not np.isfinite(points).all():
        raise WireError(f"{where}: expected finite points")
    rounded: list[Any] = points.astype(np.float64).round(2).tolist()
    return rounded


def _check_finite(where: str, values: list[float]) -> None:
    if not np.isfinite(values).all():
        raise WireError(f"{where}: expected finite numbers, got {values}")


def _score(where: str, confidence: float) -> float:
    if not 0 <= confidence <= 1:
        raise WireError(f"{where}: expected a confidence in 0..1, got {confidence}")
    return round(float(confidence), 4)
