"""From an address to the GStreamer elements that give its pictures: launch text, without gi."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.config.camera import Camera
from pipeline.stages import quoted
from pipeline.synthetic import SyntheticOptions
from pipeline.urls import CameraUrl

TCP_TIMEOUT_US = 5_000_000
HTTP_TIMEOUT_S = 5

_DECODE = "decodebin name=decode expose-all-streams=false caps=video/x-raw(ANY)"


@dataclass(frozen=True, slots=True)
class Source:
    """What a camera's address asks for.

    Attributes:
        launch: elements from the source to raw video; the first is named ``source``.
        live: the source goes on for ever, at a pace of its own.
        secrets: properties of ``source`` that are set behind the text's back, since the text is
            shown and logged.
    """

    launch: str
    live: bool = True
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def source_of(spec: Camera) -> Source:
    """The source of one camera.

    Raises:
        ValueError: a ``test://`` address with a query that means nothing.
    """
    return _SOURCES[spec.url.scheme](spec)


def _secrets(url: CameraUrl) -> dict[str, str]:
    """Many cameras take user and password in the query, so that is withheld from the text too."""
    secrets = {"user-id": url.username or "", "user-pw": url.password or ""}
    if url.query:
        secrets["location"] = url.bare
    return {name: value for name, value in secrets.items() if value}


def _rtsp(spec: Camera) -> Source:
    transport = "tcp" if spec.url.scheme == "rtsps" else spec.transport
    launch = (
        f"rtspsrc name=source location={quoted(spec.url.bare.partition('?')[0])} "
        f"protocols={transport} latency={spec.latency_ms} tcp-timeout={TCP_TIMEOUT_US} "
        f"add-reference-timestamp-meta=true ! application/x-rtp,media=video ! {_DECODE}"
    )
    return Source(launch, secrets=_secrets(spec.url))


def _http(spec: Camera) -> Source:
    """MJPEG: every picture is a key frame. decodebin would wait for the multipart's end."""
    location = quoted(spec.url.bare.partition("?")[0])
    launch = (
        f"souphttpsrc name=source location={location} is-live=true do-timestamp=true "
        f"timeout={HTTP_TIMEOUT_S} retries=0 ! multipartdemux single-stream=true "
        "! image/jpeg ! jpegdec name=decode"
    )
    return Source(launch, secrets=_secrets(spec.url))


def _file(spec: Camera) -> Source:
    return Source(f"filesrc name=source location={quoted(spec.url.path)} ! {_DECODE}", live=False)


def _v4l2(spec: Camera) -> Source:
    """Raw pictures that need no scaling down, else JPEG, which a USB bus carries at full rate."""
    small = f"video/x-raw,width=[1,{spec.width}],height=[1,{spec.height}]"
    launch = (
        f"v4l2src name=source device={quoted(spec.url.path)} "
        f"! {small};image/jpeg;video/x-raw ! {_DECODE}"
    )
    return Source(launch)


def _test(spec: Camera) -> Source:
    options = SyntheticOptions.of_query(spec.url.query)
    caps = (
        f"video/x-raw,format=RGB,width={options.width},height={options.height},"
        f"framerate={options.fps}/1"
    )
    return Source(f"appsrc name=source is-live=true do-timestamp=true format=time caps={caps}")


_SOURCES: dict[str, Callable[[Camera], Source]] = {
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "http": _http,
    "https": _http,
    "file": _file,
    "v4l2": _v4l2,
    "test": _test,
}
