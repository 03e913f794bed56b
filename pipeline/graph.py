"""The GStreamer graph of one camera as launch text. Pure: gi is not needed to make or test it."""

from __future__ import annotations

from pipeline.config.camera import Camera
from pipeline.sources import source_of
from pipeline.stages import quoted

# Where a stream names no colorimetry GStreamer guesses it from the size: bt709 from 720p up, bt601
# below. Scaling 720p down then adds a conversion between the two, +2.4 ms a frame.
_COLORIMETRY = "capssetter caps=video/x-raw,colorimetry=bt601 join=true"
_NEWEST = "queue name=newest max-size-buffers=1 max-size-bytes=0 max-size-time=0 leaky=downstream"
_EVERY = "queue name=newest max-size-buffers=4 max-size-bytes=0 max-size-time=0"


def camera_graph(name: str, spec: Camera, stages: str) -> str:
    """Launch text of one camera's whole graph.

    The rate limit is no element: GStreamer 1.22's videorate ends the process by an assertion on
    frames without duration, as cameras send them, so it is applied where frames are counted
    (``pipeline/gst/probes.py``), at the sink pad of the queue named ``newest``.

    Args:
        name: the camera's name; it becomes the pipeline's.
        spec: the camera.
        stages: launch text of what stands behind the RGB caps, up to a sink.

    Raises:
        ValueError: a ``test://`` address with a query that means nothing.
    """
    parts = [source_of(spec).launch]
    if spec.url.scheme != "test":
        parts.append(_COLORIMETRY)
    every_frame = spec.url.scheme == "file" and spec.pace == "every_frame"
    if spec.url.scheme == "file" and not every_frame:
        parts.append("identity sync=true")
    parts += [
        _EVERY if every_frame else _NEWEST,
        "videoscale",
        "videoconvert",
        f'capsfilter caps="{analysis_caps(spec)}"',
        stages,
    ]
    return f"pipeline.( name={quoted(name)} {' ! '.join(parts)} )"


def analysis_caps(spec: Camera) -> str:
    """RGB of at most the analysis size; the ranges keep the picture's shape and never enlarge."""
    return (
        f"video/x-raw,format=RGB,width=[1,{spec.width}],height=[1,{spec.height}],"
        "pixel-aspect-ratio=1/1"
    )
