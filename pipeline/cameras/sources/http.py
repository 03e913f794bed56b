"""MJPEG over HTTP and HTTPS."""

from __future__ import annotations

from pipeline.cameras.sources.base import Source, secrets_of
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted

HTTP_TIMEOUT_S = 5


def _http(spec: Camera) -> Source:
    """MJPEG: every picture is a key frame. decodebin would wait for the multipart's end."""
    location = quoted(spec.url.bare.partition("?")[0])
    launch = (
        f"souphttpsrc name=source location={location} is-live=true do-timestamp=true "
        f"timeout={HTTP_TIMEOUT_S} retries=0 ! multipartdemux single-stream=true "
        "! image/jpeg ! jpegdec name=decode"
    )
    return Source(launch, secrets=secrets_of(spec.url))
