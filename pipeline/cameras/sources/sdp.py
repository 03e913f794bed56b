"""RTP as an SDP file describes it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.sources import receiver
from pipeline.cameras.sources.base import BAD, DECODE, GOOD, Meaning, Part, Source, SourceKind
from pipeline.cameras.sources.file import explain
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    """Without a limit of its own: a sender is waited for, as by every kind that receives."""
    launch = (
        f"filesrc name=source location={quoted(spec.url.path)} ! sdpdemux timeout=0 "
        f"latency={spec.latency_ms} ! application/x-rtp,media=video ! {DECODE}"
    )
    return Source(launch, sender=f"the addresses in {spec.url.path}")


def _ports(url: CameraUrl) -> list[str]:
    """The ports to which video is sent; sdpdemux opens them at any address, but for a group's.

    Raises:
        OSError: the file cannot be read.
    """
    text = Path(url.path).read_text("utf-8", "replace")
    return re.findall(r"^m=video ([1-9]\d{0,4})\b", text, re.MULTILINE)


def _reach(url: CameraUrl, _timeout_s: float) -> Fault | None:
    """Check that there is something to wait for."""
    with suppress(OSError):  # GStreamer has read it
        if not _ports(url):
            words = f"not a readable video: {url.path} describes none"
            return Fault(FaultCode.UNREADABLE, words)
    return None


def _explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """Errors are of the file, or of a port that it names."""
    if meaning == "settings":
        with suppress(OSError):
            for port in _ports(url):
                return receiver.explain(CameraUrl(f"rtp://:{port}"), meaning, words)
    return explain(url, meaning, words)


SDP = SourceKind(
    schemes={"sdp": None},
    form="sdp:PATH",
    title="SDP file",
    start="sdp:",
    example="sdp:/cameras/gate.sdp",
    hint="RTP that is sent as a file on the worker's machine describes.",
    rows=(
        Row(
            "`sdp:gate.sdp`",
            "RTP over UDP, described by a file in SDP",
            "addresses, encodings and parameter sets are in the file; `latency_ms`",
        ),
    ),
    needs_path=True,
    reads_files=True,
    has_query=False,
    source=_source,
    parts=(
        Part("sdpdemux", "sdp: files", BAD),
        Part("rtpbin", "RTP", GOOD),
        Part("udpsrc", "RTP over UDP", GOOD),
    ),
    reach=_reach,
    explain=_explain,
)
