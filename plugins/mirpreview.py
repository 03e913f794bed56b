"""``mirpreview``: images for people, encoded only while somebody watches."""

from __future__ import annotations

from gi.repository import GObject, Gst

from mirante.frame import FrameResult
from plugins.element import OK, StageElement, pad_templates
from plugins.frame import Frame
from plugins.outbox.outbox import Outbox
from plugins.preview.stage import PreviewStage


class MirPreview(StageElement):
    """Sends a JPEG of a frame now and then to whoever listens."""

    __gstmetadata__ = (
        "Mirante preview",
        "Filter/Analyzer/Video",
        "Publishes JPEG images at a bounded rate while somebody subscribes",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    fps = GObject.Property(
        type=float,
        minimum=0.1,
        maximum=60.0,
        default=8.0,
        nick="Rate",
        blurb="Maximum number of images per second",
    )
    quality = GObject.Property(
        type=GObject.TYPE_UINT,
        minimum=1,
        maximum=100,
        default=70,
        nick="JPEG quality",
        blurb="JPEG quality",
    )
    blur = GObject.Property(
        type=str,
        default="",
        nick="Blurred classes",
        blurb='Classes made unrecognisable in the image, as "face,person" (empty = none)',
    )
    redis = GObject.Property(
        type=str,
        default="",
        nick="Redis URL",
        blurb="a Redis address (empty = the worker's, or MIRANTE_REDIS_URL)",
    )

    always_looks = False
    outbox: Outbox | None = None

    @property
    def looks(self) -> bool:
        """Whether an image is due."""
        stage = self.stage
        return not (isinstance(stage, PreviewStage) and stage.rests(self.ledger.camera))

    def on_skipped(self, frame: Frame | None, result: FrameResult) -> FrameResult:
        """Shows it if somebody watches; it comes without an image if nobody does."""
        assert isinstance(self.stage, PreviewStage)
        return result if frame is None else self.stage(frame, result)

    def make_stage(self) -> PreviewStage:
        """Finds the outbox."""
        self.outbox = self.line.acquire(self.redis)
        labels = [label.strip() for label in self.blur.split(",") if label.strip()]
        return PreviewStage(self.outbox, self.fps, self.quality, labels, view=self.line.view)

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame; those that are not shown pass without further work."""
        return self.process(buffer) if self.ledger.is_sampled or self.looks else OK

    def do_stop(self) -> bool:
        """Gives the outbox back."""
        if self.outbox is not None:
            self.line.release(self.outbox)
            self.outbox = None
        return bool(super().do_stop())
