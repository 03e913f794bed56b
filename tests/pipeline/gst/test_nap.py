"""What a nap does with images, by images that nobody decodes."""

from __future__ import annotations

import threading
import time
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.sharing import Lead, Watching
from pipeline.config.camera import Camera
from pipeline.gst.nap import ROOM, Come, Nap
from pipeline.gst.watch import Watch
from plugins.gate.calm import REQUEST, SHARED
from plugins.ledger import Ledger
from plugins.line import Line

Gst.init(None)

FPS, GROUP = 10, 20
CAPS = Gst.Caps.from_string("video/x-vp8")


SPEC = Camera.model_validate({"url": "rtsp://192.0.2.1/"})


def calmed(line: Line) -> None:
    """Have its gate see nothing for a while."""
    now_s = time.monotonic()
    line.calm.noted(False, now_s - 60)
    line.calm.noted(True, now_s)


def came(buffer: Any, at_s: float | None = None) -> Come:
    """Return an image that comes now, or at a monotonic time."""
    return Come(buffer, time.monotonic() if at_s is None else at_s, time.time_ns())


class Pad:
    """That of a decoder or a queue."""

    def get_current_caps(self) -> Any:
        return CAPS

    def get_parent_element(self) -> Pad:
        return self

    def set_property(self, name: str, value: int) -> None:
        self.room = value


class Stream:
    """Sends images through a nap to a decoder that gives a frame for each at once."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, is_apart: bool = False, lead: Lead | None = None
    ) -> None:
        self.line = Line(Ledger("yard"))
        calmed(self.line)
        self.nap, self.pad = Nap(self.line, lead, Watch(self.line, SPEC)), Pad()
        monkeypatch.setattr(self.nap, "_moves", lambda *_: "")
        self.number, self.decoded, self.is_apart = 0, list[int](), is_apart

    def decode(self, buffer: Any) -> None:
        own = [self.pad, buffer, buffer.pts, False]
        if self.is_apart:
            thread = threading.Thread(target=self.nap.hides, args=own)
            thread.start()
            thread.join()
        elif self.nap.hides(*own):
            return
        self.decoded.append(buffer.pts)
        self.line.ledger.decoded(buffer.pts, buffer.pts, "arrival", (320, 180))
        self.line.ledger.admitted(buffer.pts)

    def send(self, images: int) -> None:
        """Send some, none of which is taken from the queue while what was kept is decoded."""
        for _ in range(images):
            buffer = Gst.Buffer.new_wrapped(bytes(1000))
            buffer.pts = self.number * Gst.SECOND // FPS
            is_key = self.number % GROUP == 0
            if not self.nap.takes(self.pad, came(buffer), is_key, None):
                self.decode(buffer)
                self.line.ledger.taken(buffer.pts)
            self.nap.catch_up(self.decode)
            self.number += 1


def test_stages_that_hang_are_as_late_as_a_group_and_no_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream(monkeypatch)
    stream.send(6 * GROUP + GROUP // 2)
    assert stream.nap.is_on
    so_far = len(stream.decoded)
    stream.line.calm.noted(False, time.monotonic())
    stream.send(1)
    assert len(stream.decoded) - so_far == ROOM - 1, "no more than the queue holds"
    stream.send(3 * GROUP)
    assert stream.decoded[-1] >= (stream.number - 2) * Gst.SECOND // FPS
    assert stream.decoded == sorted(set(stream.decoded))


def test_what_waits_says_nothing_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, said = Stream(monkeypatch), set[str]()
    stream.send(6 * GROUP + GROUP // 2)
    stream.line.calm.noted(False, time.monotonic())
    stream.send(4 * GROUP)
    assert stream.line.calm.wakes
    for _ in range(GROUP):
        stream.line.ledger.taken(stream.decoded[-1])
        stream.send(1)
        said.add(stream.line.calm.left_alone)
    assert not stream.nap.is_on
    assert said == {""}


def test_times_of_another_connection_are_forgotten() -> None:
    line = Line(Ledger("yard"))
    line.calm.alone.append(10 * Gst.SECOND)
    Watch(line, SPEC)
    assert not line.calm.alone


def test_what_is_kept_when_a_session_ends_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch)
    stream.send(6 * GROUP + GROUP // 2)
    assert stream.line.calm.is_asleep
    stream.nap.close()
    assert stream.line.calm.unseen == GROUP // 2 - 1, "the key frame was looked at"
    assert stream.line.calm.slept_s()[0] > 0


class Follower:
    """A camera that shares the session, and whose stages are slow."""

    def __init__(self, line: Line | None) -> None:
        self.watch: Watching | None = None if line is None else Watch(line, SPEC)
        self.queued, self.room = 0, 1

    def make_room(self, frames: int) -> None:
        self.room = frames

    def take(self, *_: object) -> None:
        """Takes what the session decodes."""


@pytest.mark.parametrize("needs_all", [True, False])
def test_a_camera_that_shares_the_session_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, needs_all: bool
) -> None:
    lead, line = Lead("yard"), Line(Ledger("gate"))
    stream = Stream(monkeypatch, lead=lead)
    calmed(line)
    follower = Follower(None if needs_all else line)
    lead.join(follower)
    stream.send(6 * GROUP + GROUP // 2)
    assert stream.line.calm.is_asleep is not needs_all
    assert line.calm.is_asleep is not needs_all
    if needs_all:
        lead.leave(follower)
        stream.send(2 * GROUP)
        assert stream.line.calm.is_asleep
        lead.join(follower)
        stream.send(1)
        assert stream.line.calm.wakes == {SHARED: 1}
        return
    line.calm.call(60)
    stream.send(1)
    assert follower.room == ROOM
    so_far, follower.queued = len(stream.decoded), ROOM
    stream.send(1)
    assert len(stream.decoded) == so_far, "its queue is full"
    assert line.calm.wakes == stream.line.calm.wakes == {REQUEST: 1}


def test_a_decoder_on_a_thread_of_its_own_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, is_apart=True)
    stream.send(8 * GROUP)
    assert not stream.nap.is_on
    assert len(stream.decoded) == 8 * GROUP


@pytest.mark.parametrize(("fps", "together"), [(100, 29), (25, 7), (10, 2), (3, 0)])
def test_images_wait_for_each_other_while_asleep_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch, fps: int, together: int
) -> None:
    stream = Stream(monkeypatch)
    at_s = time.monotonic()
    image = Gst.Buffer.new_wrapped(bytes(10))
    assert not stream.nap.puts_off(came(image, at_s), key=False, loss=None), "it is awake"
    stream.send(6 * GROUP + GROUP // 2)
    waiting, most = 0, 0
    for number in range(1, 4 * fps):
        come = came(image, at_s + number / fps)
        if stream.nap.puts_off(come, key=False, loss=None):
            waiting += 1
        else:
            assert len(stream.nap.waited()) == waiting
            most, waiting = max(most, waiting), 0
    assert abs(most - together) <= 1
    assert not stream.nap.puts_off(came(image, at_s + 5), key=True, loss=None)


def test_those_that_wait_when_a_session_ends_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch)
    stream.send(6 * GROUP + GROUP // 2)
    at_s = time.monotonic()
    images = [came(Gst.Buffer.new_wrapped(bytes(10)), at_s + each / 100) for each in range(3)]
    waiting = [stream.nap.puts_off(each, key=False, loss=None) for each in images]
    stream.nap.close()
    assert stream.line.calm.unseen == GROUP // 2 - 1 + sum(waiting)
    assert sum(waiting) >= 2
