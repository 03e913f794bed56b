"""RTMP and RTMPS servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.rtmp_client import RtmpClient
from pipeline.cameras.sources.base import BASE, DECODE, GOOD, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain
from pipeline.cameras.state import Fault
from pipeline.cameras.web import FetchError
from pipeline.config.source_kinds import Address, Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

# Of an FLV file (Adobe, FLV file format specification 10.1, annex E) that holds video alone.
_HEADER = b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00"
_VIDEO = b"\x09"
_COMMAND = 5  # a kind of frame that is none
_KNOWN = {2, 3, 4, 5, 6, 7}  # codecs that flvdemux reads
_NAMES = {b"hvc1": "H.265", b"av01": "AV1", b"vp09": "VP9", b"vvc1": "H.266", 12: "H.265"}


class FlvStream:
    """The video that a server sends, as FLV; of whichever message stream it is, and no sound."""

    def __init__(self, spec: Camera) -> None:
        self.next_number = 0
        self.is_cut = self.is_finite = False
        self.date_off_s = None  # RTMP names no date
        self._client = RtmpClient(spec.url, spec.answer_s)
        self._plays_s: float | None = None

    @property
    def calm_until_s(self) -> float:
        """Until a step has to be answered; from the beginning of the stream on, that."""
        return self._client.due_s if self._plays_s is None else self._plays_s

    def chunks(self, stop: Event) -> Iterator[bytes]:
        """Yield the header, and a tag for each message with video.

        Raises:
            FetchError: the server does not answer, or refuses, or sends a codec that FLV has not.
        """
        self._client.play()
        self._plays_s = time.monotonic()
        yield _HEADER
        for time_ms, content in self._client.video():
            if stop.is_set():
                return
            if (content[0] >> 4) & 7 != _COMMAND:
                yield tag(time_ms, content)

    def abort(self) -> None:
        """End the connection that is under way."""
        self._client.abort()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def tag(time_ms: int, content: bytes) -> bytes:
    """Return a message with video as a tag of FLV.

    Raises:
        FetchError: its codec is none that FLV has.
    """
    codec = content[0] & 0xF
    if content[0] & 0x80 or codec not in _KNOWN:  # the first bit: its name stands behind
        name = _NAMES.get(content[1:5] if content[0] & 0x80 else codec, "an unknown codec")
        words = f"no decoder for this video: {name} over RTMP"
        raise FetchError(Fault(FaultCode.NO_DECODER, words))
    size, low = len(content).to_bytes(3, "big"), (time_ms & 0xFFFFFF).to_bytes(3, "big")
    head = _VIDEO + size + low + bytes([time_ms >> 24, 0, 0, 0])
    return head + content + (len(content) + len(head)).to_bytes(4, "big")


def _check(url: Address) -> None:
    if not all(url.path.strip("/").partition("/")):
        raise ValueError(f'path "{url.path}": expected /application/stream')


def _source(spec: Camera) -> Source:
    """By name, ``flv.video`` needs no wait for anything else."""
    _check(spec.url)
    launch = (
        "appsrc name=source is-live=true do-timestamp=true format=time caps=video/x-flv "
        f"! flvdemux name=flv flv.video ! {DECODE}"
    )
    return Source(launch, fetch=lambda _first: FlvStream(spec))


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
            "login in front of the host, or in the query as servers want it; "
            "`ffmpeg … -c copy -f flv -listen 1 rtmp://…` is such a server",
        ),
        Row(
            "`rtmps://host[:443]/app/stream`",
            "the same inside TLS",
            "trusts the same certificates as `rtsps://`",
        ),
    ),
    check=_check,
    source=_source,
    parts=(Part("appsrc", "rtmp:// cameras", BASE), Part("flvdemux", "RTMP", GOOD)),
    explain=explain,
)
