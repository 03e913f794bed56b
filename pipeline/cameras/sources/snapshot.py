"""Cameras that are asked for one image after another."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from threading import Event
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.content import BEGIN_BYTES, content_of, fault_of_content
from pipeline.cameras.images import SIGNATURES, is_whole
from pipeline.cameras.jpeg_stream import MOST_BYTES, ImageSplitter
from pipeline.cameras.sources.base import BASE, DECODE, GOOD, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import bounded, expected_blocks, explain, http_schemes
from pipeline.cameras.web import Answer, FetchError, Web
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

DEFAULT_FPS = 1.0
_MISSES = 2  # answers in a row that may be no image, once images came
_PASSING = {
    FaultCode.UNAVAILABLE,
    FaultCode.CAMERA_ERROR,
    FaultCode.WEB_PAGE,
    FaultCode.OTHER_CONTENT,
}
_IMAGE = Contents("a snapshot", frozenset({"image", "images"}))


class Snapshots:
    """Images of one camera at its rate; one that has not changed since is not sent again.

    Args:
        spec: the camera.
    """

    def __init__(self, spec: Camera) -> None:
        self.next_number = 0
        self.is_cut = self.is_finite = False
        self._address = spec.url.location
        self._answer_s = spec.answer_s
        self._every_s = 1 / (spec.most_fps or DEFAULT_FPS)
        self._web = Web(spec.url, spec.answer_s)
        self._known: dict[str, str] = {}  # conditions: of the image that came last
        self._misses = _MISSES  # until an image came each answer has to be one
        self.calm_until_s = time.monotonic() + spec.answer_s

    def chunks(self, stop: Event) -> Iterator[bytes]:
        """Yield each image, whole; b"" for one that is damaged.

        Raises:
            FetchError: the camera does not answer, or not with an image.
        """
        due_s = time.monotonic()
        while not stop.wait(max(0.0, due_s - time.monotonic())):
            image = self._ask()
            due_s = max(due_s + self._every_s, time.monotonic())
            if image is None:
                self._be_calm(due_s)
                continue
            if is_whole(image):
                self._be_calm(due_s)
            yield image if is_whole(image) else b""

    def _ask(self) -> bytes | None:
        """Return the newest image; None where it has not changed, b"" for an answer without one."""
        try:
            answer = self._web.get(self._address, self._known)
            image = bounded(_image_of(answer)) if answer.status != 304 else None
        except FetchError as error:
            self._misses += 1
            if self._misses > _MISSES or error.fault.code not in _PASSING:
                raise
            return b""
        if image is None or is_whole(image):
            self._misses = 0
        if image is not None and is_whole(image):
            self._known = _conditions(answer.headers)
        return image

    @property
    def date_off_s(self) -> float | None:
        """How far the camera's clock is ahead, by the date of its newest answer."""
        return self._web.date_off_s

    def abort(self) -> None:
        """End the request that is under way."""
        self._web.abort()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _be_calm(self, due_s: float) -> None:
        """A late answer ends by the time limit of its request, and one bad image is no stall."""
        self.calm_until_s = due_s + self._every_s + 2 * self._answer_s


def _image_of(answer: Answer) -> bytes:
    """Return the answer's image, of a stream of images the first; b"" for one that has no end."""
    splitter, image = ImageSplitter(), bytearray()
    is_stream = answer.headers.get("content-type", "").lower().startswith("multipart/")
    for block in expected_blocks(answer, _IMAGE):
        if is_stream and (first := next(splitter.feed(block), None)) is not None:
            return first
        image += block
        if len(image) > MOST_BYTES:
            return b""
    content, name = content_of(answer.headers.get("content-type", ""), bytes(image[:BEGIN_BYTES]))
    if content == "image" and image and not image.startswith(SIGNATURES):
        raise FetchError(fault_of_content("other", name, _IMAGE.name))
    return bytes(image)


def _conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """What makes the next request one for an image that is newer than this answer's."""
    pairs = {"If-None-Match": "etag", "If-Modified-Since": "last-modified"}
    return {asked: headers[told] for asked, told in pairs.items() if told in headers}


def _source(spec: Camera) -> Source:
    launch = f"appsrc name=source is-live=true do-timestamp=true format=time ! {DECODE}"
    return Source(launch, fetch=lambda _first: Snapshots(spec), keeps_rate=True)


SNAPSHOT = SourceKind(
    schemes=http_schemes("snapshot+"),
    form="snapshot+http[s]://",
    title="Snapshots",
    start="snapshot+http://",
    example="snapshot+http://192.0.2.10/snapshot.jpg",
    hint="One JPEG or PNG image each time it is asked for; the maximum rate says how often.",
    rows=(
        Row(
            "`snapshot+http[s]://host/image.jpg`",
            "a camera that gives one JPEG or PNG image at a time",
            "asked `fps` times a second, once without it; basic and digest login; an answer “not "
            "modified” is no frame and no silence",
        ),
    ),
    source=_source,
    parts=(
        Part("appsrc", "snapshots", BASE),
        Part("jpegdec", "snapshots", GOOD),
        Part("pngdec", "snapshots that are PNG", GOOD),
    ),
    explain=explain,
)
