"""Elements that look at each frame: map the buffer, call the stage, account for the frame."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, GObject, Gst, GstBase, GstVideo

from mirante.frame import FrameResult
from plugins.device.surfaces import SURFACES
from plugins.frame import Frame
from plugins.frame_reader import Read, reader
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.meta import library
from plugins.meta.mirror import FRAMES
from plugins.outbox.lane import MOVED
from plugins.skipped import take_skipped
from plugins.stage import Stage
from plugins.trace import Trace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")

if not Gst.is_initialized():
    Gst.init(None)

RAW = Gst.Caps.from_string("video/x-raw")
ANY_VIDEO = Gst.Caps.from_string("video/x-raw(ANY)")  # wherever its pixels are
RGB = Gst.Caps.from_string("video/x-raw,format=RGB")
# Of ``mirrgb`` for elements that say so: planes, whose colours are those of the caps. Nothing else
# of GStreamer makes or takes them.
PLANES = Gst.Caps.from_string("video/x-raw(mirante:Planes),format=I420")
IMAGES = Gst.Caps.from_string(";".join(each.to_string() for each in (RGB, PLANES, SURFACES)))
DECODED = Gst.Caps.from_string(f"{SURFACES.to_string()};{RAW.to_string()}")
_sharing = threading.Lock()
DROPPED = Gst.FlowReturn.CUSTOM_SUCCESS  # to a base transform: drop this buffer, all is well
# Looked up once: a name in Gst takes about as long as some of what is done for a frame.
OK, ERROR = Gst.FlowReturn.OK, Gst.FlowReturn.ERROR
READ = Gst.MapFlags.READ
_CORRUPTED = Gst.BufferFlags.CORRUPTED
_NO_TIME: int = Gst.CLOCK_TIME_NONE


def pad_templates(
    taken: Gst.Caps = IMAGES, given: Gst.Caps = IMAGES
) -> tuple[Gst.PadTemplate, Gst.PadTemplate]:
    """Return one always-present pad each way."""
    source = Gst.PadTemplate.new("src", Gst.PadDirection.SRC, Gst.PadPresence.ALWAYS, given)
    return sink_template(taken), source


def sink_template(taken: Gst.Caps = RGB) -> Gst.PadTemplate:
    """Return an always-present pad that takes video."""
    return Gst.PadTemplate.new("sink", Gst.PadDirection.SINK, Gst.PadPresence.ALWAYS, taken)


def frame_key(buffer: Gst.Buffer) -> int:
    """Return the ledger's key of a buffer: its PTS, or its offset if it has none."""
    pts: int = buffer.pts
    return pts if pts != _NO_TIME else int(buffer.offset)


def number(default: float, maximum: float, nick: str, blurb: str) -> GObject.Property:
    """Return a property that is a number of 0 or more."""
    return GObject.Property(
        type=float, minimum=0.0, maximum=maximum, default=default, nick=nick, blurb=blurb
    )


def max_failures() -> GObject.Property:
    """The property that every element of ours has."""
    return GObject.Property(
        type=GObject.TYPE_UINT,
        minimum=0,
        maximum=GLib.MAXUINT32,
        default=30,
        nick="Maximum failures",
        blurb="Failed frames in a row after which the element gives up with an error; each failed "
        "frame before that is dropped with a warning message (0 = never give up)",
    )


def threads() -> GObject.Property:
    """Return the property of elements that run a model."""
    return GObject.Property(
        type=GObject.TYPE_UINT,
        minimum=0,
        maximum=256,
        default=0,
        nick="Threads",
        blurb="Threads of one inference (0 = all cores)",
    )


def thread_count(asked: int) -> int:
    """Return how many threads the value of ``threads`` stands for."""
    return asked or os.cpu_count() or 1


class FrameHandler:
    """The common part of filter and sink: each frame is accounted for, errors are reported.

    An element overrides ``prepare`` (called before data flows; an exception becomes an element
    error) and ``handle``. An exception in ``handle`` fails that frame: it is counted, dropped, and
    reported once a burst as a warning message.
    """

    max_failures: int
    line: Line
    ledger: Ledger
    size, stride = (0, 0), 0  # width, height; bytes per row
    always_looks = True  # at the image of each frame
    _failures = 0

    def prepare(self) -> None:
        """Loads what the frames will need."""
        raise NotImplementedError

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Works on one frame; False drops it."""
        raise NotImplementedError

    def start(self) -> bool:
        """Makes a line where none was given, and prepares; False, with an error message, when that
        fails.
        """
        try:
            if not hasattr(self, "line"):
                _share_line(self.pipeline())
            self.ledger = self.line.ledger
            self.prepare()
        except Exception as error:  # noqa: BLE001 - must not be raised into GStreamer
            self._post(
                Gst.Message.new_error, Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS, error
            )
            return False
        return True

    def read_caps(self, caps: Gst.Caps) -> bool:
        """Notes the frame's size and row stride."""
        info = GstVideo.VideoInfo.new_from_caps(caps)
        self.size, self.stride = (info.width, info.height), info.stride[0]
        return True

    @property
    def looks(self) -> bool:
        """Whether it would look at the image of the frame that comes next."""
        return self.always_looks

    @property
    def step_name(self) -> str:
        """What its part of a frame's way is called in traces; empty where it notes that itself."""
        element: Any = self
        return str(element.get_factory().get_name())

    def process(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Brings one buffer before ``handle``: OK, DROPPED or ERROR."""
        key = frame_key(buffer)
        try:
            result = self.known(key)
            if result is None:
                result = self._enter(key, buffer.has_flags(_CORRUPTED))
            if self._is_anothers(key, result):
                return DROPPED
            trace = self.ledger.trace_of(key)
            if trace is None:
                kept = self.handle(buffer, key, result)
            else:
                kept = self._handle_traced(buffer, key, result, trace)
        except BaseException as error:  # noqa: BLE001 - also sys.exit() of a stage: it is one frame
            return self._failed(key, error)
        self._failures = 0
        if not kept:
            self.line.carriage.dropped()
        return OK if kept else DROPPED

    def known(self, key: int) -> FrameResult | None:
        """What is known of a frame so far."""
        return self.ledger.get(key)

    def skip(self, key: int) -> None:
        """Hands a frame that no model looks at, and that has no pixels, to ``handle_skipped``."""
        try:
            if (result := self.ledger.get(key)) and not self._is_anothers(key, result):
                self.handle_skipped(key, result)
        except BaseException as error:  # noqa: BLE001 - as of ``process``
            self._failed(key, error)

    def handle_skipped(self, key: int, result: FrameResult) -> None:
        """Works on a frame that no model looks at, or nobody at all, and that has no pixels."""

    def _is_anothers(self, key: int, result: FrameResult) -> bool:
        """Close a frame that another worker has published; return whether it is one."""
        if is_anothers := result.captured_ns <= self.line.since_ns:
            self.ledger.drop(key, MOVED)
        return is_anothers

    def _enter(self, key: int, damaged: bool) -> FrameResult:
        """Numbers a frame that nothing upstream has numbered, as in a plain gst-launch line, where
        only the decoder's own word tells of damage.
        """
        self.line.converted.forget()  # buffers without a time or a number share a key …
        self.line.mirror.forget(key)  # … and those of a clip that begins again have the same
        self.ledger.decoded(key, time.time_ns(), "arrival", self.size, damaged=damaged)
        self.ledger.taken(key)
        if not self.line.is_ended:
            self.ledger.pass_by(FRAMES)
        result = self.ledger.get(key)
        assert result is not None
        return result

    def _handle_traced(
        self, buffer: Gst.Buffer, key: int, result: FrameResult, trace: Trace
    ) -> bool:
        """Calls ``handle`` and notes in the trace of the frame what took how long."""
        before = dict(result.timings)
        if name := self.step_name:
            trace.begin(name)
        kept = self.handle(buffer, key, result)
        if name and (after := self.known(key)) is not None:
            took = {part: ms - before.get(part, 0.0) for part, ms in after.timings.items()}
            trace.close({part: ms for part, ms in took.items() if ms})
        return kept

    def _failed(self, key: int, error: BaseException) -> Gst.FlowReturn:
        self.ledger.fail(key, _words(error))
        self.line.carriage.dropped()
        self._failures += 1
        domain, code = Gst.LibraryError.quark(), Gst.LibraryError.FAILED
        if self.max_failures and self._failures >= self.max_failures:
            self._post(Gst.Message.new_error, domain, code, error)
            return ERROR
        if self._failures == 1:
            self._post(Gst.Message.new_warning, domain, code, error)
        return DROPPED

    def _post(self, message: Any, domain: int, code: int, error: BaseException) -> None:
        element: Any = self
        words = f"{element.get_name()}: {_words(error)}"
        trace = "".join(traceback.format_exception(error))
        element.post_message(message(self, GLib.Error.new_literal(domain, words, int(code)), trace))

    def pipeline(self) -> Any:
        """The outermost bin that this element is in."""
        top: Any = self
        while (parent := top.get_parent()) is not None:
            top = parent
        return top


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def is_own(element: Any) -> bool:
    """Return whether an element is one of ours."""
    factory = element.get_factory() if isinstance(element, Gst.Element) else None
    return factory is not None and factory.get_metadata("author") == "Mirante"


def elements_of(top: Any) -> Iterator[Any]:
    """The elements in a bin, and in the bins inside it; an element outside of any is its own."""
    if not isinstance(top, Gst.Bin):
        yield top
        return
    elements = top.iterate_recurse()
    while True:
        found, element = elements.next()
        if found == Gst.IteratorResult.RESYNC:
            elements.resync()
        elif found != Gst.IteratorResult.OK:
            return
        else:
            yield element


def give_line(pipeline: Any, line: Line) -> None:
    """Hand a line to the elements of a graph that is built and not yet started."""
    for element in elements_of(pipeline):
        if isinstance(element, FrameHandler):
            element.line = line


def _share_line(pipeline: Any) -> None:
    """Give elements that were given none the line of one that has it, else one of their own."""
    with _sharing:
        ours = [each for each in elements_of(pipeline) if isinstance(each, FrameHandler)]
        line = next((each.line for each in ours if hasattr(each, "line")), None) or Line()
        line.is_ended = any(isinstance(each, GstBase.BaseSink) for each in ours)
        for each in ours:
            each.line = line


class StageElement(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """A filter that passes video through untouched and calls a stage on each frame, with a view
    of its pixels, which are not copied.
    """

    stage: Stage | None = None
    remembers = False  # its stage is made of the camera's memory
    max_failures = max_failures()
    meta = library.switch()
    _read: Read
    _mirrors = False

    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        take_skipped(self)

    # PyGObject looks for virtual functions in the class of the element itself, not in a mix-in.
    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps, _out: Gst.Caps) -> bool:
        """Called when the size changes."""
        self._mirrors = self.meta
        self.set_passthrough(not self._mirrors)  # else buffers need not be writable
        self._read = reader(caps, self.line)
        self.line.converted.forget()
        return self.read_caps(caps)

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return self.process(buffer)

    def make_stage(self) -> Stage:
        """The stage, from the element's properties."""
        raise NotImplementedError

    def options(self, kind: type[OptionsT]) -> OptionsT:
        """Return the options of a stage, a dataclass of which each field is a property here."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})

    def prepare(self) -> None:
        """Makes the stage."""
        if self.meta:
            library.require("meta: true")
        self.stage = self.make_stage()

    def do_stop(self) -> bool:
        """Lets the stage go."""
        self.stage = None
        return True

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Calls the stage; False when it drops the frame."""
        assert self.stage is not None
        with buffer.map(READ) as mapped:
            frame = self.frame_of(buffer, mapped.data, key)
            frame.larger, frame.moves = self.line.closeup, self.line.moves
            after = self.on_skipped(frame, result) if result.skipped else self.stage(frame, result)
        kept = self._passed(key, result, after)
        if kept and self._mirrors:
            assert after is not None
            self.line.mirror.show(buffer, key, after, self.size)
        return kept

    def frame_of(self, buffer: Gst.Buffer, data: memoryview, key: int) -> Frame:
        """Return the frame of a buffer that is mapped."""
        return self._read(buffer, data, key)

    def handle_skipped(self, key: int, result: FrameResult) -> None:
        """Calls ``on_skipped``."""
        self._passed(key, result, self.on_skipped(None, result))

    def on_skipped(self, frame: Frame | None, result: FrameResult) -> FrameResult | None:
        """Return what is known, after this element, of a frame that no model looks at.

        Args:
            frame: its image if somebody watches, else None.
            result: holds what was found in the last frame that models looked at.
        """
        del frame
        return result

    def _passed(self, key: int, before: FrameResult, after: FrameResult | None) -> bool:
        if after is None:
            self.ledger.drop(key, "stage")
            return False
        if after is not before:
            self.ledger.put(key, after)
        return True
