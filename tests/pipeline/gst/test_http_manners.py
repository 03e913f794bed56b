"""MJPEG as cameras really send it: boundaries, types and lengths that are wrong or not there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.support.http_camera import HttpCamera, Request, http_camera, jpeg
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

FPS, FRAMES = 25, 8
IMAGES = [jpeg(n) for n in range(50)]
MIXED = "multipart/x-mixed-replace; boundary=frame"


def _head(image: bytes, kind: str = "image/jpeg", wrong: int = 0) -> bytes:
    return f"Content-Type: {kind}\r\nContent-Length: {len(image) + wrong}\r\n\r\n".encode()


def _with_thumbnail(image: bytes) -> bytes:
    """An image with a whole smaller one in its application data, and end markers in a comment."""
    inner = b"Exif\x00\x00" + jpeg(49, 64, 48)
    comment = b"\xff\xfe" + (6).to_bytes(2, "big") + b"\xff\xd9\xff\xd9"
    return (
        image[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + comment + image[2:]
    )


# Name → Content-Type of the answer, what comes first, and what is sent for an image.
MANNERS: dict[str, tuple[str | None, bytes, Callable[[bytes], bytes]]] = {
    "plain": (MIXED, b"--frame\r\n", lambda j: _head(j) + j + b"\r\n--frame\r\n"),
    "no first boundary": (MIXED, b"", lambda j: _head(j) + j + b"\r\n--frame\r\n"),
    "boundary before": (MIXED, b"", lambda j: b"\r\n--frame\r\n" + _head(j) + j),
    "dashes in the type": (
        "multipart/x-mixed-replace; boundary=--frame",
        b"--frame\r\n",
        lambda j: _head(j) + j + b"\r\n--frame\r\n",
    ),
    "quotes": (
        'multipart/x-mixed-replace;boundary="frame"',
        b"--frame\r\n",
        lambda j: _head(j) + j + b"\r\n--frame\r\n",
    ),
    "another boundary": (
        "multipart/x-mixed-replace; boundary=other",
        b"--frame\r\n",
        lambda j: _head(j) + j + b"\r\n--frame\r\n",
    ),
    "image/jpg": (MIXED, b"--frame\r\n", lambda j: _head(j, "image/jpg") + j + b"--frame\r\n"),
    "no type of the part": (MIXED, b"--frame\r\n", lambda j: b"\r\n" + j + b"\r\n--frame\r\n"),
    "no type at all": (None, b"--frame\r\n", lambda j: _head(j) + j + b"\r\n--frame\r\n"),
    "too short a length": (
        MIXED,
        b"--frame\r\n",
        lambda j: _head(j, wrong=-7) + j + b"\r\n--frame\r\n",
    ),
    "too long a length": (
        MIXED,
        b"--frame\r\n",
        lambda j: _head(j, wrong=9) + j + b"\r\n--frame\r\n",
    ),
    "line feeds": (
        MIXED,
        b"--frame\n",
        lambda j: _head(j).replace(b"\r", b"") + j + b"\n--frame\n",
    ),
    "images alone": ("application/octet-stream", b"", lambda j: j),
    "padded images": ("image/jpeg", b"", lambda j: j + bytes(37)),
    "thumbnails": (MIXED, b"--frame\r\n", lambda j: _head(j) + _with_thumbnail(j) + b"--frame\r\n"),
}


@pytest.fixture(scope="module")
def camera() -> Iterator[HttpCamera]:
    with http_camera() as server:
        for name, (kind, first, part) in MANNERS.items():
            server.manners[f"/{name.replace(' ', '%20')}"] = _manner(kind, first, part)
        yield server


def _manner(
    kind: str | None, first: bytes, part: Callable[[bytes], bytes]
) -> Callable[[Request], None]:
    def send(request: Request) -> None:
        parts = itertools.chain([first], map(part, itertools.cycle(IMAGES)))
        request.stream(parts, FPS, **({} if kind is None else {"Content_Type": kind}))

    return send


@pytest.mark.parametrize("name", MANNERS)
def test_every_image_of_an_odd_camera_arrives(name: str, camera: HttpCamera) -> None:
    with Watched("manner", camera.url(f"/{name.replace(' ', '%20')}")) as watched:
        watched.seen.wait(FRAMES)
    watched.check_account(len(IMAGES))


def test_an_answer_in_pieces(camera: HttpCamera) -> None:
    """Chunks of HTTP, cut anywhere, as small cameras send them."""

    def send(request: Request) -> None:
        images = b"".join(_head(image) + image + b"\r\n--frame\r\n" for image in IMAGES)
        cuts = (images[at : at + 1001] for at in range(0, len(images), 1001))
        chunks = (f"{len(cut):x};x=1\r\n".encode() + cut + b"\r\n" for cut in cuts)
        request.stream(chunks, 200, Content_Type=MIXED, Transfer_Encoding="chunked")

    camera.manners["/pieces"] = send
    with Watched("pieces", camera.url("/pieces")) as watched:
        watched.seen.wait(FRAMES)
    watched.check_account(len(IMAGES))


@pytest.mark.parametrize("length", ["0", "4000"])
def test_a_length_of_one_image_is_not_that_of_the_stream(length: str, camera: HttpCamera) -> None:
    parts = [b"--frame\r\n" + _head(image) + image for image in IMAGES]
    camera.manners["/length"] = lambda request: request.stream(
        itertools.cycle(parts), FPS, Content_Type=MIXED, Content_Length=length
    )
    with Watched("length", camera.url("/length")) as watched:
        watched.seen.wait(FRAMES)
    watched.check_account(len(IMAGES))


def test_an_image_is_shown_when_it_ends_not_when_the_next_begins(camera: HttpCamera) -> None:
    def one(request: Request) -> None:
        parts = iter([b"--frame\r\n" + _head(IMAGES[3]) + IMAGES[3], b""])
        request.stream(parts, 0.01, Content_Type=MIXED)

    camera.manners["/one"] = one
    with Watched("one", camera.url("/one")) as watched:
        watched.seen.wait(1)
    assert watched.seen.read == [3]


def test_a_cut_image_costs_no_other(camera: HttpCamera) -> None:
    cut = [image if n != 2 else image[: len(image) // 2] for n, image in enumerate(IMAGES[:8])]

    def send(request: Request) -> None:
        parts = (b"--frame\r\n" + _head(image) + image + b"\r\n" for image in itertools.cycle(cut))
        request.stream(parts, FPS, Content_Type=MIXED)

    camera.manners["/cut"] = send
    with Watched("cut", camera.url("/cut")) as watched:
        watched.seen.wait_until(
            lambda came: {0, 1, 4, 5, 6, 7} <= {number for number, _, _ in came}
        )
    assert watched.ledger.counts()[0].failed > 0
    assert len(watched.states) == 3
