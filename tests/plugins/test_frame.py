"""Frames as stages get them."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.frame import Frame


def test_rows_may_be_longer_than_the_picture_and_are_not_copied() -> None:
    rows = bytearray(range(2 * 12))  # two rows of three pixels, each with three bytes of padding
    frame = Frame.of_rows(memoryview(rows), (3, 2), 12)
    assert frame.size == (3, 2)
    assert frame.pixels.shape == (2, 3, 3)
    assert frame.pixels[1, 0].tolist() == [12, 13, 14]
    rows[12] = 99
    assert frame.pixels[1, 0, 0] == 99


def test_a_stage_may_not_write_to_it_and_whoever_made_it_may() -> None:
    own = np.zeros((2, 3, 3), np.uint8)
    frame = Frame(own)
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[:] = 1
    own[:] = 2
    assert frame.pixels[0, 0, 0] == 2
