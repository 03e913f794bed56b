"""``mirview``: shows the frames of a camera's view stream, a larger one than is analysed."""

from __future__ import annotations

from gi.repository import Gst, GstBase

from mirante.frame import FrameResult
from plugins.element import ERROR, OK, READ, FrameHandler, max_failures, sink_template
from plugins.frame import Frame
from plugins.preview.jpeg import Jpegs


class MirView(FrameHandler, GstBase.BaseSink):  # type: ignore[misc]
    """Hands each frame to the cameras that show it: ``Line.views``, none in a plain pipeline."""

    __gstmetadata__ = (
        "Mirante view",
        "Sink/Video",
        "Shows frames beside the results of another stream of the same camera",
        "Mirante",
    )
    __gsttemplates__ = sink_template()

    max_failures = max_failures()

    def __init__(self) -> None:
        super().__init__()
        self.set_sync(False)  # an image is sent when it is there
        self.set_async_enabled(False)
        self.set_last_sample_enabled(False)

    def prepare(self) -> None:
        """Nothing is needed."""

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps) -> bool:
        """Called when the size changes."""
        return self.read_caps(caps)

    def do_render(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return ERROR if self.process(buffer) == ERROR else OK

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Shows the frame."""
        with buffer.map(READ) as mapped:
            jpegs = Jpegs(Frame.of_rows(mapped.data, self.size, self.stride))
            for view in self.line.views:
                view.show(jpegs, result)
        self.ledger.publish(key)
        return True
