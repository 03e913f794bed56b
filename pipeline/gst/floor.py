"""Decoding and scaling alone: what no line of this kind can do without."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path

import cv2
import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.config.launch import quoted
from pipeline.gst.decoders import one_thread
from plugins.elements import register

_FLOOR = (
    "filesrc location={clip} ! decodebin name=decode "
    "! {to_rgb} ! video/x-raw,format=RGB,width=[1,{width}],height=[1,{width}],"
    "pixel-aspect-ratio=1/1 ! fakesink sync=false"
)
_RECEIVED = (
    "rtspsrc location={url} protocols=tcp latency=100 ! rtph264depay ! h264parse "
    "! avdec_h264 max-threads=1 ! fakesink name=end sync=false"
)
_FIRST_FRAME_S = 30.0
_TRIM = (
    "filesrc location={clip} ! qtdemux ! h264parse ! identity eos-after={after} "
    "! mp4mux ! filesink location={out}"
)


def prepare_decoding(
    clip: Path, cameras: int, width: int = 640, to_rgb: str = "mirrgb"
) -> Callable[[], None]:
    """Build pipelines that decode and scale a whole clip to RGB, and bring each to its first frame.

    Args:
        clip: the clip.
        cameras: how many pipelines.
        width: most pixels, either way.
        to_rgb: launch text of what scales and converts.

    Returns:
        What runs them, all at once, to the end of the clip.

    Raises:
        RuntimeError: the clip does not decode; also from the call.
    """
    Gst.init(None)
    register()
    cv2.setNumThreads(1)  # as a worker does
    text = _FLOOR.format(clip=quoted(str(clip)), width=width, to_rgb=to_rgb)
    pipelines = [Gst.parse_launch(text) for _ in range(cameras)]
    for pipeline in pipelines:
        pipeline.get_by_name("decode").connect(
            "deep-element-added", lambda _bin, _sub, element: one_thread(element)
        )
        pipeline.set_state(Gst.State.PAUSED)
    for pipeline in pipelines:
        if pipeline.get_state(Gst.CLOCK_TIME_NONE)[0] == Gst.StateChangeReturn.FAILURE:
            _run(pipelines)  # says why
    return partial(_run, pipelines)


@contextmanager
def receiving(urls: Sequence[str]) -> Iterator[Callable[[], int]]:
    """Receive and decode RTSP cameras of H.264, and nothing else; yield what counts the frames.

    Raises:
        RuntimeError: a camera does not come.
    """
    Gst.init(None)
    pipelines = [Gst.parse_launch(_RECEIVED.format(url=quoted(url))) for url in urls]

    def decoded() -> int:
        stats = [pipeline.get_by_name("end").get_property("stats") for pipeline in pipelines]
        return sum(each.get_uint64("rendered")[1] for each in stats)

    try:
        for pipeline in pipelines:
            pipeline.set_state(Gst.State.PLAYING)
        deadline_s = time.monotonic() + _FIRST_FRAME_S
        while decoded() < len(pipelines):
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"no frame of {', '.join(urls)} in {_FIRST_FRAME_S:.0f} s")
            time.sleep(0.1)
        yield decoded
    finally:
        for pipeline in pipelines:
            pipeline.set_state(Gst.State.NULL)


def trim_clip(clip: Path, frames: int, folder: Path) -> Path:
    """The first ``frames`` coded images of an H.264 MP4 as a file of its own, made once.

    Raises:
        RuntimeError: ``clip`` is no such file.
    """
    out = folder / f"{clip.stem}-{frames}.mp4"
    if not out.exists():
        Gst.init(None)
        folder.mkdir(parents=True, exist_ok=True)
        part = out.with_suffix(".part")
        # identity lets one buffer less through than it is told. Behind a decoder it would not
        # even do that: frames that the decoder still holds slip past it.
        text = _TRIM.format(clip=quoted(str(clip)), after=frames + 1, out=quoted(str(part)))
        try:
            _run([Gst.parse_launch(text)])
        except RuntimeError as error:
            raise RuntimeError(f"{clip}: expected an H.264 MP4: {error}") from error
        _turn_alike(clip, part)
        part.rename(out)
    return out


def _turn_alike(clip: Path, part: Path) -> None:
    """Write the rotation of a clip's video into its copy: mp4mux leaves it out."""
    with (
        clip.open("rb") as file,
        mmap(file.fileno(), 0, access=ACCESS_READ) as original,
        part.open("r+b") as made,
        mmap(made.fileno(), 0) as copy,
    ):
        source, target = _matrix(original), _matrix(copy)
        copy[target] = original[source]


def _matrix(mp4: mmap) -> slice:
    """The matrix of the first track that has a width (ISO/IEC 14496-12, 8.3.2); else nothing."""
    for box in re.finditer(rb"\0\0\0(?:\x5ctkhd\0|\x68tkhd\x01)", mp4):
        begin = box.start() + int(mp4[box.start() + 3]) - 44
        if any(mp4[begin + 36 : begin + 40]):
            return slice(begin, begin + 36)
    return slice(0, 0)


def _run(pipelines: list[Gst.Pipeline]) -> None:
    for pipeline in pipelines:
        pipeline.set_state(Gst.State.PLAYING)
    try:
        for pipeline in pipelines:
            wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
            message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, wanted)
            if message.type == Gst.MessageType.ERROR:
                raise RuntimeError(message.parse_error()[0].message)
    finally:
        for pipeline in pipelines:
            pipeline.set_state(Gst.State.NULL)
