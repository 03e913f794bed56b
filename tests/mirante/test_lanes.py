"""Lanes in a frame's message: what is written is what is read, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from mirante.lanes import Curve, EgoLane, LaneLine, Lanes, Points
from mirante.shapes import ShapeError
from mirante.wire import WireError, decode, encode
from mirante.wire.lanes import MAX_POINTS
from mirante.wire.messages import Head, Object
from tests.support.wire_frames import some_frame

CURVE = Curve(150.25, 321.5, -1.2777, 163.98)


def along(curve: Curve, rows: int = 5) -> Points:
    y = np.linspace(350, 170, rows)
    return np.stack([curve.at(y), y], axis=1).astype(np.float32)


def some_lanes(**changes: Any) -> Lanes:
    ego = EgoLane(-0.0625, 0.0001234, 0.75, -0.219, -0.0009)
    square = np.array([[0, 359], [640, 359], [320, 151.5]], np.float32)
    lines = (
        LaneLine(along(CURVE), CURVE, 0.875, -1),
        LaneLine(along(CURVE._replace(b=1.3)), CURVE._replace(b=1.3), 0.5, 1),
    )
    return replace(Lanes(lines, ego, (square,)), **changes)


def sent(lanes: Lanes | None) -> Lanes | None:
    return decode(encode(some_frame(lanes=lanes)).detections["json"]).lanes


def test_what_is_written_is_what_is_read() -> None:
    lanes, read = some_lanes(), sent(some_lanes())
    assert read is not None
    assert read.ego == lanes.ego
    for line, other in zip(lanes.lines, read.lines, strict=True):
        assert (line.number, line.confidence, line.curve) == (
            other.number,
            other.confidence,
            other.curve,
        )
        assert abs(line.points - other.points).max() < 0.0051
    assert np.array_equal(lanes.drivable[0], read.drivable[0])
    right = read.line(1)
    assert right is not None
    assert abs(right.curve.at(right.points[:, 1]) - right.points[:, 0]).max() < 0.01
    assert read.line(2) is None


def test_without_a_scale_there_are_no_metres() -> None:
    read = sent(some_lanes(ego=EgoLane(0.1, 0.0, 0.5)))
    assert read is not None
    assert read.ego == EgoLane(0.1, 0.0, 0.5, None, None)
    said = json.loads(encode(some_frame(lanes=Lanes())).detections["json"])
    assert said["lanes"] == {}


def test_no_stage_for_lanes_and_no_lane_differ() -> None:
    assert sent(None) is None
    read = sent(Lanes())
    assert read is not None
    assert (read.lines, read.ego, read.drivable) == ((), None, ())


def test_a_reader_that_knows_no_lanes_reads_the_rest() -> None:
    class Older(Head, frozen=True, kw_only=True):
        objects: list[Object]

    read = msgspec.json.decode(
        encode(some_frame(lanes=some_lanes())).detections["json"], type=Older
    )
    assert (read.camera, len(read.objects)) == ("gate", 2)


@pytest.mark.parametrize(
    ("lanes", "words"),
    [
        (some_lanes(ego=EgoLane(float("nan"), 0.0, 0.5)), "lanes.ego: expected finite numbers"),
        (some_lanes(ego=EgoLane(0.0, 0.0, 1.5)), "lanes.ego: expected a confidence in 0..1"),
        (
            Lanes((LaneLine(along(CURVE), CURVE._replace(c=float("inf")), 0.5, -1),)),
            r"lanes.lines\[-1\]: expected finite numbers",
        ),
        (
            Lanes((LaneLine(along(CURVE) * np.float32("nan"), CURVE, 0.5, 1),)),
            r"lanes.lines\[1\]: expected finite points",
        ),
        (Lanes(drivable=(np.zeros((MAX_POINTS + 1, 2), np.float32),)), "65537 points"),
    ],
)
def test_what_is_not_written(lanes: Lanes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        encode(some_frame(lanes=lanes))


@pytest.mark.parametrize(
    "changed",
    [
        {"lines": [{"number": 1, "confidence": 2, "points": [[0, 0], [1, 1]], "curve": [0] * 4}]},
        {"lines": [{"number": 1, "confidence": 1, "points": [[0, 0]], "curve": [0, 0, 0, 0]}]},
        {"lines": [{"number": 1, "confidence": 1, "points": [[0, 0], [1, 1]], "curve": [0, 0]}]},
        {"drivable": [[[0, 0], [1, 1]]]},
        {"drivable": [[[0, 0]] * (MAX_POINTS + 1)]},
        {"ego": {"offset": "left", "curvature": 0, "confidence": 1}},
    ],
)
def test_what_is_not_read(changed: dict[str, Any]) -> None:
    message = json.loads(encode(some_frame()).detections["json"])
    with pytest.raises(WireError):
        decode(json.dumps({**message, "lanes": changed}).encode())


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"k >= 2, got \(1, 2\) float32"):
        LaneLine(along(CURVE, 1), CURVE, 0.5, 1)
    with pytest.raises(ShapeError, match="float64"):
        Lanes(drivable=(np.zeros((3, 2)),))  # type: ignore[arg-type]
