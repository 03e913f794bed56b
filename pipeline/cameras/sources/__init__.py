"""From an address to the GStreamer elements that give its pictures: launch text, without gi."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.cameras.sources.base import Source
from pipeline.cameras.sources.file import _file
from pipeline.cameras.sources.http import _http
from pipeline.cameras.sources.rtsp import _rtsp
from pipeline.cameras.sources.synthetic import _test
from pipeline.cameras.sources.v4l2 import _v4l2
from pipeline.config.camera import Camera


def source_of(spec: Camera) -> Source:
    """The source of one camera.

    Raises:
        ValueError: a ``test://`` address with a query that means nothing.
    """
    return _SOURCES[spec.url.scheme](spec)


_SOURCES: dict[str, Callable[[Camera], Source]] = {
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "http": _http,
    "https": _http,
    "file": _file,
    "v4l2": _v4l2,
    "test": _test,
}
