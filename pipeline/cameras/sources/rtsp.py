"""RTSP and RTSPS cameras."""

from __future__ import annotations

from pipeline.cameras.sources.base import DECODE, Source, secrets_of
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted

TCP_TIMEOUT_US = 5_000_000


def _rtsp(spec: Camera) -> Source:
    transport = "tcp" if spec.url.scheme == "rtsps" else spec.transport
    launch = (
        f"rtspsrc name=source location={quoted(spec.url.bare.partition('?')[0])} "
        f"protocols={transport} latency={spec.latency_ms} tcp-timeout={TCP_TIMEOUT_US} "
        f"add-reference-timestamp-meta=true ! application/x-rtp,media=video ! {DECODE}"
    )
    return Source(launch, secrets=secrets_of(spec.url))
