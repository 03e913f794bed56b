"""MP4 files of encoded images: in fragments, so that they play while they grow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.bindings import set_time, structure_of
from plugins.clips.timeline import Placed

Gst.init(None)

MUX = (
    "mp4mux name=mux fragment-duration=1000 trak-timescale=90000 ! "
    "filesink name=out buffer-mode=unbuffered"
)
PARSERS = {
    "video/x-h264": "h264parse",
    "video/x-h265": "h265parse ! video/x-h265,stream-format=hvc1",
    "video/x-av1": "av1parse",
    "video/x-vp9": "vp9parse",
}
"""By the name of a format that MP4 takes, what stands before the muxer."""
MOST_WAITING = 8 << 20  # bytes on their way to the disk
END_S = 30.0
_ENDINGS = Gst.MessageType.ERROR | Gst.MessageType.EOS


class VideoError(RuntimeError):
    """A video cannot be written; in words.

    Attributes:
        is_full: there is no room on the disk.
    """

    def __init__(self, words: str, is_full: bool = False) -> None:
        super().__init__(words)
        self.is_full = is_full


class VideoFile:
    """A pipeline that writes buffers to a file.

    Args:
        path: of the file.
        caps: of the buffers.
        launch: what stands before the muxer.

    Attributes:
        frames: written so far.
        size: width and height; (0, 0) before the end.

    Raises:
        VideoError: GStreamer lacks an element, or the file cannot be written.
    """

    def __init__(self, path: Path, caps: Any, launch: str) -> None:
        try:
            self._pipeline = Gst.parse_launch(f"appsrc name=in format=time ! {launch} ! {MUX}")
        except Exception as error:  # GLib.Error
            raise VideoError(f"no MP4 can be written: {error}") from error
        self._path = path
        self._source = self._pipeline.get_by_name("in")
        self._source.set_property("caps", caps)
        self._source.set_property("max-bytes", 0)
        self._pipeline.get_by_name("out").set_property("location", str(path))
        self._bus = self._pipeline.get_bus()
        self.frames = 0
        self.size = (0, 0)
        self._pipeline.set_state(Gst.State.PLAYING)

    def put(self, buffer: Any) -> None:
        """Write a buffer; wait while too much is on its way.

        Raises:
            VideoError: that failed.
        """
        self._check()
        while self._source.get_property("current-level-bytes") > MOST_WAITING:
            time.sleep(0.01)
            self._check()
        self._source.emit("push-buffer", buffer)
        self.frames += 1

    def last_until(self, dts_ns: int, until_ns: int) -> None:
        """Have the buffer that is decoded at a time last until another, whatever a parser says."""

        def on_buffer(_pad: Any, info: Any) -> Any:
            buffer = info.get_buffer()
            if buffer.dts == dts_ns:  # nobody but the muxer, which comes next, has seen it
                set_time(buffer, "duration", until_ns - dts_ns)
            return Gst.PadProbeReturn.OK

        pad = self._pipeline.get_by_name("mux").sinkpads[0]
        pad.add_probe(Gst.PadProbeType.BUFFER, on_buffer)

    def close(self) -> None:
        """Finish the file.

        Raises:
            VideoError: that failed.
        """
        self._source.emit("end-of-stream")
        try:
            message = self._bus.timed_pop_filtered(int(END_S * Gst.SECOND), _ENDINGS)
            if message is None:
                raise VideoError(f"the file was not finished within {END_S:g} s")
            self._judge(message)
            caps = self._pipeline.get_by_name("mux").sinkpads[0].get_current_caps()
            shape = structure_of(caps)
            self.size = shape.get_value("width"), shape.get_value("height")
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave the file as it is."""
        self._pipeline.set_state(Gst.State.NULL)

    def _check(self) -> None:
        message = self._bus.pop_filtered(Gst.MessageType.ERROR)
        if message is not None:
            self._judge(message)

    def _judge(self, message: Any) -> None:
        if message.type == Gst.MessageType.ERROR:
            error, detail = message.parse_error()
            if error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NO_SPACE_LEFT):
                raise VideoError(f"{self._path.parent}: no space is left on the disk", is_full=True)
            more = (detail or "").splitlines()[-1:]
            raise VideoError(" ".join([f"{self._path.parent}: {error.message}", *more]))


class PlainVideo:
    """Writes a camera's own images, not encoded again. Arguments and errors as of ``VideoFile``.

    Attributes:
        is_shown: False: they are as the camera sends them.
    """

    is_shown = False

    def __init__(self, path: Path, caps: str) -> None:
        media = caps.partition(",")[0]
        self._file = VideoFile(path, Gst.Caps.from_string(caps), PARSERS[media])
        self._last: Any = None
        self._shown_ns = 0

    def write(self, placed: Placed) -> None:
        """Write the packet before this one."""
        if self._last is not None:
            self._file.put(self._last)
        self._shown_ns = max(self._shown_ns, placed.pts_ns)
        buffer = Gst.Buffer.new_wrapped(placed.packet.data)
        buffer.pts, buffer.dts = placed.pts_ns, placed.dts_ns
        if not placed.packet.is_key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self._last = buffer

    def close(self) -> None:
        """Finish the file. The last packet lasts until the last image was shown: the file's length
        is that of decoding, and players leave out what would be shown behind it.
        """
        if self._last is not None:
            each_ns = self._shown_ns // max(1, self._file.frames)
            self._file.last_until(self._last.dts, self._shown_ns + each_ns)
            self._file.put(self._last)
        self._file.close()

    def abort(self) -> None:
        """Leave the file as it is."""
        self._file.abort()

    @property
    def frames(self) -> int:
        """The number of frames written."""
        return self._file.frames

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; (0, 0) before the end."""
        return self._file.size
