"""Images are found in a stream of bytes, however it is cut into blocks."""

from __future__ import annotations

import random

import cv2
import pytest

from pipeline.cameras import jpeg_stream
from pipeline.cameras.jpeg_stream import ImageSplitter
from pipeline.cameras.synthetic import picture


def jpeg(number: int, *options: int) -> bytes:
    image = picture(number, 128, 96)[..., ::-1]
    return cv2.imencode(".jpg", image, list(options))[1].tobytes()


PLAIN = jpeg(1)
PROGRESSIVE = jpeg(2, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = jpeg(3, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
THUMBNAIL = PLAIN[:2] + b"\xff\xe1" + (len(PLAIN) + 2).to_bytes(2, "big") + PLAIN + PLAIN[2:]
FILLED = PLAIN[:2] + b"\xff\xff" + PLAIN[2:]
IMAGES = [PLAIN, PROGRESSIVE, RESTARTS, THUMBNAIL, FILLED]
BETWEEN = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n"


def split(stream: bytes, sizes: list[int]) -> list[bytes]:
    found: list[bytes] = []
    splitter, at = ImageSplitter(), 0
    while at < len(stream):
        size = sizes[len(found) % len(sizes)]
        found += splitter.feed(stream[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 65536])
@pytest.mark.parametrize("between", [b"", BETWEEN, b"\0\0\0", b"\xff", b"\xff\xd8"])
def test_every_image_is_found(size: int, between: bytes) -> None:
    stream = between.join([b"", *IMAGES, b""])
    assert [image for image in split(stream, [size]) if image] == IMAGES


@pytest.mark.parametrize("wrong", [0, -7, 9, 1 << 29])
@pytest.mark.parametrize("size", [10, 1000, 65536])
def test_a_length_is_taken_where_it_is_right(size: int, wrong: int) -> None:
    heads = [b"\r\nCONTENT-length: %d\r\n\r\n" % (len(image) + wrong) for image in IMAGES]
    stream = b"".join(head + image for head, image in zip(heads, IMAGES, strict=True))
    stream += b"Content-Length: %d\r\n\r\n" % (len(PLAIN) + 3) + PLAIN + stream
    assert split(stream, [size]) == [*IMAGES, PLAIN, *IMAGES]


def test_an_image_is_there_with_its_last_byte() -> None:
    splitter = ImageSplitter()
    for head in (BETWEEN, BETWEEN.replace(b"7", b"%d" % len(PLAIN)), BETWEEN):
        assert list(splitter.feed(head)) == []
        assert list(splitter.feed(PLAIN[:-1])) == []
        assert list(splitter.feed(PLAIN[-1:])) == [PLAIN]


@pytest.mark.parametrize("kept", [3, 30, 400, -200, -2])
def test_an_image_that_breaks_off_is_one_and_costs_no_other(kept: int) -> None:
    stream = BETWEEN.join([PLAIN, PROGRESSIVE[:kept], RESTARTS, PLAIN])
    assert split(stream, [500]) == [PLAIN, b"", RESTARTS, PLAIN]


@pytest.mark.parametrize("size", [1, 10, 1000, 65536])
@pytest.mark.parametrize("between", [b"", b"\r\n", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n"])
def test_an_image_without_an_end_is_shown_where_its_length_is_right(
    size: int, between: bytes
) -> None:
    bare = [PLAIN[:-2], RESTARTS[:-2], PROGRESSIVE[:-2], THUMBNAIL[:-2]]
    stream = b"".join(between + b"Content-Length: %d\r\n\r\n" % len(i) + i for i in bare)
    assert split(stream + between + BETWEEN, [size]) == [image + b"\xff\xd9" for image in bare]
    wrong = b"".join(between + b"Content-Length: %d\r\n\r\n" % (len(i) - 9) + i for i in bare)
    assert not any(split(wrong, [size]))


def test_an_image_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_stream, "MOST_BYTES", 50_000)
    assert split(PLAIN[:-2] + bytes(60_000) + RESTARTS, [1000]) == [b"", RESTARTS]


def test_noise_holds_no_memory() -> None:
    splitter, noise = ImageSplitter(), random.Random(1).randbytes(1 << 20).replace(b"\xd8", b"\0")
    assert list(splitter.feed(noise)) == []
    assert list(splitter.feed(PLAIN)) == [PLAIN]
