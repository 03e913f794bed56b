from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

import engines
from engines.store.models import default_mirror
from mirante import Mask
from pipeline.demo.road import FRAMES, HEIGHT, WIDTH, RoadPicture, draw_road, road_picture

pytestmark = pytest.mark.slow
pictured = cache(road_picture)


def road_iou(picture: RoadPicture, mask: Mask, labels: tuple[str, ...]) -> float:
    found = np.any([mask.on_frame(label, WIDTH, HEIGHT) for label in labels], axis=0)
    return float((found & picture.road).sum() / (found | picture.road).sum())


def test_what_is_said_to_be_road_and_paint_looks_so() -> None:
    first, later = pictured(0), pictured(FRAMES // 4)
    for picture in (first, later):
        assert picture.rgb.shape == (HEIGHT, WIDTH, 3)
        red, green, blue = (picture.rgb[..., i].astype(int) for i in range(3))
        grey = picture.rgb.mean(axis=2)
        bare = picture.road & ~picture.lane
        assert 0.25 < picture.road.mean() < 0.6
        assert not (picture.lane & ~picture.road).any()
        assert grey[picture.lane].mean() > grey[bare].mean() + 60
        assert abs(red - green)[bare].mean() < 6
        verge = ~picture.road
        verge[: HEIGHT // 2] = False
        assert (green - blue)[verge].mean() > 15
    assert (first.road != later.road).sum() > 300  # the bend


def test_the_drive_goes_round_without_a_jump() -> None:
    assert np.array_equal(pictured(FRAMES).rgb, pictured(0).rgb)
    before, at, after = (pictured(n).rgb.astype(int) for n in (FRAMES - 1, 0, 1))
    assert abs(before - at).mean() < 1.5 * abs(at - after).mean()


def test_the_clip_has_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.demo.road.FRAMES", 3)
    draw_road(tmp_path / "new" / "road.mp4")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["road.mp4"]
    clip = cv2.VideoCapture(str(tmp_path / "new" / "road.mp4"))
    frames = []
    while (read := clip.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    clip.release()
    assert len(frames) == 3
    assert abs(frames[2].astype(int) - road_picture(2).rgb).mean() < 6


def test_a_clip_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".part-road.mp4").mkdir()
    with pytest.raises(OSError, match=r"road\.mp4: cannot be written"):
        draw_road(tmp_path / "road.mp4")


def test_our_own_network_sees_road_and_lanes() -> None:
    picture = pictured(30)
    (mask,) = engines.load("road", threads=2)(picture.rgb).masks
    assert road_iou(picture, mask, ("road",)) > 0.85
    lines = mask.on_frame("lane", WIDTH, HEIGHT).astype(np.uint8)
    near = cv2.dilate(lines, np.ones((9, 9), np.uint8)) > 0
    assert near[picture.lane].mean() > 0.6
    assert lines.mean() < 4 * picture.lane.mean()


@pytest.mark.models
def test_a_network_trained_on_photographs_sees_the_road(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the drawing is worth looking at; the network has nothing to do with this project."""
    if (folder := default_mirror()) is None:
        pytest.skip("no public weights: set MIRANTE_MODEL_MIRROR to a folder that holds them")
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(folder))
    picture = pictured(30)
    (mask,) = engines.load("omz-road", threads=2)(picture.rgb).masks
    assert road_iou(picture, mask, ("road", "lane_mark")) > 0.95
