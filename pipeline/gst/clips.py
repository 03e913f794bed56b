"""Encoded clips in memory, so that a server can send them again and again without encoding."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.gst.mp4_range import leave_range_open
from plugins.bindings import structure_of
from plugins.elements import register

Gst.init(None)

_CODECS = {
    "video/x-h264": "h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
    "video/x-h265": "h265parse ! video/x-h265,stream-format=byte-stream,alignment=au",
    "image/jpeg": "jpegparse ! image/jpeg",
}
# Background detection leaves what has moved on standing where it was.
_ENCODER = (
    "openh264enc name=encoder bitrate=3000000 rate-control=bitrate gop-size=25 complexity=low "
    "background-detection=false"
)
_READ_TIMEOUT_S = 20


class ClipError(RuntimeError):
    """A clip cannot be read, or not be made into H.264."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One encoded image: its bytes, times in ns from the start, and whether it is a key frame."""

    data: bytes
    pts_ns: int
    dts_ns: int
    key: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """All encoded images of a clip in decoding order, with their caps and length."""

    caps: str
    pictures: tuple[Picture, ...]
    duration_ns: int

    def loop(self) -> Iterator[Picture]:
        """The images for ever, with timestamps that continue rising over each turn."""
        offset_ns = 0
        while True:
            for picture in self.pictures:
                yield replace(
                    picture,
                    pts_ns=picture.pts_ns + offset_ns,
                    dts_ns=picture.dts_ns + offset_ns,
                )
            offset_ns += self.duration_ns


def read_clip(path: Path) -> Clip:
    """Reads an H.264, H.265 or MJPEG clip from any container that GStreamer can open.

    A file without a container has no times: it is taken to be without B-frames.

    Raises:
        ClipError: no such file, or no such video in it.
    """
    codec = _codec(path)
    if codec not in _CODECS:
        known = ", ".join(_CODECS)
        raise ClipError(f"{path}: expected a clip of {known}, got {codec or 'no video'}")
    samples = list(_samples(f"{_open(path)} ! {codec} ! {_CODECS[codec]}"))
    caps, pictures = samples[0][0], [picture for _, picture in samples]
    if any(picture.pts_ns == Gst.CLOCK_TIME_NONE for picture in pictures):
        pictures = _timed(caps, pictures)
    shown = sorted(picture.pts_ns for picture in pictures)
    frame_ns = (shown[-1] - shown[0]) // max(1, len(shown) - 1) or Gst.SECOND // 25
    return Clip(caps, tuple(pictures), shown[-1] - min(shown[0], pictures[0].dts_ns) + frame_ns)


def _timed(caps: str, pictures: list[Picture]) -> list[Picture]:
    """Return the images with times of the rate that their caps name."""
    named, numerator, denominator = Gst.Caps.from_string(caps)[0].get_fraction("framerate")
    rate = numerator / denominator if named and numerator else 25
    times = [round(n * Gst.SECOND / rate) for n in range(len(pictures))]
    return [replace(each, pts_ns=at, dts_ns=at) for at, each in zip(times, pictures, strict=True)]


def prepare_clip(path: Path, cache_dir: Path) -> Path:
    """A clip that can be sent as it is: ``path`` itself, or an H.264 copy made once.

    A clip of another codec is encoded with OpenH264 into ``cache_dir``, under a name that changes
    with the clip's size and time of change.

    Raises:
        ClipError: no such file, or no video in it that can be decoded.
    """
    if _codec(path) in _CODECS:
        return path
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    target = cache_dir / f"{path.stem}-{key.hexdigest()[:12]}.mp4"
    if not target.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        _encode(f"filesrc location={quote(path)} ! decodebin", target)
    return target


def encode_pictures(pictures: Iterable[NDArray[np.uint8]], fps: int, target: Path) -> None:
    """Encodes (height, width, 3) uint8 RGB images to H.264 in the MP4 file ``target``.

    Raises:
        ClipError: with GStreamer's own words.
    """

    def fill(pipeline: Any) -> None:
        source = pipeline.get_by_name("source")
        for n, picture in enumerate(pictures):
            height, width, _ = picture.shape
            caps = f"video/x-raw,format=RGB,width={width},height={height},framerate={fps}/1"
            if n == 0:
                source.set_property("caps", Gst.Caps.from_string(caps))
            rows = picture.reshape(height, width * 3)
            rows = np.pad(rows, ((0, 0), (0, -width * 3 % 4)))  # GStreamer's rows are whole words
            buffer = Gst.Buffer.new_wrapped(rows.tobytes())
            buffer.pts, buffer.duration = n * Gst.SECOND // fps, Gst.SECOND // fps
            source.emit("push-buffer", buffer)
        source.emit("end-of-stream")

    _encode("appsrc name=source format=time block=true max-buffers=8", target, fill)


def _encode(source: str, target: Path, fill: Callable[[Any], None] | None = None) -> None:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    register()
    pipeline = Gst.parse_launch(
        f"{source} ! mirrgb ! videoconvert ! video/x-raw,format=I420,colorimetry=bt601 "
        f"! {_ENCODER} ! h264parse ! mp4mux ! filesink location={quote(part)}"
    )
    leave_range_open(pipeline)
    encoder = pipeline.get_by_name("encoder")
    events = Gst.PadProbeType.EVENT_DOWNSTREAM
    encoder.get_static_pad("sink").add_probe(events, _end_past, encoder.get_static_pad("src"))
    try:
        pipeline.set_state(Gst.State.PLAYING)
        if fill is not None:
            fill(pipeline)
        kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
        message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, kinds)
        if message.type == Gst.MessageType.ERROR:
            raise ClipError(f"{target.stem}: {message.parse_error()[0].message}")
        part.replace(target)
    finally:
        pipeline.set_state(Gst.State.NULL)
        part.unlink(missing_ok=True)


def _end_past(_pad: Any, info: Any, behind: Any) -> Any:
    """Hands the end of the stream to what is behind the encoder: to drain it, which holds nothing
    back, openh264enc encodes a null image, and OpenH264 prints an error about that.
    """
    if info.get_event().type != Gst.EventType.EOS:
        return Gst.PadProbeReturn.OK
    behind.push_event(Gst.Event.new_eos())
    return Gst.PadProbeReturn.DROP


def quote(path: Path) -> str:
    """A path as a value in launch text."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _open(path: Path) -> str:
    return f"filesrc location={quote(path)} ! parsebin"


def _codec(path: Path) -> str:
    """The caps name of the first video in a file, or nothing."""
    if not path.is_file():
        raise ClipError(f"no such clip: {path}")
    pipeline = Gst.parse_launch(f"{_open(path)} name=parse ! fakesink")
    try:
        pipeline.set_state(Gst.State.PAUSED)
        pipeline.get_bus().timed_pop_filtered(
            _READ_TIMEOUT_S * Gst.SECOND, Gst.MessageType.ASYNC_DONE | Gst.MessageType.ERROR
        )
        pads = pipeline.get_by_name("parse").srcpads
        names = [structure_of(pad.get_current_caps()).get_name() for pad in pads]
        return next((n for n in names if n.startswith(("video/", "image/"))), "")
    finally:
        pipeline.set_state(Gst.State.NULL)


def _samples(launch: str) -> Iterator[tuple[str, Picture]]:
    pipeline = Gst.parse_launch(f"{launch} ! appsink name=out sync=false")
    out = pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while (sample := out.emit("try-pull-sample", _READ_TIMEOUT_S * Gst.SECOND)) is not None:
            buffer = sample.get_buffer()
            dts_ns = buffer.pts if buffer.dts == Gst.CLOCK_TIME_NONE else buffer.dts
            key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            picture = Picture(buffer.extract_dup(0, buffer.get_size()), buffer.pts, dts_ns, key)
            yield sample.get_caps().to_string(), picture
    finally:
        pipeline.set_state(Gst.State.NULL)
