"""MJPEG over HTTP and HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.http_login import log_in
from pipeline.cameras.sources.base import GOOD, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain, secrets_of
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

HTTP_TIMEOUT_S = 5
_MJPEG = Contents("MJPEG", frozenset({"images"}))


def _source(spec: Camera) -> Source:
    """MJPEG: every image is a key frame. decodebin would wait for the multipart's end."""
    location = quoted(spec.url.bare.partition("?")[0])
    launch = (
        f"souphttpsrc name=source location={location} is-live=true do-timestamp=true "
        f"timeout={HTTP_TIMEOUT_S} retries=0 ! multipartdemux single-stream=true "
        "! image/jpeg ! jpegdec name=decode"
    )
    return Source(launch, secrets=secrets_of(spec.url), contents=_MJPEG)


HTTP = SourceKind(
    schemes={"http": Endpoint(80, speaks="HTTP"), "https": Endpoint(443, "tls", speaks="HTTP")},
    form="http[s]:// (MJPEG)",
    title="MJPEG",
    start="http://",
    example="http://192.0.2.10/video.mjpg",
    hint="MJPEG: JPEG images over HTTP, one after another.",
    rows=(
        Row(
            "`http://host/path`, `https://…`",
            "MJPEG (`multipart/x-mixed-replace`)",
            "basic and digest login (MD5, SHA-256)",
        ),
    ),
    source=_source,
    parts=(
        Part("souphttpsrc", "http:// MJPEG cameras", GOOD),
        Part("multipartdemux", "http:// MJPEG cameras", GOOD),
        Part("jpegdec", "MJPEG", GOOD),
    ),
    log_in=log_in,
    explain=explain,
)
