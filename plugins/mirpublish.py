"""``mirpublish``: closes each frame's account and hands its result to Redis."""

from __future__ import annotations

from gi.repository import GObject, Gst

from mirante.frame import FrameResult
from plugins import outboxes
from plugins.element import FrameElement, pad_templates
from plugins.outbox import Outbox

ENCODINGS = ("bits", "rle", "png", "polygon")


class MirPublish(FrameElement):
    """Encodes results and puts them into the outbox; never waits for Redis."""

    __gstmetadata__ = (
        "Mirante publisher",
        "Filter/Analyzer/Video",
        "Publishes each frame's detections and masks on Redis streams",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    camera = GObject.Property(
        type=str,
        default="",
        nick="Camera",
        blurb="Name that the results are published under (empty = the worker's name for it)",
    )
    redis = GObject.Property(
        type=str,
        default="",
        nick="Redis URL",
        blurb="redis://, rediss:// or unix:// (empty = the worker's, or MIRANTE_REDIS_URL, which "
        "also keeps a password out of the command line)",
    )
    masks = GObject.Property(
        type=str,
        default="bits",
        nick="Mask encoding",
        blurb=f"How masks travel: {', '.join(ENCODINGS)}",
    )

    outbox: Outbox | None = None

    def prepare(self) -> None:
        """Finds the outbox."""
        if self.masks not in ENCODINGS:
            raise ValueError(f'masks: "{self.masks}"; expected one of {", ".join(ENCODINGS)}')
        if self.camera:
            self.ledger.camera = self.camera
        self.outbox = outboxes.acquire(self.redis)

    def do_stop(self) -> bool:
        """Gives the outbox back; one that nobody else uses is flushed and closed."""
        if self.outbox is not None:
            outboxes.release(self.outbox)
            self.outbox = None
        return True

    def handle(self, _buffer: Gst.Buffer, key: int, _result: FrameResult) -> bool:
        """Publishes what the elements before have found."""
        assert self.outbox is not None
        final = self.ledger.publish(key)
        if final is not None:
            try:
                self.outbox.publish(final, self.masks)
            except Exception:
                self.ledger.lost(1, "encode")
                raise
        return True
