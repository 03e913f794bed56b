"""Regions and tiles in a camera's graph: what is found is where it is, however it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mirante.frame import FrameResult
from pipeline.cameras.synthetic import truth
from tests.support.published import published

MASK = [[[0, 0], [0.3, 0], [0.3, 1], [0, 1]]]


def frames(count: int, stage: dict[str, Any], **options: Any) -> list[FrameResult]:
    """Return the first frames that a drawn camera with moving rectangles publishes."""
    keys = {
        "url": "test://?size=1280x720&fps=3",  # of which a busy machine drops none
        "stages": [{"model": "test-boxes", **stage}, {"track": "bytetrack"}],
        **options,
    }
    return published(lambda found: len(found) >= count, **keys)[:count]


@pytest.mark.rtsp
@pytest.mark.parametrize(
    "view",
    [
        pytest.param({}, marks=pytest.mark.full),
        {"rotate": 90, "crop": [0, 0, 1, 0.5], "mask": MASK},
        pytest.param({"rotate": 180, "mirror": True}, marks=pytest.mark.full),
    ],
)
def test_tiles_of_small_frames_find_what_whole_large_ones_do(view: dict[str, Any]) -> None:
    large = frames(4, {}, width=1280, height=1280, **view)
    small = frames(4, {"tiles": "3x3"}, width=320, height=320, **view)
    wanted = {each.seq: boxes(each) for each in large}
    compared, off = 0, []
    for each in small:
        if each.seq in wanted:
            compared += 1
            assert {*boxes(each)} == {*wanted[each.seq]}
            off += [np.abs(box - wanted[each.seq][name]).max() for name, box in boxes(each).items()]
    assert compared
    assert max(off) <= 2.5, "a pixel of a tile, which is scaled down"


def boxes(result: FrameResult) -> dict[str, np.ndarray]:
    """Return the boxes by colour."""
    objects = result.detections
    assert len({*objects.class_id.tolist()}) == len(objects), "each once"
    return {
        objects.labels[place]: box
        for place, box in zip(objects.class_id, objects.xyxy, strict=True)
    }


@pytest.mark.rtsp
def test_regions_are_looked_at_around_the_only_thing_that_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plugins.gate.motion.WEATHER_S", 0.0)  # what moves looks like drops
    width, height = 1920, 1080
    _, top, _, bottom = truth(0, width, height)[0].xyxy[1].tolist()
    above, below = (top - 8) / height, (bottom + 8) / height
    hidden = [
        [[0, 0], [1, 0], [1, above], [0, above]],
        [[0, below], [1, below], [1, 1], [0, 1]],
    ]
    found = frames(
        40,
        {"regions": "auto"},
        url=f"test://?size={width}x{height}&fps=10",
        gate="on",
        mask=hidden,
        width=320,
        height=320,
    )
    looked = [each for each in found if each.regions]
    assert looked
    for each in looked:
        assert each.looked in {"motion", "track"}
        left, upper, right, lower = each.regions["test-boxes"]
        box = truth(each.seq, width, height)[0].xyxy[1]
        assert (left <= box[0], upper <= box[1], right >= box[2], lower >= box[3]) == (True,) * 4
        assert {*boxes(each)} == {"green"}
        assert np.abs(boxes(each)["green"] - box).max() <= 2.5
    for each in found:
        if not each.skipped:
            assert len(each.detections) == 1, each
