"""Decodes only key frames while a camera is quiet, and every image once something happens.

A nap keeps each encoded image since the last key frame that was looked at. When it ends, these are
decoded faster than they came, in order, each with the time at which it came; what comes meanwhile
queues behind them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.damage import Late, Loss
from pipeline.cameras.nal_units import CODECS, types_in_image
from pipeline.cameras.sharing import Feed, Lead, Watching
from pipeline.cameras.sleep import STREAM, UNEVEN, Sleep, Way
from plugins.bindings import structure_of
from plugins.gate.calm import GATE, MOTION, SHARED
from plugins.ledger import DAMAGED
from plugins.line import Line

_UNITS = {"video/x-h264": CODECS["H264"], "video/x-h265": CODECS["H265"]}
_OTHERS = {
    "video/x-vp8",
    "video/x-vp9",
    "video/x-av1",
}  # whose key frames always refresh the decoder
_HEAD = 4096  # bytes in which an image has begun, behind all parameters
_NO_TIME: int = Gst.CLOCK_TIME_NONE
ROOM = 8  # frames that the queue holds while those that were kept are decoded
_TURN_S = 0.03  # of decoding what was kept, for each image that comes
_BEHIND_S = 15.0  # after which all that is kept is decoded at once
_MORE_NS = 1_000_000_000  # by which it grows where stages do not keep up
_LEAST = 2  # images that are decoded then for each that comes: stages lose frames as ever
_STEP_NS = 1_000_000
_TOGETHER_S = 0.3  # of images that are taken in at one go while asleep


class Come(NamedTuple):
    """An encoded image that has come.

    Attributes:
        buffer: the image.
        now_s: the monotonic time at which it came.
        at_ns: the Unix time of that.
    """

    buffer: Any
    now_s: float
    at_ns: int


class Held(NamedTuple):
    """An encoded image that is decoded later.

    Attributes:
        buffer: of its own, with the camera's time.
        at_ns: Unix time at which it came.
        late: what was lost before it.
    """

    buffer: Any
    at_ns: int
    late: Late


class Nap:
    """Of one session. Its methods run on the thread of the decoder.

    Args:
        line: has the gate's word, and the account.
        lead: has those who follow the session; it is asleep while all of them need no frames.
        own: of the camera that has opened it.

    Attributes:
        shift_ns: what is added to the time of each image before the decoder, which takes no times
            that go back.
        passing: the image that was kept and is being decoded.
    """

    def __init__(self, line: Line, lead: Lead | None, own: Watching) -> None:
        self._line, self._lead, self._own = line, lead, own
        self._sleep = Sleep()
        self._left_alone = ""
        self._waiting: list[Come] = []
        self._came_s = float("-inf")
        self._held: deque[Held] = deque()
        self._woke_s: float | None = None  # while what was kept is decoded
        self._key_pts = self._newest_pts = -1
        self._room = 1
        self._is_seen = False  # the first of what is kept counts already
        self._thread = 0  # on which images come
        self._most_ns = 0  # as long as what is kept may be; less than 0 once it was longer
        self.shift_ns = 0
        self.passing: Held | None = None

    @property
    def is_on(self) -> bool:
        """True while not each image is decoded as it comes."""
        return self._sleep.is_asleep or self._woke_s is not None

    def puts_off(self, come: Come, key: bool, loss: Loss | None) -> bool:
        """Return whether an image waits, to be taken in with those behind it.

        Whatever runs after a pause finds the processor's caches cold, which takes several times as
        long as the work itself; so a camera asleep runs for a few images at a time.

        Args:
            come: the image.
            key: it leans on no other.
            loss: what was lost before it.
        """
        gap_s, self._came_s = come.now_s - self._came_s, come.now_s
        if key or loss is not None or not self._sleep.is_asleep:
            return False
        first_s = self._waiting[0].now_s if self._waiting else come.now_s
        if come.now_s + gap_s - first_s > _TOGETHER_S:  # the next would come too late
            return False
        self._waiting.append(come)
        return True

    def waited(self) -> list[Come]:
        """Return the images that wait, which do so no longer."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def takes(self, pad: Any, come: Come, key: bool, loss: Loss | None) -> bool:
        """Return whether an image that has come is kept, and not decoded now.

        Args:
            pad: of the decoder.
            come: the image, with the camera's time.
            key: it leans on no other.
            loss: what was lost before it.
        """
        buffer, now_s, _ = come
        pts = buffer.pts
        self._thread = threading.get_ident()
        if self._woke_s is not None:
            self._sleep.came(key, buffer.get_size(), pts / 1e9, GATE)
            self._sleep.awaits = False  # it is kept, which says nothing of the decoder
            self._hold(come, loss)
            return True
        stirs = self._stirs(now_s) if pts != _NO_TIME else UNEVEN
        if key and not stirs:
            refreshes = _refreshes(pad.get_current_caps(), buffer)
            self._left_alone = "" if refreshes else "images refer beyond its key frames"
            stirs = "" if refreshes else UNEVEN
        way = self._sleep.came(key, buffer.get_size(), pts / 1e9, stirs)
        self._tell()
        if key:
            self._key_pts = pts
        if way is Way.DECODED:
            self._held.clear()
            self._newest_pts = pts
            if key and not stirs:
                self._hold(come, loss)
            return False
        self._hold(come, loss)
        if way is Way.KEY:
            self._newest_pts = pts
        elif way is Way.WAKES:
            self._wake(now_s)
        return way is not Way.KEY

    def catch_up(self, push: Callable[[Any], object], at_once: bool = False) -> None:
        """Decode of what is kept as much as there is room and time for, or all.

        Args:
            push: gives an image to the decoder.
            at_once: something else comes, which must not overtake.
        """
        if self._woke_s is None:
            if not (at_once and self._sleep.is_asleep):
                return
            self._sleep = Sleep()
            self._sleep.why = STREAM
            self._tell()
            self._wake(time.monotonic())
        assert self._woke_s is not None
        began_s, queued = time.monotonic(), self._queued()
        all_now = at_once or began_s - self._woke_s > _BEHIND_S
        if self._held and self._kept_ns() > self._most_ns:
            self._most_ns = -1
        least = 0 if self._most_ns >= 0 else _LEAST
        while self._held:
            is_time = queued < ROOM - 1 and time.monotonic() - began_s < _TURN_S
            if not (is_time or least > 0 or all_now):
                return
            least -= 1
            self.passing = self._held.popleft()
            self._newest_pts = self.passing.buffer.pts
            push(self.passing.buffer)
            self._is_seen, self.passing = False, None
            queued = self._queued()
        if queued <= 1 or all_now:
            self._woke_s = None

    def hides(self, pad: Any, buffer: Any, pts: int, damaged: bool) -> bool:
        """Return whether a frame that was decoded counts nowhere: it did before, or it will when
        those before it are decoded too.

        Args:
            pad: it comes to.
            buffer: the frame.
            pts: its time, before it was shifted.
            damaged: the decoder made up a part of it.
        """
        if threading.get_ident() != self._thread:  # nobody knows which image it is of
            return False
        self._make_room(pad)
        if self.passing is not None:
            return self._is_seen
        if not self._sleep.awaits or pts != self._key_pts:
            return False
        was_asleep = self._sleep.is_asleep
        is_asleep = self._sleep.looked(DAMAGED if damaged else self._moves(pad, buffer, pts))
        self._tell()
        if not is_asleep:
            return was_asleep
        while len(self._held) > 1:
            self._held.popleft()
        if was_asleep:
            for watch in self._watches():
                watch.calm.alone.append(pts)
        return False

    def shift(self, buffer: Any) -> None:
        """Move the time of an image for the decoder, which alone sees it."""
        for name in ("pts", "dts"):
            if (at := getattr(buffer, name)) != _NO_TIME:
                setattr(buffer, name, at + self.shift_ns)

    def own_pts(self, buffer: Any) -> int:
        """Return the time of a frame as its image had it."""
        pts: int = buffer.pts
        return pts if pts == _NO_TIME else pts - self.shift_ns

    def close(self) -> None:
        """Count what was kept and will not be decoded, when the session has ended."""
        kept = len(self._held) - 1 if self._sleep.is_asleep or self._is_seen else len(self._held)
        if self.is_on:
            self._own.calm.unseen += max(0, kept) + len(self.waited())
        for watch in self._watches():
            watch.calm.rests_no_more()

    def _feeds(self) -> tuple[Feed, ...]:
        return () if self._lead is None else self._lead.feeds

    def _watches(self) -> list[Watching]:
        return [self._own, *(feed.watch for feed in self._feeds() if feed.watch is not None)]

    def _queued(self) -> int:
        """Return how many frames wait where most do."""
        return max(self._line.ledger.queued, *(feed.queued for feed in self._feeds()), 0)

    def _stirs(self, now_s: float) -> str:
        """Return why all images are to be decoded; empty where no camera needs them."""
        if any(feed.watch is None for feed in self._feeds()):
            return SHARED
        whys = (watch.stirs(now_s) for watch in self._watches())
        return next((why for why in whys if why), "")

    def _hold(self, come: Come, loss: Loss | None) -> None:
        self._held.append(Held(come.buffer.copy_deep(), come.at_ns, Late(loss)))

    def _wake(self, now_s: float) -> None:
        self._woke_s, self._is_seen = now_s, True
        first = self._held[0].buffer.pts
        self.shift_ns += max(0, self._newest_pts - first) + _STEP_NS
        self._most_ns = max(0, self._kept_ns()) + _MORE_NS

    def _kept_ns(self) -> int:
        kept: int = self._held[-1].buffer.pts - self._held[0].buffer.pts
        return kept

    def _make_room(self, pad: Any) -> None:
        room = 1 if self._woke_s is None else ROOM
        if room != self._room:
            self._room = room
            pad.get_parent_element().set_property("max-size-buffers", room)
            for feed in self._feeds():
                feed.make_room(room)

    def _moves(self, pad: Any, buffer: Any, pts: int) -> str:
        """Return why a key frame wakes the session; each camera learns from it."""
        caps = pad.get_current_caps()
        moves = [watch.moves(caps, buffer, pts) for watch in self._watches()]
        return MOTION if any(moves) else ""

    def _tell(self) -> None:
        """Say of each camera that it has fallen asleep, or why it woke."""
        left_alone = self._sleep.left_alone or self._left_alone
        for watch in self._watches():
            watch.calm.left_alone = left_alone
            if self._sleep.is_asleep and not watch.calm.is_asleep:
                watch.calm.sleeps()
            elif not self._sleep.is_asleep and watch.calm.is_asleep:
                watch.calm.woke(self._sleep.why)


def _refreshes(caps: Any, buffer: Any) -> bool:
    """Return whether nothing behind a key frame leans on what was before it."""
    shape = structure_of(caps)
    codec = _UNITS.get(shape.get_name())
    if codec is None:
        return shape.get_name() in _OTHERS
    data = buffer.extract_dup(0, min(_HEAD, buffer.get_size()))
    has_lengths = shape.get_string("stream-format") != "byte-stream"
    return bool(codec.keys & types_in_image(data, codec, has_lengths))
