"""One graph of a camera, from building it to taking it down."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gio, GLib, Gst

from pipeline.cameras.gating import limit_of
from pipeline.cameras.sharing import Lead
from pipeline.cameras.sources.base import Source
from pipeline.cameras.state import Fault, Progress
from pipeline.config.camera import Camera
from pipeline.control.reports import StreamReport
from pipeline.gst.answers import answers_to
from pipeline.gst.callers import Callers
from pipeline.gst.conversation import Conversation
from pipeline.gst.decoders import is_decoder, one_thread
from pipeline.gst.decoding import Decoding
from pipeline.gst.demuxers import unheard
from pipeline.gst.feed import SyntheticFeed
from pipeline.gst.fetched import FetchFeed
from pipeline.gst.first_video import FirstVideo
from pipeline.gst.formats import guard_formats
from pipeline.gst.http_answers import HttpAnswers, set_login
from pipeline.gst.image_feed import ImageFeed
from pipeline.gst.listening import listen
from pipeline.gst.memory import give_back
from pipeline.gst.mp4_range import leave_range_open
from pipeline.gst.nap import Nap
from pipeline.gst.pacing import Pacing
from pipeline.gst.packets import PacketTap
from pipeline.gst.probes import FrameProbes
from pipeline.gst.received import Received
from pipeline.gst.rtsp_answers import RtspAnswers
from pipeline.gst.view import Seen, follow_view
from pipeline.gst.watch import watch_of
from plugins.bindings import structure_of
from plugins.element import StageElement, elements_of, give_line
from plugins.elements import register
from plugins.line import Line

Gst.init(None)
register()

TEARDOWN_S = 5.0  # a graph that takes longer to stop is left behind

_WATCHED = (
    Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.WARNING | Gst.MessageType.ELEMENT
)
_log = logging.getLogger(__name__)


class GraphError(RuntimeError):
    """Launch text that cannot be made into a graph.

    Attributes:
        lacks_element: GStreamer has no element of a name in it.
    """

    def __init__(self, error: GLib.Error) -> None:
        super().__init__(error.message)
        missing = Gst.ParseError.NO_SUCH_ELEMENT
        self.lacks_element = bool(error.matches(Gst.ParseError.quark(), missing))


class Session:
    """A graph that runs. A lost one is never used again: rtspsrc does not survive a restart.

    Args:
        spec: the camera.
        source: what its address asks for.
        graph: launch text of the whole graph.
        line: what its elements share.
        first_number: number of the first frame or segment, where frames are fed here.
        login: a field ``Authorization`` for a source over HTTP that does not know the login.
        lead: those that follow this session, where it may be shared.

    Attributes:
        probes: what they saw.
        decoding: which decoders it takes.
        fetched: the feed of a source that Python fetches; None for another.

    Raises:
        GraphError: with GStreamer's words.
    """

    def __init__(
        self,
        spec: Camera,
        source: Source,
        graph: str,
        line: Line,
        first_number: int = 0,
        login: str = "",
        lead: Lead | None = None,
    ) -> None:
        try:
            self._pipeline = Gst.parse_launch(graph)
        except GLib.Error as error:
            raise GraphError(error) from None
        give_line(self._pipeline, line)
        leave_meta(self._pipeline)
        self._bus = self._pipeline.get_bus()
        self._is_network, self._is_live = spec.url.is_network, source.live
        self._file = None if self._is_live or self._is_network else Path(spec.url.path)
        self._is_opened = False
        self._starter: threading.Thread | None = None  # which refers to this session till it runs
        self._lacks_plugin = False
        self.probes = FrameProbes(
            line.ledger,
            limit_of(spec, source, self._pipeline.get_by_name("gate") is not None),
            spec.keyframes_only,
            paced=source.pace == "realtime",
            seen=Seen(spec),
            damaged=spec.damaged,
            lead=lead,
            tap=PacketTap(line, lead),
        )
        self._put_probes(spec, source, line, lead)
        follow_view(self._pipeline, spec)
        leave_range_open(self._pipeline)
        self.decoding = Decoding(spec.decode)
        self.decoding.install(self._pipeline.get_by_name("decode"))
        self._pipeline.connect("deep-element-added", _on_element, self.probes, self.decoding)
        self._element = self._pipeline.get_by_name("source")
        _set_up(self._element, spec, source)
        self._received = Received(self._pipeline) if source.sender else None
        self._callers = Callers(self._element) if source.is_called else None
        self._answers = answers_to(self._element, spec, source, line.threads)
        if login:
            set_login(self._element, login)
        self._feed: SyntheticFeed | ImageFeed | FetchFeed | None = None
        self.fetched: FetchFeed | None = None
        if source.drawn is not None:
            self._feed = SyntheticFeed(self._element, source.drawn, first_number)
        elif source.images is not None:
            self._feed = ImageFeed(self._element, source.images, spec, line.ledger)
        elif source.fetch is not None:
            self._feed = self.fetched = FetchFeed(
                self._element, source.fetch(first_number), line.ledger.undecodable
            )
            if (pace := self._pipeline.get_by_name("pace")) is not None:
                Pacing(pace)

    def _put_probes(self, spec: Camera, source: Source, line: Line, lead: Lead | None) -> None:
        self.probes.sleeper = watch_of(spec, source, self._pipeline, line)
        listen(self._bus, line.threads, self.probes)
        if source.follows:
            self.probes.follow(self._pipeline)
            return
        if self.probes.sleeper is not None:
            self.probes.nap = Nap(line, lead, self.probes.sleeper)
        self.probes.install(self._pipeline)

    @property
    def next_number(self) -> int:
        """The number that the next frame or segment has, of a source that is fed here."""
        return 0 if self._feed is None else self._feed.next_number

    @property
    def silent_s(self) -> float | None:
        """Return the seconds for which a sender is waited for; None where none is."""
        return self._received.silent_s if self._received is not None else None

    @property
    def refusal(self) -> Fault | None:
        """Why the camera gives no video, as far as its answers say so."""
        if self.fetched is not None:
            return self.fetched.fault
        return self._answers.fault if self._answers is not None else None

    @property
    def is_refused(self) -> bool:
        """True once nothing else will come."""
        if self.fetched is not None:
            return self.fetched.fault is not None
        return self._answers is not None and self._answers.is_final

    @property
    def is_idle(self) -> bool:
        """True where images are read from a place in which none are left."""
        return isinstance(self._feed, ImageFeed) and self._feed.is_idle

    @property
    def is_resting(self) -> bool:
        """True where the next image is not due yet, or has not come."""
        return isinstance(self._feed, ImageFeed) and self._feed.is_resting

    @property
    def is_endless(self) -> bool:
        """True where an end is a loss: of a camera, or of what turned out to have no end."""
        if self.fetched is not None:
            return not self.fetched.fetch.is_finite
        answers = self._answers
        return self._is_live or (isinstance(answers, HttpAnswers) and answers.is_endless)

    def progress(self, busy_s: float) -> Progress:
        """What came so far; ``busy_s``: monotonic time at which the stages were seen at work."""
        progress = self.probes.progress(busy_s)
        if self.fetched is None:
            return progress
        return progress.calm_until(self.fetched.fetch.calm_until_s)

    @property
    def left(self) -> str:
        """Why its images have to come from another session, in words; "" where they need not."""
        return ""

    @property
    def remarks(self) -> dict[str, str]:
        """Things worth saying about the camera's clock, by kind."""
        return self.probes.times.remarks

    def report(self) -> StreamReport:
        """What is known of the stream: its decoder, and the camera's clock."""
        decoder, off_s = self.decoding.name, self.probes.times.clock_off_s
        if off_s is not None:
            return StreamReport(decoder=decoder, clock_off_s=off_s, clock_by="rtcp")
        told = self._answers if self.fetched is None else self.fetched.fetch
        off_s = None if told is None else told.date_off_s
        by: Literal["date"] | None = None if off_s is None else "date"
        return StreamReport(decoder=decoder, clock_off_s=off_s, clock_by=by)

    @property
    def is_over(self) -> bool:
        """True where a sender has fallen silent and another calls."""
        return self._callers is not None and self._callers.is_over(self._element)

    def start(self) -> None:
        """To PLAYING; whether that worked is told by the messages.

        A file is opened on a thread of its own: on a share that hangs that takes for ever.
        """
        if self._file is not None:
            self._starter = threading.Thread(
                target=self._open_and_start,
                args=(self._file,),
                name="start-graph",
                daemon=True,
            )
            self._starter.start()
        else:
            self._pipeline.set_state(Gst.State.PLAYING)
        if self._feed is not None:
            self._feed.start()

    def _is_opening(self) -> bool:
        return self._starter is not None and self._starter.is_alive()

    @property
    def is_starting(self) -> bool:
        """True while models are loaded for a file that could be opened."""
        return self._is_opening() and self._is_opened

    @property
    def is_stuck(self) -> bool:
        """True while the file is being opened, which ends in a moment or never."""
        return self._is_opening() and not self._is_opened

    @property
    def conversation(self) -> Conversation | None:
        """The conversation with an RTSP camera."""
        return self._answers.conversation if isinstance(self._answers, RtspAnswers) else None

    def keep_alive(self) -> None:
        """Keep the camera's session, when it is time; does not wait for its answer."""
        if self.conversation is not None:
            self.conversation.keep_alive(self._element)

    @property
    def answered_s(self) -> float | None:
        """Monotonic time of the camera's newest answer before media, where it is heard."""
        if self.fetched is not None:  # which ends by itself without an answer
            return min(self.fetched.fetch.calm_until_s, time.monotonic())
        return None if self.conversation is None else self.conversation.answered_s

    def _open_and_start(self, path: Path) -> None:
        if path.is_file():  # to open anything else, such as a pipe, may wait by design
            with suppress(OSError), path.open("rb"):  # GStreamer says what is wrong
                pass
            self._is_opened = True
        self._pipeline.set_state(Gst.State.PLAYING)

    def message(self, timeout_s: float) -> Any:
        """The next error, end, warning or element message, or None."""
        message = self._bus.timed_pop_filtered(int(timeout_s * Gst.SECOND), _WATCHED)
        if message is None:
            is_silent = self._file is not None and not self.probes.frames
            return unheard(self._pipeline) if is_silent else None
        if message.type == Gst.MessageType.ELEMENT:
            self._lacks_plugin |= structure_of(message).get_name() == "missing-plugin"
        if message.type == Gst.MessageType.ERROR:
            if self.conversation is not None and self.conversation.forgives():
                return None
            if self._answers is not None:
                self._answers.failed(message)
            if self._is_network and _is_end(message):
                return Gst.Message.new_eos(message.src)
            return message if self._lacks_plugin else _without_video(message)
        return message

    def rewind(self) -> bool:
        """Start a file again by a flush seek; a segment seek lost or repeated frames.

        All frames have left the graph, so nothing is flushed away. Each turn's PTS are moved by a
        nanosecond (``FrameProbes.turn``), so that no two frames share one.
        """
        self.probes.turn += 1
        self.probes.frames = 0
        return bool(self._pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0))

    def close(self) -> None:
        """To NULL, on a thread of its own: an element that hangs must not take the camera along."""
        if self._feed is not None:
            self._feed.stop()
        if self.conversation is not None:
            self.conversation.settle()
        thread = threading.Thread(
            target=self._pipeline.set_state, args=(Gst.State.NULL,), name="stop-graph", daemon=True
        )
        thread.start()
        thread.join(TEARDOWN_S)
        if thread.is_alive():
            name = self._pipeline.get_name()
            _log.error("camera %s: its graph does not stop; left behind", name)
        give_back()
        self.probes.close()
        if self.conversation is not None:
            self.conversation.close()


def _is_end(message: Any) -> bool:
    """Whether it says that a connection was closed before anything came."""
    error, detail = message.parse_error()
    kind = Gst.StreamError.TYPE_NOT_FOUND
    return error.matches(Gst.StreamError.quark(), kind) and "Can't typefind" in (detail or "")


def _without_video(message: Any) -> Any:
    """The error itself; but decodebin calls it a missing plug-in, without one to name, when a file
    holds sound alone.
    """
    error, detail = message.parse_error()
    if not error.matches(Gst.CoreError.quark(), Gst.CoreError.MISSING_PLUGIN):
        return message
    kind = Gst.StreamError.WRONG_TYPE
    words = GLib.Error.new_literal(Gst.StreamError.quark(), "it has no video", kind)
    return Gst.Message.new_error(message.src, words, detail)


def _set_up(element: Any, spec: Camera, source: Source) -> None:
    for key, value in source.secrets.items():
        element.set_property(key, value)
    if source.offers_streams:
        element.connect("select-stream", FirstVideo())
    anchors = os.environ.get("SSL_CERT_FILE")  # as OpenSSL, curl and Python have it
    is_tls = spec.url.endpoint is not None and spec.url.endpoint.protocol == "tls"
    if anchors and is_tls and source.fetch is None and not source.follows:
        database = Gio.TlsFileDatabase.new(anchors)
        if element.find_property("tls-database") is not None:
            element.set_property("tls-database", database)
        else:  # GIO's own, which it takes once and for all: the variable is the process's too
            Gio.TlsBackend.get_default().set_default_database(database)


def _on_element(
    _pipeline: Any, _parent: Any, element: Any, probes: FrameProbes, decoding: Decoding
) -> None:
    """Watch an element that is new in the graph."""
    probes.watch(element)
    factory = element.get_factory()
    if factory is not None and "Depayloader" in factory.get_metadata("klass"):
        probes.watch_packets(element)
    if factory is None or not is_decoder(factory):
        return
    guard_formats(element)
    one_thread(element)
    if decoding.note(factory, element):
        probes.watch_decoder(element)


def leave_meta(pipeline: Any) -> None:
    """Have no element of a graph write relation meta: all that read its buffers are ours."""
    for element in elements_of(pipeline):
        if isinstance(element, StageElement):
            element.meta = False
