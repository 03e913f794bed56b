"""What a nap does with images, by images that nobody decodes."""

from __future__ import annotations

import threading
import time
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.config.camera import Camera
from pipeline.gst.nap import ROOM, Nap
from plugins.ledger import Ledger
from plugins.line import Line

Gst.init(None)

FPS, GROUP = 10, 20
CAPS = Gst.Caps.from_string("video/x-vp8")


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

    def __init__(self, monkeypatch: pytest.MonkeyPatch, is_apart: bool = False) -> None:
        self.line = Line(Ledger("yard"))
        now_s = time.monotonic()
        self.line.calm.noted(False, now_s - 60)
        self.line.calm.noted(True, now_s)
        spec = Camera.model_validate({"url": "rtsp://192.0.2.1/"})
        self.nap, self.pad = Nap(self.line, None, spec), Pad()
        monkeypatch.setattr(self.nap, "_moves", lambda *_: False)
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
            if not self.nap.takes(self.pad, buffer, is_key, None):
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


def test_a_decoder_on_a_thread_of_its_own_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, is_apart=True)
    stream.send(8 * GROUP)
    assert not stream.nap.is_on
    assert len(stream.decoded) == 8 * GROUP
