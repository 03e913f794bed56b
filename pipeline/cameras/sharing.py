"""One session for cameras that ask the same of one stream: who opens it, and who follows.

Whichever of them comes first opens the session and leads; the others are given its decoded frames.
When it ends they are told why, and whoever attempts first is the next to lead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mirante.faults import FaultCode
from pipeline.cameras.sources import source_of
from pipeline.cameras.sources.base import Source
from pipeline.cameras.state import Fault, Progress
from pipeline.config.camera import Camera
from pipeline.config.view_stream import stream_of, view_stream_of
from plugins.clips.ring import PacketRing
from plugins.gate.calm import Calm

Key = tuple[object, ...]

# What stands in place of source and decoder where frames come from the session of another camera.
# Of what waits the older is dropped, as the queue behind it does.
FOLLOWING = Source(
    "appsrc name=source is-live=true format=time max-buffers=1 max-bytes=0 leaky-type=downstream",
    follows=True,
)

_ITS_OWN = {
    FaultCode.STAGE_FAILED,
    FaultCode.STAGE_STUCK,
    FaultCode.NO_ELEMENT,
    FaultCode.INVALID,
}


class Watching(Protocol):
    """What a camera of a session says of its sleep; on the thread of the decoder.

    Attributes:
        calm: of the camera.
    """

    calm: Calm

    def stirs(self, now_s: float) -> str:
        """Return why it needs all frames; empty where it does not."""

    def moves(self, caps: Any, buffer: Any, pts: int) -> bool:
        """Return whether something moves in a key frame, or that cannot be told."""


class Feed(Protocol):
    """Takes the decoded frames of another camera's session, on its streaming thread.

    Attributes:
        watch: what its camera says of its sleep; None where it needs each frame.
    """

    watch: Watching | None

    @property
    def queued(self) -> int:
        """How many frames wait for its stages."""

    def make_room(self, frames: int) -> None:
        """Let up to that many frames wait."""

    def take(self, buffer: Any, caps: Any, orientation: str, frame: Any) -> None:
        """Take one frame; arguments as of ``pipeline.gst.following.FrameFeed``."""


class Shown(Protocol):
    """A session, as those that follow it see it."""

    @property
    def remarks(self) -> dict[str, str]:
        """Things worth saying about the camera's clock, by kind."""
        ...

    def progress(self, busy_s: float) -> Progress:
        """What came so far."""
        ...


class Lead:
    """The camera that has opened a session, and the feeds of those that follow it.

    Args:
        camera: its name.

    Attributes:
        session: that which runs now; None between two.
        feeds: of those that follow.
        rings: of those that keep the session's encoded images for clips.
        fault: why the stream ended, once it has; None where nothing is wrong with it.
        is_over: it has ended.
    """

    def __init__(self, camera: str) -> None:
        self.camera = camera
        self.session: Shown | None = None
        self.feeds: tuple[Feed, ...] = ()
        self.rings: tuple[PacketRing, ...] = ()
        self.fault: Fault | None = None
        self.is_over = False
        self._lock = threading.Lock()

    def join(self, feed: Feed, rings: tuple[PacketRing, ...] = ()) -> None:
        """Give a feed each frame, and rings each encoded image, from now on."""
        with self._lock:
            self.feeds = (*self.feeds, feed)
            self.rings = (*self.rings, *rings)

    def leave(self, feed: Feed, rings: tuple[PacketRing, ...] = ()) -> None:
        """Give them no more."""
        with self._lock:
            self.feeds = tuple(each for each in self.feeds if each is not feed)
            self.rings = tuple(each for each in self.rings if each not in rings)


class SharedSessions:
    """The sessions of a worker that cameras may share. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leads: dict[Key, Lead] = {}

    def enter(self, key: Key, camera: str) -> tuple[Lead, bool]:
        """Return who leads for a key, and whether that is this ``camera`` from now on, which then
        has to ``end`` it.
        """
        with self._lock:
            lead = self._leads.get(key)
            if lead is not None:
                return lead, False
            lead = self._leads[key] = Lead(camera)
            return lead, True

    def end(self, key: Key, lead: Lead, fault: Fault | None) -> None:
        """End a lead for a fault, or for None where it was stopped. A fault of the camera's own
        stages is none of those that follow.
        """
        with self._lock:
            del self._leads[key]
            lead.session = None
            lead.fault = None if fault is None or fault.code in _ITS_OWN else fault
            lead.is_over = True


def session_key(spec: Camera) -> Key | None:
    """Return all of a camera that decides what its session brings and when it is given up; None for
    a camera that has one to itself: of a recording, of images drawn or read here, of a sender.

    Raises:
        ValueError: its address has a query that means nothing.
    """
    source = source_of(spec)
    if source.pace is not None or source.is_fed or source.sender:
        return None
    return (
        spec.url,
        source.launch,
        spec.most_fps if source.keeps_rate else None,
        spec.transport,
        spec.latency_ms,
        spec.answer_s,
        spec.watchdog_s,
        spec.decode,
        spec.keyframes_only,
    )


def read_apart(cameras: Mapping[str, Camera]) -> Iterator[str]:
    """A hint for each stream that is opened more than once.

    Args:
        cameras: of one worker, by name.
    """
    readers: dict[Key, dict[object, list[str]]] = {}  # by stream, and by what shares a session
    shown: dict[Key, str] = {}
    for name, camera in cameras.items():
        if camera.url.is_network or camera.url.kind.needs_path:
            stream = stream_of(camera.url)
            sessions = readers.setdefault(stream, {})
            sessions.setdefault(session_key(camera) or name, []).append(name)
            shown.setdefault(stream, str(camera.url))
    for name, camera in cameras.items():
        view = view_stream_of(camera)
        if view is not None and (stream := stream_of(view.url)) in readers:
            readers[stream].setdefault(None, []).append(f"{name}.view")
    for stream, sessions in readers.items():
        if len(sessions) > 1:
            names = (" + ".join(sharing) for sharing in sessions.values())
            yield (
                f"{shown[stream]}: read by {', '.join(names)}, each in a session of its own; "
                "cameras with the same url share one where all options of the source are equal"
            )
