"""MJPEG over HTTP and HTTPS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import TYPE_CHECKING

from pipeline.cameras.content import fault_of_content
from pipeline.cameras.jpeg_stream import ImageSplitter
from pipeline.cameras.sources.base import BASE, GOOD, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import (
    bounded,
    expected_blocks,
    explain,
    http_schemes,
)
from pipeline.cameras.web import FetchError, Web
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

_PAUSE_S = 600.0  # between two images; the watchdog is there before
_AT_ONCE_S = 1.0  # an image without a length that is all that came by then is not one of a stream
_STREAM = Contents("MJPEG", frozenset({"images"}))
_BARE = Contents("MJPEG", frozenset({"images", "image"}))


class Images:
    """The images that a camera sends as one endless answer.

    Boundaries, types and lengths between them are wrong or missing in many cameras, and GStreamer's
    multipartdemux depends on them: so the images alone are looked for.
    """

    def __init__(self, spec: Camera) -> None:
        self.next_number = 0
        self.is_cut = self.is_finite = False
        self.calm_until_s = time.monotonic() + spec.answer_s
        self._address = spec.url.location
        self._web = Web(spec.url, spec.answer_s, _PAUSE_S)

    def chunks(self, stop: Event) -> Iterator[bytes]:
        """Yield each image, whole; b"" for one that is damaged.

        Raises:
            FetchError: the camera does not answer, or not with images.
        """
        answer = self._web.get(self._address)
        self.calm_until_s = time.monotonic()
        is_endless = "content-length" not in answer.headers
        splitter, began_s, came = ImageSplitter(), time.monotonic(), 0
        for block in expected_blocks(answer, _BARE if is_endless else _STREAM):
            for image in splitter.feed(block):
                came += 1
                yield bounded(image)
            if stop.is_set():
                return
        kind = answer.headers.get("content-type", "")
        if came == 1 and time.monotonic() - began_s < _AT_ONCE_S and "multipart" not in kind:
            raise FetchError(fault_of_content("image", kind or "JPEG", _STREAM.name))

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


def _source(spec: Camera) -> Source:
    """Every image is a key frame."""
    launch = (
        "appsrc name=source is-live=true do-timestamp=true format=time caps=image/jpeg "
        "! jpegdec name=decode max-errors=-1"
    )
    return Source(launch, fetch=lambda _first: Images(spec))


HTTP = SourceKind(
    schemes=http_schemes("") | http_schemes("mjpeg+"),
    form="http[s]:// (MJPEG)",
    title="MJPEG",
    start="http://",
    example="http://192.0.2.10/video.mjpg",
    hint="MJPEG: JPEG images over HTTP, one after another.",
    rows=(
        Row(
            "`http://host/path`, `https://…`",
            "MJPEG: JPEG images in one endless answer, whatever stands between them",
            "basic and digest login (MD5, SHA-256); `mjpeg+http://…` where the path ends like a "
            "recording",
        ),
    ),
    source=_source,
    parts=(
        Part("appsrc", "http:// MJPEG cameras", BASE),
        Part("jpegdec", "MJPEG", GOOD),
    ),
    explain=explain,
)
