"""Images that say to be vast are refused before anything makes room for them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.cameras.image_size import check_size, size_of
from pipeline.cameras.sources.network import bounded
from pipeline.cameras.web import FetchError
from tests.support.images import sized

IMAGE = np.zeros((48, 64, 3), np.uint8)
JPEG, PNG = (cv2.imencode(suffix, IMAGE)[1].tobytes() for suffix in (".jpg", ".png"))
PROGRESSIVE = cv2.imencode(".jpg", IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
THUMBNAIL = b"\xff\xe1" + (len(JPEG) + 2).to_bytes(2, "big") + sized(JPEG, 1, 1)


@pytest.mark.parametrize("content", [JPEG, PNG, PROGRESSIVE, JPEG[:2] + THUMBNAIL + JPEG[2:]])
def test_the_size_is_that_of_the_image(content: bytes) -> None:
    assert size_of(content) == (64, 48)
    assert bounded(content) == content
    big = sized(content, 60_000, 59_000)
    assert size_of(big) == (60_000, 59_000)
    with pytest.raises(ValueError, match="up to 134217728 pixels, got 60000x59000"):
        check_size(big)
    with pytest.raises(FetchError, match="got 60000x59000"):
        bounded(big)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", JPEG[:2], JPEG[:30], b"\xff\xd8" + b"\xff" * 99]
)
def test_what_says_no_size_is_left_to_its_decoder(content: bytes) -> None:
    assert size_of(content) is None
    check_size(content)
