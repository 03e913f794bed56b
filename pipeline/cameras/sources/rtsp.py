"""RTSP and RTSPS cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.reach import connected, reach
from pipeline.cameras.sources.base import DECODE, GOOD, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain, secrets_of
from pipeline.cameras.state import Fault
from pipeline.cameras.tunnel import SCHEMES, open_fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    can_choose = spec.url.endpoint is not None and spec.url.endpoint.transports
    transport = "udp" if can_choose and spec.transport == "udp" else "tcp"
    location = _location(spec.url)
    launch = (
        f"rtspsrc name=source location={quoted(location.partition('?')[0])} "
        f"protocols={transport} latency={spec.latency_ms} "
        f"tcp-timeout={round(spec.answer_s * 1e6)} timeout=0 "
        f"add-reference-timestamp-meta=true ! application/x-rtp,media=video ! {DECODE}"
    )
    secrets = secrets_of(spec.url)
    if "location" in secrets:
        secrets["location"] = location
    return Source(launch, secrets=secrets, offers_streams=True)


def _reach(url: CameraUrl, timeout_s: float) -> Fault | None:
    fault = reach(url, timeout_s)
    if fault is not None or url.scheme not in SCHEMES:
        return fault
    try:
        with connected(url, timeout_s) as connection:
            return open_fault(connection, url)
    except OSError:
        return None


def _location(url: CameraUrl) -> str:
    """The address for rtspsrc, which takes 554 for a tunnel that names no port."""
    if url.scheme not in SCHEMES:
        return url.bare
    scheme, _, rest = url.bare.partition("://")
    host, slash, path = rest.partition("/")
    port = "" if host.endswith(f":{url.port}") else f":{url.port}"
    return f"{scheme}://{host}{port}{slash}{path}"


RTSP = SourceKind(
    schemes={
        "rtsp": Endpoint(554, transports=("tcp", "udp"), speaks="RTSP"),
        "rtsps": Endpoint(322, "tls", speaks="RTSP"),
        "rtsph": Endpoint(80, speaks="HTTP"),
        "rtspsh": Endpoint(443, "tls", speaks="HTTP"),
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
            "basic and digest login (MD5, SHA-256); only the first video is requested, no sound "
            "and no metadata",
        ),
        Row(
            "`rtsps://host[:322]/path`",
            "the same inside TLS, always over TCP",
            "trusts the certificates of the system, or those in the file that `SSL_CERT_FILE` "
            "names",
        ),
        Row(
            "`rtsph://host[:80]/path`, `rtspsh://host[:443]/path`",
            "RTSP through a tunnel of HTTP or HTTPS, where a firewall lets nothing else pass",
            "always over TCP; tunnels of WebSocket (`ws://`) are not supported, for GStreamer has "
            "none",
        ),
    ),
    source=_source,
    parts=(Part("rtspsrc", "rtsp:// cameras", GOOD), Part("rtpbin", "rtsp:// cameras", GOOD)),
    explain=explain,
    reach=_reach,
)
