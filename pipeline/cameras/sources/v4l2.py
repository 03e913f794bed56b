"""Cameras of this machine, by Video4Linux."""

from __future__ import annotations

from pipeline.cameras.sources.base import DECODE, Source
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted


def _v4l2(spec: Camera) -> Source:
    """Raw pictures that need no scaling down, else JPEG, which a USB bus carries at full rate."""
    small = f"video/x-raw,width=[1,{spec.width}],height=[1,{spec.height}]"
    launch = (
        f"v4l2src name=source device={quoted(spec.url.path)} "
        f"! {small};image/jpeg;video/x-raw ! {DECODE}"
    )
    return Source(launch)
