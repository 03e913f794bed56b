"""A line: what the elements of one graph share, the account, the way to Redis, the models."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engines.serving import Models
from mirante.frame import FrameResult
from plugins.carriage import Carriage
from plugins.clips.recorder import Recorder
from plugins.clips.ring import PacketRing
from plugins.device.gpu import Viewers
from plugins.device.surface import Held
from plugins.frame import Converted, Larger, Moves
from plugins.gate.calm import Calm
from plugins.ledger import Ledger
from plugins.memory import Memory
from plugins.meta.mirror import Mirror
from plugins.outbox.lane import REFUSED
from plugins.preview.view_images import ViewImages
from plugins.thread_times import ThreadTimes

if TYPE_CHECKING:  # what reads a clip has no Redis, whose client takes a while to load
    from plugins.outbox.outbox import Outbox

FLUSH_S = 5.0  # for what has not been sent when a line ends
TAKE_OVER_S = 1.0  # in which Redis answers what the last worker left
OVERLAP_NS = 1_000_000_000  # what seems to be captured later is of another clock

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Line:
    """Given to elements before they start; those of a plain launch line make one.

    Attributes:
        ledger: the account of the frames.
        outbox: the way to Redis of elements that name none; None for ``MIRANTE_REDIS_URL``.
        models: what ``mirinfer`` runs.
        view: takes the place of the images of this line, while it has some.
        memory: what stages know of earlier frames.
        views: what a line of a view stream shows its frames to.
        live: values that take the place of stages' settings while they run, by stage.
        clips: makes clips of the camera; None where it keeps none.
        carriage: the way to Redis of events, their images, counts and the memory.
        rings: what the encoded images of the line's session are kept in.
        looked: the last published frame that models looked at and that is not damaged.
        calm: for how long its gate has seen nothing, and how it sleeps.
        threads: what works for it alone.
        converted: the pixels of a frame that some element asked for.
        closeup: the decoded image of the frame that is in the stages; None where none asks for it.
        moves: returns where something moves or may move in that frame; None without a gate.
        mirror: what has been written to the buffers for elements that are not ours.
        is_ended: an element closes its frames, as mirpublish does.
        is_resting: nobody looks at its images: key frames alone are decoded.
        takes_over: another worker publishes the camera until the first frame has passed all stages.
        since_ns: frames captured until then, Unix ns, were another worker's.
        viewers: bring frames of a GPU's memory to the host.
        held: surfaces of a GPU's memory that its decoder has made and that are in use.
        on_taken: called on the streaming thread once the camera is taken over.
    """

    ledger: Ledger = field(default_factory=lambda: Ledger("camera"))
    outbox: Outbox | None = None
    models: Models = field(default_factory=Models)
    view: ViewImages | None = None
    memory: Memory = field(default_factory=Memory)
    views: tuple[ViewImages, ...] = ()
    live: dict[str, str] = field(default_factory=dict)
    clips: Recorder | None = None
    rings: tuple[PacketRing, ...] = ()
    looked: FrameResult | None = None
    calm: Calm = field(default_factory=Calm)
    closeup: Larger | None = None
    moves: Moves | None = None
    threads: ThreadTimes = field(default_factory=ThreadTimes)
    mirror: Mirror = field(default_factory=Mirror)
    is_ended: bool = True
    is_resting: bool = False
    takes_over: bool = False
    since_ns: int = 0
    on_taken: Callable[[], None] = lambda: None
    converted: Converted = field(default_factory=Converted)
    viewers: Viewers = field(default_factory=Viewers)
    held: Held = field(default_factory=Held)
    carriage: Carriage = field(init=False)
    _own: dict[str, tuple[Outbox, int]] = field(default_factory=dict)  # and how many use it
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.carriage = Carriage(self.ledger, self.memory)
        self.carriage.outbox = self.outbox

    def take_over(self, outbox: Outbox) -> bool:
        """Make the camera this line's, which goes on from where its last worker left it; False
        while that does not succeed.
        """
        saved = outbox.take_over(self.ledger.camera, TAKE_OVER_S)
        if saved is None:
            return False
        self.memory.load(saved.parts)
        self.ledger.take_events()  # of frames that the other has published
        until_ns = (saved.captured_ms + 1) * 1_000_000 - 1
        self.since_ns = until_ns if until_ns - time.time_ns() < OVERLAP_NS else 0
        self.takes_over = False
        self.on_taken()
        return True

    def acquire(self, url: str) -> Outbox:
        """Return the outbox for a Redis URL, started on first use; empty stands for the given one.

        Raises:
            ValueError: no URL, no outbox was given, and no MIRANTE_REDIS_URL.
        """
        if not url and self.outbox is not None:
            return self.outbox
        url = url or os.environ.get("MIRANTE_REDIS_URL", "")
        if not url:
            raise ValueError("redis: not set; expected redis://HOST:PORT, or MIRANTE_REDIS_URL")
        with self._lock:
            outbox, users = self._own.get(url, (None, 0))
            if outbox is None:
                from plugins.outbox.outbox import Outbox

                outbox = Outbox(
                    url,
                    on_lost=lambda _camera, frames: self.ledger.lost(frames),
                    on_refused=lambda _camera, frames: self.ledger.lost(frames, REFUSED),
                )
                outbox.start()
            self._own[url] = (outbox, users + 1)
            return outbox

    def release(self, outbox: Outbox) -> None:
        """Give an acquired outbox back; the last user of one by URL flushes and closes it."""
        with self._lock:
            url = next((url for url, (own, _) in self._own.items() if own is outbox), None)
            if url is None:
                return
            users = self._own.pop(url)[1] - 1
            if users:
                self._own[url] = (outbox, users)
                return
        if lost := outbox.close(FLUSH_S):
            log.warning("%d frames never reached Redis: %s", lost, outbox.state.words)
