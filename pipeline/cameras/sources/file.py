"""Video files."""

from __future__ import annotations

from pipeline.cameras.sources.base import DECODE, Source
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted


def _file(spec: Camera) -> Source:
    return Source(f"filesrc name=source location={quoted(spec.url.path)} ! {DECODE}", live=False)
