"""The gate in a camera's graph: it sees the image as shown, without what is painted black."""

from __future__ import annotations

from typing import Any

import pytest

from mirante.frame import FrameResult
from tests.support.published import published

ALL = [[0, 0], [1, 0], [1, 1], [0, 1]]


def frames(**options: Any) -> list[FrameResult]:
    """Return the first frames that a drawn camera with moving rectangles publishes."""
    keys = {
        "url": "test://?size=320x180&fps=10",
        "gate": "on",
        "stages": [{"model": "test-boxes"}, {"track": "bytetrack"}],
        **options,
    }
    return published(lambda found: found[-1].captured_ns - found[0].captured_ns > 3.5e9, **keys)


@pytest.mark.rtsp
def test_what_moves_behind_black_is_not_looked_at() -> None:
    found = frames(rotate=90, crop=[0, 0, 1, 0.5], mask=[ALL])
    assert (found[0].width, found[0].height) == (180, 160)
    skipped = [frame for frame in found if frame.skipped]
    assert found[-1].counts.skipped == {"still": len(skipped)}
    assert len(skipped) > len([frame for frame in found if frame.looked == "motion"])


@pytest.mark.rtsp
def test_what_moves_is_looked_at() -> None:
    found = frames(rotate=90)
    assert {frame.looked for frame in found} <= {"learning", "motion", "track"}
    assert not found[-1].counts.skipped
    assert len(found[-1].detections)
