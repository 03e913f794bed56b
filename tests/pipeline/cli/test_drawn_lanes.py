"""Lanes on an image and in words."""

from __future__ import annotations

import numpy as np

from mirante import FrameResult
from mirante.lanes import Curve, EgoLane, LaneLine, Lanes
from pipeline.cli.drawn_lanes import AREA, BESIDE, FURTHER
from pipeline.cli.drawn_result import draw_result
from pipeline.cli.tail import lane_words


def line(number: int, near: float, far: float) -> LaneLine:
    points = np.array([[near, 90], [far, 30]], np.float32)
    return LaneLine(points, Curve(0, 60, 1, 0), 0.9, number)


LINES = (line(-1, 20, 50), line(1, 100, 70), line(2, 158, 90))
AREA_OF = np.array([[5.5, 80], [15.5, 80], [15.5, 40], [5.5, 40]], np.float32)


def test_lines_of_the_camera_s_lane_differ_from_others_and_the_lane_is_tinted() -> None:
    lanes = Lanes(LINES, EgoLane(0.1, 0.0, 0.9), (AREA_OF,))
    frame = FrameResult("car", 0, 0, 0, "arrival", 160, 100, lanes=lanes)
    black = np.zeros((100, 160, 3), np.uint8)
    image = draw_result(black, frame)
    assert not black.any()
    for y in (40, 60):
        for each in LINES:
            (x0, y0), (x1, y1) = each.points
            x = round(float(x0 + (x1 - x0) * (y0 - y) / (y0 - y1)))
            around = image[y, x - 1 : x + 2].max(axis=0)
            assert np.abs(around - np.array(BESIDE if each.number < 2 else FURTHER)).max() < 40
    assert 0 < image[50, 60].max() < 100
    assert not image[50, 130].any()
    assert np.abs(image[59:62, 14:17].max(axis=(0, 1)) - np.array(AREA)).max() < 40
    assert image[85:97, 30:130].any()  # the words


def test_one_line_or_none_draws_no_lane() -> None:
    black = np.zeros((100, 160, 3), np.uint8)
    frame = FrameResult("car", 0, 0, 0, "arrival", 160, 100, lanes=Lanes(LINES[:1]))
    assert not draw_result(black, frame)[50, 60].any()
    nothing = FrameResult("car", 0, 0, 0, "arrival", 160, 100, lanes=Lanes())
    assert not draw_result(black, nothing).any()


def test_lanes_in_words() -> None:
    assert lane_words(Lanes()) == "no lines"
    told = lane_words(Lanes(LINES[:2], EgoLane(-0.042, 0.0, 0.9)))
    assert told == "lines -1 (0.90) 1 (0.90), 4% left of centre"
    metres = EgoLane(0.1, 0.0, 0.9, offset_m=0.35)
    assert lane_words(Lanes((), metres)) == "no lines, 0.35 m right of centre"
    assert lane_words(Lanes((), EgoLane(0.004, 0.0, 0.9))) == "no lines, in the lane's centre"
    tenth = EgoLane(0.1, 0.0, 0.9, offset_m=0.10)
    assert lane_words(Lanes((), tenth)) == "no lines, 0.10 m right of centre"
