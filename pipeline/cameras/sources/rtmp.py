"""RTMP and RTMPS servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import BAD, DECODE, GOOD, Meaning, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Address, Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _check(url: Address) -> None:
    if not all(url.path.strip("/").partition("/")):
        raise ValueError(f'path "{url.path}": expected /application/stream')


def _source(spec: Camera) -> Source:
    """By name, ``flv.video`` needs no wait for the sound that every FLV header promises.

    Sound that comes before the first image ends the stream unless something takes it. The valve is
    no sink, so an end does not wait for sound that never came.
    """
    url = spec.url
    _check(url)
    location = quoted(url.bare.partition("?")[0])
    timeout_s = max(1, int(spec.answer_s) - 1)  # before the camera is given up without its word
    launch = (
        f"rtmp2src name=source location={location} timeout={timeout_s} "
        f"! flvdemux name=flv flv.audio ! valve drop=true flv.video ! {DECODE}"
    )
    secrets = {
        "location": url.bare if url.query else "",
        "username": url.username or "",
        "password": url.password or "",
    }
    return Source(launch, secrets={name: value for name, value in secrets.items() if value})


def _explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    if "not found" in words or "play denied" in words:
        return explain(url, "missing", words)
    if "Short read" in words:  # of the handshake
        return Fault(FaultCode.NOT_VIDEO, FaultCode.NOT_VIDEO.words)
    return explain(url, meaning, words)


RTMP = SourceKind(
    schemes={"rtmp": Endpoint(1935), "rtmps": Endpoint(443, "tls")},
    form="rtmp[s]://",
    title="RTMP",
    start="rtmp://",
    example="rtmp://192.0.2.10/live/gate",
    hint="A stream of an RTMP server, as application/stream.",
    rows=(
        Row(
            "`rtmp://host[:1935]/app/stream`",
            "RTMP, pulled from a server: H.264",
            "login in front of the host, or in the query as servers want it",
        ),
        Row(
            "`rtmps://host[:443]/app/stream`",
            "the same inside TLS",
            "trusts the same certificates as `rtsps://`",
        ),
    ),
    check=_check,
    source=_source,
    parts=(Part("rtmp2src", "rtmp:// cameras", BAD), Part("flvdemux", "RTMP", GOOD)),
    explain=_explain,
)
