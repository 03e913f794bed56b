"""The graph of a camera that is given the decoded frames of another camera's session."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.sharing import FOLLOWING, Lead, Watching
from pipeline.cameras.state import Fault, Progress
from pipeline.config.camera import Camera
from pipeline.control.reports import StreamReport
from pipeline.gst.probes import Exit, FrameProbes
from pipeline.gst.session import Session
from plugins.ledger import Ledger
from plugins.line import Line

BEHIND_S = 1.0  # of frames that were handed on; a graph that is later has a fault of its own
_log = logging.getLogger(__name__)


class FrameFeed:
    """Takes frames on the streaming thread of the session that is followed, and never waits.

    Each is counted, and dropped if there are too many, before it is handed to the graph; of those
    that wait there the older are dropped, which the account finds as in any graph.

    Args:
        source: the appsrc.
        probes: of its graph.
        ledger: the camera's account.

    Attributes:
        watch: what its camera says of its sleep; None where it needs each frame.
    """

    def __init__(self, source: Any, probes: FrameProbes, ledger: Ledger) -> None:
        self._source = source
        self._probes, self._ledger = probes, ledger
        self.watch: Watching | None = probes.sleeper
        self._caps: Any = None
        self._orientation = ""
        self._lock = threading.Lock()
        self._is_stopped = False

    @property
    def queued(self) -> int:
        """How many frames wait for its stages."""
        return self._ledger.queued

    def make_room(self, frames: int) -> None:
        """Let up to that many frames wait."""
        with self._lock:
            if not self._is_stopped:
                self._source.set_property("max-buffers", frames)
                newest = self._source.get_parent().get_by_name("newest")
                newest.set_property("max-size-buffers", frames)

    def stop(self) -> None:
        """Take no more; none is being taken either when this returns."""
        with self._lock:
            self._is_stopped = True

    def take(self, buffer: Any, caps: Any, orientation: str, frame: Exit) -> None:
        """Take a frame.

        Args:
            buffer: of its own, around pixels that others read too.
            caps: the format of its pixels.
            orientation: GStreamer's tag of that name, that its stream had last; "" for none.
            frame: the frame.
        """
        try:
            with self._lock:
                if not self._is_stopped:
                    self._take(buffer, caps, orientation, frame)
        except Exception:  # noqa: BLE001  # the session is another camera's
            _log.exception("a shared frame could not be taken")

    def _take(self, buffer: Any, caps: Any, orientation: str, frame: Exit) -> None:
        if self._caps is None or not caps.is_equal(self._caps):
            self._caps = caps
            self._probes.note(Gst.Event.new_caps(caps))
        if orientation != self._orientation:
            self._orientation = orientation
            tags = Gst.TagList.new_empty()
            turned = orientation or "rotate-0"
            tags.add_value(Gst.TagMergeMode.REPLACE, Gst.TAG_IMAGE_ORIENTATION, turned)
            self._probes.note(Gst.Event.new_tag(tags))
            self._source.send_event(Gst.Event.new_tag(tags))
        if self._probes.admit(frame):
            self._source.emit("push-sample", Gst.Sample.new(buffer, caps, None, None))


class FollowingSession(Session):
    """A graph from the decoded frames on, which ends with the session that it follows.

    Args:
        spec: the camera.
        graph: launch text of the whole graph, with ``FOLLOWING`` as its source.
        line: what its elements share.
        lead: the camera whose session it follows.
    """

    def __init__(self, spec: Camera, graph: str, line: Line, lead: Lead) -> None:
        super().__init__(spec, FOLLOWING, graph, line)
        self._followed, self._rings = lead, line.rings
        self._frames = FrameFeed(self._element, self.probes, line.ledger)
        self._calm = line.calm

    def start(self) -> None:
        """To PLAYING; frames are taken from then on."""
        super().start()
        self._followed.join(self._frames, self._rings)

    def close(self) -> None:
        """Take no more frames, then to NULL."""
        self._followed.leave(self._frames, self._rings)
        self._frames.stop()
        super().close()
        self._calm.rests_no_more()

    @property
    def is_refused(self) -> bool:
        """True once the session that it follows has ended."""
        return self._followed.is_over

    @property
    def refusal(self) -> Fault | None:
        """Why that has ended; None where nothing is wrong with the stream."""
        return self._followed.fault

    @property
    def left(self) -> str:
        """That it has ended, in words, although nothing is wrong with the stream."""
        if not self._followed.is_over or self._followed.fault is not None:
            return ""
        return f'the session of camera "{self._followed.camera}", which it shared, has ended'

    @property
    def answered_s(self) -> float | None:
        """Now: until something comes, whoever has opened the session knows why nothing does."""
        return time.monotonic()

    @property
    def remarks(self) -> dict[str, str]:
        """What is worth saying about the camera's clock, by kind."""
        session = self._followed.session
        return {} if session is None else session.remarks

    def report(self) -> StreamReport:
        """What is known of the stream that it follows."""
        session = self._followed.session
        return session.report() if isinstance(session, Session) else super().report()

    def progress(self, busy_s: float) -> Progress:
        """What came to the session that it follows, and what of that came here.

        Silence is judged there, unless it is of this graph alone.
        """
        own, session = super().progress(busy_s), self._followed.session
        if session is None:
            return own.calm_until(time.monotonic())
        theirs = session.progress(busy_s)
        came = replace(
            theirs,
            decoded_s=own.decoded_s,
            whole=own.whole,
            damaged_s=own.damaged_s,
            frames=own.frames,
        )
        if isinstance(session, Session) and session.probes.naps:
            return came.calm_until(time.monotonic())
        behind_s = (theirs.decoded_s or 0.0) - (own.decoded_s or 0.0)
        return came if behind_s > BEHIND_S else came.calm_until(time.monotonic())
