"""Frames a second that decoders of this machine reach, with nothing behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.config.launch import quoted

PARSERS = {"video/x-h264": "h264parse", "video/x-h265": "h265parse"}
# The file is one buffer, again and again.
_LINE = (
    "multifilesrc location={clip} loop=true caps={media},stream-format=byte-stream ! {parser} "
    "! {decoder} ! {raw} ! fakesink name=end sync=false enable-last-sample=false"
)
_FIRST_FRAME_S = 15.0
_LOOK_S = 0.05


def decode_rate(
    clip: Path,
    media: str,
    decoder: str,
    streams: int,
    seconds: float,
    meanwhile: Callable[[], object] = lambda: None,
    raw: str = "video/x-raw(memory:CUDAMemory)",
) -> float:
    """Return the frames a second of several decoders together.

    Args:
        clip: Annex B, which begins with a key frame.
        media: what it is, a key of ``PARSERS``.
        decoder: name of the element.
        streams: how many decode the clip at once, again and again, as fast as they can.
        seconds: how long they are counted, once each has given a frame.
        meanwhile: called once while they run.
        raw: caps of what they give.

    Raises:
        RuntimeError: one fails, or gives nothing; in GStreamer's words.
    """
    Gst.init(None)
    text = _LINE.format(
        clip=quoted(str(clip)), media=media, parser=PARSERS[media], decoder=decoder, raw=raw
    )
    with _playing(text, streams) as pipelines:
        deadline_s = time.monotonic() + _FIRST_FRAME_S
        while min(counts := _counts(pipelines)) == 0:
            _check(pipelines)
            if time.monotonic() > deadline_s:
                silent = counts.count(0)
                raise RuntimeError(f"{silent} of {streams} gave no frame in {_FIRST_FRAME_S:g} s")
            time.sleep(_LOOK_S)
        before, began_s = sum(_counts(pipelines)), time.monotonic()
        meanwhile()
        time.sleep(seconds)
        taken_s, after = time.monotonic() - began_s, sum(_counts(pipelines))
        _check(pipelines)
        return (after - before) / taken_s


@contextmanager
def _playing(text: str, streams: int) -> Iterator[list[Any]]:
    pipelines: list[Any] = []
    try:
        for _ in range(streams):
            try:
                pipelines.append(Gst.parse_launch(text))
            except GLib.Error as error:
                raise RuntimeError(error.message) from error
            pipelines[-1].set_state(Gst.State.PLAYING)
        yield pipelines
    finally:
        for pipeline in pipelines:
            pipeline.set_state(Gst.State.NULL)


def _counts(pipelines: list[Any]) -> list[int]:
    stats = [pipeline.get_by_name("end").get_property("stats") for pipeline in pipelines]
    return [each.get_uint64("rendered")[1] for each in stats]


def _check(pipelines: list[Any]) -> None:
    for pipeline in pipelines:
        message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        if message is not None:
            raise RuntimeError(message.parse_error()[0].message)
