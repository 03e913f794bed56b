"""RTSP and RTSPS cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.sources.base import DECODE, GOOD, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain, secrets_of
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

TCP_TIMEOUT_US = 5_000_000


def _source(spec: Camera) -> Source:
    can_choose = spec.url.endpoint is not None and spec.url.endpoint.transports
    transport = spec.transport if can_choose else "tcp"
    launch = (
        f"rtspsrc name=source location={quoted(spec.url.bare.partition('?')[0])} "
        f"protocols={transport} latency={spec.latency_ms} tcp-timeout={TCP_TIMEOUT_US} "
        f"add-reference-timestamp-meta=true ! application/x-rtp,media=video ! {DECODE}"
    )
    return Source(launch, secrets=secrets_of(spec.url), offers_streams=True)


RTSP = SourceKind(
    schemes={
        "rtsp": Endpoint(554, transports=("tcp", "udp"), speaks="RTSP"),
        "rtsps": Endpoint(322, "tls", speaks="RTSP"),
    },
    form="rtsp[s]://",
    title="RTSP",
    start="rtsp://",
    example="rtsp://192.0.2.10/stream1",
    hint="Most network cameras. The path is in the camera's manual.",
    rows=(
        Row(
            "`rtsp://host[:554]/path`",
            "RTP over RTSP: H.264, H.265, MJPEG and whatever else GStreamer decodes",
            "basic and digest login (MD5, SHA-256); sound and metadata are not requested",
        ),
        Row(
            "`rtsps://host[:322]/path`",
            "the same inside TLS, always over TCP",
            "trusts the certificates of the system, or those in the file that `SSL_CERT_FILE` "
            "names",
        ),
    ),
    source=_source,
    parts=(Part("rtspsrc", "rtsp:// cameras", GOOD), Part("rtpbin", "rtsp:// cameras", GOOD)),
    explain=explain,
)
