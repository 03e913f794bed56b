"""``mirpublish``: closes each frame's account and hands its result to Redis."""

from __future__ import annotations

from gi.repository import GObject, Gst, GstBase

from mirante.frame import FrameResult
from mirante.keys import check_camera
from plugins.element import (
    ANY_VIDEO,
    ERROR,
    OK,
    FrameHandler,
    StageElement,
    elements_of,
    max_failures,
    sink_template,
)
from plugins.outbox.lane import MOVED
from plugins.outbox.outbox import Outbox
from plugins.skipped import take_skipped
from plugins.trace import FAILED

ENCODINGS = ("bits", "rle", "png", "polygon")


def repeat_playing(pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
    """Repeat the pipeline's message that it is playing before its stream ends.

    A bin passes the end of its sinks on only while it has noted that it is playing, and it takes
    that note after it has posted the change of state. gst-launch-1.0 answers PAUSED with PLAYING
    from another thread; on a busy machine the thread that posted PAUSED takes its note last, and
    the end is kept back for ever. Reposting the state sets the note right.
    """
    if info.get_event().type == Gst.EventType.EOS:
        pipeline = pad.get_parent_element().pipeline()
        _, state, pending = pipeline.get_state(0)
        if (state, pending) == (Gst.State.PLAYING, Gst.State.VOID_PENDING):
            message = Gst.Message.new_state_changed(pipeline, state, state, pending)
            pipeline.post_message(message)
    return Gst.PadProbeReturn.OK


class MirPublish(FrameHandler, GstBase.BaseSink):  # type: ignore[misc]
    """Encodes results and puts them into the outbox; never waits for Redis."""

    __gstmetadata__ = (
        "Mirante publisher",
        "Sink/Analyzer/Video",
        "Publishes each frame's detections and masks on Redis streams",
        "Mirante",
    )
    __gsttemplates__ = sink_template(ANY_VIDEO)

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
        blurb="a Redis address (empty = the worker's, or MIRANTE_REDIS_URL, which "
        "also keeps a password out of the command line)",
    )
    masks = GObject.Property(
        type=str,
        default="bits",
        nick="Mask encoding",
        blurb=f"How masks travel: {', '.join(ENCODINGS)}",
    )

    holds = GObject.Property(
        type=bool,
        default=False,
        nick="Hold",
        blurb="Send results 16 at a time, each at most a second late, while nobody watches: for "
        "files that are read as fast as possible",
    )

    max_failures = max_failures()

    step_name = ""  # the frame leaves it with the outbox
    always_looks = False

    outbox: Outbox | None = None

    def __init__(self) -> None:
        super().__init__()
        self.set_sync(False)  # a result is sent when it is there
        self.set_async_enabled(False)
        self.set_last_sample_enabled(False)
        self.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, repeat_playing)
        take_skipped(self)

    def prepare(self) -> None:
        """Finds the outbox."""
        if self.masks not in ENCODINGS:
            raise ValueError(f'masks: "{self.masks}"; expected one of {", ".join(ENCODINGS)}')
        if sum(isinstance(each, MirPublish) for each in elements_of(self.pipeline())) > 1:
            raise ValueError(
                "a second mirpublish in this pipeline; expected one, as a frame ends once"
            )
        self.ledger.camera = check_camera(self.camera or self.ledger.camera)
        self.outbox = self.line.acquire(self.redis)
        self.line.carriage.outbox = None if self.line.takes_over else self.outbox

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_stop(self) -> bool:
        """Gives the outbox back; one that nobody else uses is flushed and closed."""
        if self.outbox is not None:
            if self.outbox is not self.line.outbox:  # else who gave it knows when all is over
                self.line.carriage.rest()
                self.line.carriage.outbox = None
            self.line.release(self.outbox)
            self.outbox = None
        return True

    def do_set_caps(self, caps: Gst.Caps) -> bool:
        """Called when the size changes."""
        return self.read_caps(caps)

    def do_render(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return ERROR if self.process(buffer) == ERROR else OK

    def handle(self, _buffer: Gst.Buffer, key: int, _result: FrameResult) -> bool:
        """Publishes what the elements before have found."""
        self.line.closeup = None  # its decoder may have few buffers
        self._publish(key)
        return True

    def _take_over(self, key: int) -> None:
        """Give up a frame, by which all is ready, and go on with the next from where the camera's
        last worker is by then.
        """
        assert self.outbox is not None
        self.ledger.drop(key, MOVED)
        if not self.line.take_over(self.outbox):
            return
        self.line.carriage.outbox = self.outbox
        for element in elements_of(self.pipeline()):
            if isinstance(element, StageElement) and element.remembers:
                element.stage = element.make_stage()

    def handle_skipped(self, key: int, _result: FrameResult) -> None:
        """Publishes a frame that no model looked at."""
        self._publish(key)

    def _publish(self, key: int) -> None:
        assert self.outbox is not None
        if self.line.takes_over:
            self._take_over(key)
            return
        trace = self.ledger.trace_of(key)
        final = self.ledger.publish(key)
        if final is not None:
            clips = self.line.clips
            try:
                final = final if clips is None else clips.mark(final)
                self.line.carriage.published(final)
                holds = self.holds and not self.outbox.watched(final.camera)
                coded = self.outbox.publish(final, self.masks, trace, holds)
                if clips is not None and coded is not None:
                    clips.published(final, coded)
                if not final.skipped and not final.damaged:
                    self.line.looked = final
            except Exception as error:
                self.ledger.unpublish()
                if trace is not None:
                    trace.end(FAILED, error=f"{type(error).__name__}: {error}")
                raise
