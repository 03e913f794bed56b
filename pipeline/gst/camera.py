"""Runs one camera: builds its graph, watches it, and builds it anew when it is lost."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.camera_state import CameraState, Fault, State, Transition
from pipeline.config.camera import Camera
from pipeline.faults import explain, hide, reach
from pipeline.graph import camera_graph
from pipeline.gst.feed import SyntheticFeed
from pipeline.gst.probes import FrameProbes
from pipeline.rate import RateLimit
from pipeline.sources import source_of
from pipeline.synthetic import SyntheticOptions
from plugins.ledger import Ledger, attach, detach

Gst.init(None)

TICK_S = 0.1
TEARDOWN_S = 5.0  # a graph that takes longer to stop is left behind
REACH_S = 3.0
WARNING_EVERY_S = 10.0

_END_OF_FILE = Fault("end of file")
_WATCHED = (
    Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.WARNING | Gst.MessageType.ELEMENT
)
_log = logging.getLogger(__name__)


class CameraRunner:
    """One camera, supervised by a thread of its own.

    Args:
        name: the camera's name; elements find the ledger by it.
        spec: the camera.
        stages: launch text behind the RGB caps, up to a sink, such as
            ``mirinfer model=yolox-nano ! mirpublish camera=gate``.
        ledger: the camera's account.
        on_change: told of each transition, on the supervisor's thread.

    Raises:
        ValueError: a ``test://`` address with a query that means nothing.
    """

    def __init__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        ledger: Ledger,
        on_change: Callable[[Transition], None],
    ) -> None:
        self.name = name
        self.spec = spec
        self._source = source_of(spec)
        self._graph = camera_graph(name, spec, stages)
        self._ledger = ledger
        self._on_change = on_change
        self._machine = CameraState(name, spec.watchdog_s, self._tell, self._source.live)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{name}", daemon=True)
        self._next_number = 0
        self._warned_s: dict[str, float] = {}

    @property
    def state(self) -> State:
        """What the camera is doing."""
        return self._machine.state

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self._machine.reason

    @property
    def attempt(self) -> int:
        """Failed attempts in a row."""
        return self._machine.attempt

    @property
    def since_ns(self) -> int:
        """Unix time in ns of the last transition."""
        return self._machine.since_ns

    @property
    def finished(self) -> bool:
        """True when there will be no further attempt: stopped, or at the end of a file."""
        return self._machine.state == State.STOPPED

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = TEARDOWN_S) -> None:
        """Ends the camera; waits for at most ``timeout_s``."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _tell(self, change: Transition) -> None:
        level = logging.INFO if change.state in {State.RUNNING, State.STOPPED} else logging.WARNING
        _log.log(level, "%s", change)
        try:
            self._on_change(change)
        except Exception:  # noqa: BLE001  # a listener's mistake must not end the camera
            _log.exception("camera %s: on_change failed", self.name)

    def _run(self) -> None:
        reason = "on request"
        while not self._stop.is_set():
            self._machine.connecting()
            fault = self._attempt()
            if fault is _END_OF_FILE:
                reason = fault.reason
                break
            if fault is not None:
                self._stop.wait(self._machine.failed(fault))
        self._machine.stopped(reason)

    def _attempt(self) -> Fault | None:
        """One graph from building to its end; None when a stop was asked for."""
        attach(self.name, self._ledger)
        try:
            pipeline = Gst.parse_launch(self._graph)
        except GLib.Error as error:
            detach(self.name)
            return Fault(f"the graph cannot be built: {self._hide(error.message)}", slow=True)
        feed = self._prepare(pipeline)
        try:
            pipeline.set_state(Gst.State.PLAYING)
            return self._watch(pipeline)
        finally:
            if feed is not None:
                feed.stop()
                self._next_number = feed.next_number
            self._tear_down(pipeline)
            self._ledger.interrupt("reconnect")
            detach(self.name)

    def _prepare(self, pipeline: Any) -> SyntheticFeed | None:
        spec = self.spec
        self._probes = FrameProbes(
            self._ledger,
            RateLimit(spec.fps) if spec.fps else None,
            spec.keyframes_only,
            paced=spec.url.scheme == "file" and spec.pace == "realtime",
        )
        self._probes.install(pipeline)
        pipeline.connect("deep-element-added", _on_element, self._probes)
        source = pipeline.get_by_name("source")
        for key, value in self._source.secrets.items():
            source.set_property(key, value)
        if spec.url.scheme.startswith("rtsp"):
            source.connect("select-stream", _is_video)
        if spec.url.scheme != "test":
            return None
        options = SyntheticOptions.of_query(spec.url.query)
        feed = SyntheticFeed(source, options, self._next_number)
        feed.start()
        return feed

    def _watch(self, pipeline: Any) -> Fault | None:
        bus = pipeline.get_bus()
        while not self._stop.is_set():
            message = bus.timed_pop_filtered(int(TICK_S * Gst.SECOND), _WATCHED)
            fault = None if message is None else self._judge(pipeline, message)
            fault = fault or self._check()
            if fault is not None:
                return fault
        return None

    def _check(self) -> Fault | None:
        arrived_s, decoded_s = self._probes.arrived_s, self._probes.decoded_s
        if self.spec.keyframes_only and decoded_s is not None:
            decoded_s = max(decoded_s, arrived_s or decoded_s)
        return self._machine.check(arrived_s, decoded_s)

    def _judge(self, pipeline: Any, message: Any) -> Fault | None:
        """What a message from the graph means for it."""
        if message.type == Gst.MessageType.EOS:
            return self._on_end(pipeline)
        if message.type == Gst.MessageType.ERROR:
            error, _ = message.parse_error()
            return self._on_error(error.domain, error.code, error.message)
        if message.type == Gst.MessageType.WARNING:
            self._warn(f"{message.src.get_name()}: {message.parse_warning()[0].message}")
        return None

    def _on_end(self, pipeline: Any) -> Fault | None:
        if self._source.live:
            return Fault("the camera ended the stream")
        if not self.spec.loop:
            return _END_OF_FILE
        self._probes.turn += 1
        if pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0):
            return None
        return Fault("the file cannot be wound back")

    def _on_error(self, domain: str, code: int, text: str) -> Fault | None:
        fault = explain(self.spec.url, domain, code, text)
        return fault or self._reach()

    def _reach(self) -> Fault | None:
        """Asks the network on another thread, so that a stop need not wait for DNS."""
        answers: queue.SimpleQueue[Fault] = queue.SimpleQueue()
        threading.Thread(
            target=lambda: answers.put(reach(self.spec.url, REACH_S)), daemon=True
        ).start()
        until_s = time.monotonic() + 2 * REACH_S
        while not self._stop.is_set() and time.monotonic() < until_s:
            try:
                return answers.get(timeout=TICK_S)
            except queue.Empty:
                continue
        return None if self._stop.is_set() else Fault("the name server does not answer")

    def _warn(self, text: str) -> None:
        """Logs the first of a burst."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get(text, -WARNING_EVERY_S) >= WARNING_EVERY_S:
            self._warned_s[text] = now_s
            _log.warning("camera %s: %s", self.name, self._hide(text))

    def _hide(self, text: str) -> str:
        return hide(text, self.spec.url)

    def _tear_down(self, pipeline: Any) -> None:
        """To NULL, on a thread of its own: an element that hangs must not take the camera along."""
        thread = threading.Thread(
            target=pipeline.set_state, args=(Gst.State.NULL,), name=f"stop-{self.name}", daemon=True
        )
        thread.start()
        thread.join(TEARDOWN_S)
        if thread.is_alive():
            _log.error("camera %s: its graph does not stop; left behind", self.name)


def _on_element(_pipeline: Any, _parent: Any, element: Any, probes: FrameProbes) -> None:
    """Frame threading in a decoder would hold back one frame per thread."""
    factory = element.get_factory()
    kind = factory.get_metadata("klass") if factory is not None else ""
    if "Decoder" not in kind or not ("Video" in kind or "Image" in kind):
        return
    if element.find_property("max-threads") is not None:
        element.set_property("max-threads", 1)
    probes.watch_decoder(element)


def _is_video(_source: Any, _number: int, caps: Any) -> bool:
    """Sound and metadata are not asked for at all."""
    return bool(caps.get_structure(0).get_string("media") == "video")
