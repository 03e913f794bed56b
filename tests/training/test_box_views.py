"""Augmented views: boxes stay on what they are of, and what is shown how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")

from tests.support.rectangles import RED, drawn, rows
from training.datasets import BoxPicture
from training.recipes.views import (
    PAD,
    BoxViews,
    _without_crowds,
    empty_odds,
    reduced,
    repeat_factors,
)

pytestmark = pytest.mark.slow


def test_the_number_and_the_seed_say_all(tmp_path: Path) -> None:
    pictures = drawn(tmp_path)
    one, two = (BoxViews(pictures, 2, 96, seed=3) for _ in range(2))
    for number in (0, 7, 40):
        assert torch.equal(one[number][0], two[number][0])
        assert torch.equal(one[number][1], two[number][1])
    other = BoxViews(pictures, 2, 96, seed=4)
    assert not torch.equal(one[0][0], other[0][0])


def test_boxes_stay_on_what_they_are_of(tmp_path: Path) -> None:
    """In every view the middle of a box is red or blue, as its class says."""
    views, seen = BoxViews(drawn(tmp_path), 2, 128, seed=0), 0
    for number in range(80):
        picture, truth = views[number]
        for left, top, right, bottom, kind, score in truth.tolist():
            assert 0 <= left < right <= 128
            assert 0 <= top < bottom <= 128
            assert score == 1
            x, y = int((left + right) / 2), int((top + bottom) / 2)
            red, _, blue = picture[:, y, x].tolist()
            if abs(red - blue) > 40:  # not turned grey
                assert (blue > red) == (kind == 1)
                seen += 1
    assert seen > 60


def test_a_box_lies_on_its_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a fraction of a pixel, mirrored or not."""
    monkeypatch.setattr("training.recipes.views.MOSAIC", 0)
    monkeypatch.setattr("training.recipes.views.jitter", lambda rgb, _: rgb)
    rgb = np.zeros((200, 240, 3), np.uint8)
    cv2.rectangle(rgb, (80, 60), (159, 139), (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "white.png"), rgb)
    white = BoxPicture(
        tmp_path / "white.png", "w", rows(80, 60, 160, 140), np.array([0]), np.ones(1, "f4")
    )
    views, seen = BoxViews([white], 1, 320, seed=1), 0
    for number in range(60):
        picture, truth = views[number]
        if len(truth) == 1 and truth[0, :2].min() > 2 and truth[0, 2:4].max() < 318:
            bright = (picture[0].float() - 120).clamp(min=0)
            x, y = (bright.sum(dim=axis) for axis in (0, 1))
            steps = torch.arange(320) + 0.5
            middle = torch.stack([(x * steps).sum() / x.sum(), (y * steps).sum() / y.sum()])
            np.testing.assert_allclose(middle, (truth[0, :2] + truth[0, 2:4]) / 2, atol=0.2)
            seen += 1
    assert seen > 20


def test_small_views_first(tmp_path: Path) -> None:
    views = BoxViews(drawn(tmp_path, 2), 2, 160, seed=0, coarse=8)
    assert views[7][0].shape == (3, 128, 128)
    assert views[8][0].shape == (3, 160, 160)


def test_crowds_are_no_background(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, 1)
    crowd = np.array([[-5, -5, 500, 500, 0]], np.float32)
    none = np.zeros((0, 4), np.float32)
    hidden = replace(picture, crowd=crowd, xyxy=none, class_id=none[:, 0].astype(np.int64),
                     score=none[:, 0])  # fmt: skip
    shown, boxes = BoxViews([hidden], 2, 64, seed=0)[4]
    assert len(boxes) == 0
    assert int(shown.float().std(dim=(1, 2)).max()) == 0


def test_what_was_drawn_in_a_crowd_is_shown(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, 1)
    crowd = np.array([[0, 0, 120, 90, 0]], np.float32)
    shown = _without_crowds(replace(picture, crowd=crowd))
    left, top, right, bottom = picture.xyxy[0].astype(int)
    assert (shown[top:bottom, left:right] == RED).all()
    inside = (bottom - top) * (right - left)
    assert int((shown == PAD).all(axis=2).sum()) == 120 * 90 - inside


def test_large_pictures_are_kept_as_small_as_views_show_them() -> None:
    rgb = np.zeros((300, 1000, 3), np.uint8)
    rgb[30:90, 100:200] = 255
    small, moved = reduced(rgb, rows(100, 30, 200, 90, 1, 0.5), 250)
    assert small.shape == (75, 250, 3)
    np.testing.assert_allclose(moved, [[25, 7.5, 50, 22.5, 1, 0.5]])
    left, top, right, bottom = moved[0, :4].round().astype(int)
    assert small[top : bottom - 1, left:right].min() > 100
    same, still = reduced(rgb, moved, 1000)
    assert same is rgb
    assert still is moved


def test_rare_classes_come_more_often_and_empty_pictures_less() -> None:
    common, rare, none = np.array([0]), np.array([0, 1]), np.array([], np.int64)
    odds = repeat_factors([common] * 98 + [rare, none], 2)
    assert odds[0] == 1
    assert odds[98] == pytest.approx(np.sqrt(0.2 / 0.01))
    assert odds[99] < 1


def test_images_known_to_be_empty_are_a_fifth_of_the_views_or_come_often(tmp_path: Path) -> None:
    odds = np.full(80, 1.5)
    assert empty_odds(odds, 100).sum() / (120 + empty_odds(odds, 100).sum()) == pytest.approx(0.2)
    assert empty_odds(odds, 2).tolist() == [4, 4]
    assert len(empty_odds(odds, 0)) == 0
    pictures = drawn(tmp_path, 8)
    none = np.zeros((0, 4), np.float32)
    empty = [
        replace(p, xyxy=none, class_id=none[:, 0].astype(np.int64), score=none[:, 0])
        for p in pictures[:2]
    ]
    views = BoxViews(pictures[2:], 2, 64, seed=0, empty=empty)
    shown = [len(views[number][1]) for number in range(300)]
    seen = np.mean([count == 0 for count in shown])
    without = BoxViews(pictures[2:], 2, 64, seed=0)
    assert seen > np.mean([len(without[number][1]) == 0 for number in range(300)]) + 0.08
