"""MPEG-TS and RTP over UDP, unicast and multicast."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from pipeline.cameras.sources.base import BAD, DECODE, GOOD, Part, Source, SourceKind
from pipeline.cameras.sources.query import Keys, options_of
from pipeline.cameras.sources.receiver import MPEG_TS, explain, host_of, reach, sender_of
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Address, Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

# Value of ``encoding`` → what RTP calls it.
ENCODINGS = {"TS": "MP2T", "H264": "H264", "H265": "H265", "JPEG": "JPEG"}
KEYS: Keys = {
    "encoding": ("|".join(ENCODINGS), f"one of {', '.join(ENCODINGS)} (rtp only)"),
    "interface": (r"[^\s,/]{1,15}", "the name of a network interface, such as eth0"),
    "buffer": (r"[1-9]\d{3,8}", "bytes of the socket's buffer, 1000 to 999999999"),
}


def _options(query: str) -> dict[str, str]:
    return options_of(query, KEYS)


def _check(url: Address) -> dict[str, str]:
    options = _options(url.query)
    if "encoding" in options and url.scheme != "rtp":
        raise ValueError(f'"encoding={options["encoding"]}": expected rtp://, udp:// is MPEG-TS')
    return options


def _source(spec: Camera) -> Source:
    url = spec.url
    options = _check(url)
    caps, behind = MPEG_TS, ""
    if url.scheme == "rtp":
        name = ENCODINGS[options.get("encoding", "TS")]
        caps = f"application/x-rtp,media=video,clock-rate=90000,encoding-name={name}"
        behind = f"rtpjitterbuffer latency={spec.latency_ms} ! "
    launch = (
        f"udpsrc name=source address={quoted(host_of(url))} port={url.port} "
        f"reuse={str(_is_multicast(url.host)).lower()} buffer-size={options.get('buffer', 0)} "
        f"caps={quoted(caps)} "
    )
    if interface := options.get("interface"):
        launch += f"multicast-iface={quoted(interface)} "
    return Source(f"{launch}! {behind}{DECODE}", sender=sender_of(url))


def _is_multicast(host: str) -> bool:
    """Only there may several programs receive the same; of one sender's packets one gets all."""
    try:
        return ip_address(host).is_multicast
    except ValueError:
        return False


UDP = SourceKind(
    schemes={
        scheme: Endpoint(None, "udp", needs_host=False, has_login=False)
        for scheme in ("udp", "rtp")
    },
    form="udp://, rtp://",
    title="UDP",
    start="udp://",
    example="udp://239.255.0.1:5000",
    hint="A stream that an encoder sends to a port of the worker's machine, or to a group.",
    rows=(
        Row(
            "`udp://:5000`, `udp://239.255.0.1:5000`",
            "MPEG-TS that a sender sends to this port, or to this multicast group",
            "`?interface=eth0` for multicast; `buffer=BYTES` of the socket, at most the system's "
            "`net.core.rmem_max`",
        ),
        Row(
            "`rtp://:5004?encoding=H264`",
            "the same as RTP: `encoding` is TS (default), H264, H265 or JPEG",
            "`latency_ms` is the jitter buffer",
        ),
    ),
    check_query=_options,
    check=_check,
    source=_source,
    parts=(
        Part("udpsrc", "udp:// and rtp:// cameras", GOOD),
        Part("tsdemux", "MPEG-TS", BAD),
        Part("rtpjitterbuffer", "rtp:// cameras", GOOD),
        Part("rtpmp2tdepay", "MPEG-TS over RTP", GOOD),
    ),
    reach=reach,
    explain=explain,
)
