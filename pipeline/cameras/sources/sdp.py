"""RTP as an SDP file describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.sources.base import BAD, DECODE, GOOD, Part, Source, SourceKind
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


def _reach(_url: CameraUrl, _timeout_s: float) -> Fault | None:
    """Only the file knows the addresses."""
    return None


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
    has_query=False,
    source=_source,
    parts=(
        Part("sdpdemux", "sdp: files", BAD),
        Part("rtpbin", "RTP", GOOD),
        Part("udpsrc", "RTP over UDP", GOOD),
    ),
    reach=_reach,
    explain=explain,
)
