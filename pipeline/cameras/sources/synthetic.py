"""The synthetic camera, test://."""

from __future__ import annotations

from pipeline.cameras.sources.base import Source
from pipeline.config.camera import Camera
from pipeline.config.synthetic_options import SyntheticOptions


def _test(spec: Camera) -> Source:
    options = SyntheticOptions.of_query(spec.url.query)
    caps = (
        f"video/x-raw,format=RGB,width={options.width},height={options.height},"
        f"framerate={options.fps}/1"
    )
    return Source(f"appsrc name=source is-live=true do-timestamp=true format=time caps={caps}")
