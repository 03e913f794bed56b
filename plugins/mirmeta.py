"""``mirmeta``: takes what elements that are not ours have found into the frame's result."""

from __future__ import annotations

from gi.repository import Gst, GstBase

from mirante.frame import FrameResult
from plugins.element import ANY_VIDEO, FrameHandler, max_failures, pad_templates
from plugins.meta import library
from plugins.skipped import take_skipped


class MirMeta(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """Adds the objects and masks of a buffer's relation meta; looks at no image."""

    __gstmetadata__ = (
        "Mirante relation meta",
        "Filter/Analyzer/Video",
        "Adds what other elements have written as GstAnalyticsRelationMeta to the frame's result",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(ANY_VIDEO, ANY_VIDEO)

    max_failures = max_failures()
    always_looks = False

    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        take_skipped(self)

    def prepare(self) -> None:
        """Checks that this GStreamer has such meta."""
        library.require("mirmeta")

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps, _out: Gst.Caps) -> bool:
        """Called when the size changes."""
        return self.read_caps(caps)

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return self.process(buffer)

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Reads the meta."""
        after = self.line.mirror.read(buffer, key, result, self.size)
        if after is not result:
            self.ledger.put(key, after)
        return True
