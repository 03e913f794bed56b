"""Threads of GStreamer's keep what Python has made for them while they work, and no longer."""

from __future__ import annotations

import gc
import threading
from typing import Any
from weakref import WeakSet

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.gst.listening import listen
from pipeline.gst.probes import FrameProbes
from pipeline.gst.thread_state import keep, let_go
from plugins.ledger import Ledger
from plugins.thread_times import ThreadTimes

Gst.init(None)

BUFFERS = 20


class Mark:
    """What a thread has of its own."""


def marks_of(heard: bool) -> WeakSet[Mark]:
    """Return those of the streaming threads that are left when a graph has ended; each call on a
    thread that has none makes one.
    """
    own, left, calls = threading.local(), WeakSet[Mark](), list[int]()
    pipeline = Gst.parse_launch(
        f"fakesrc num-buffers={BUFFERS} ! queue ! identity name=watched ! fakesink"
    )

    def on_buffer(_pad: Any, _info: Any) -> Any:
        if not hasattr(own, "mark"):
            calls.append(0)
            own.mark = Mark()
            left.add(own.mark)
        calls[-1] += 1
        return Gst.PadProbeReturn.OK

    pad = pipeline.get_by_name("watched").get_static_pad("sink")
    pad.add_probe(Gst.PadProbeType.BUFFER, on_buffer)
    if heard:
        listen(pipeline.get_bus(), ThreadTimes(), FrameProbes(Ledger("heard")))
    pipeline.set_state(Gst.State.PLAYING)
    ends = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    assert ends is not None
    assert calls == ([BUFFERS] if heard else [1] * BUFFERS)
    gc.collect()
    return left


def test_a_thread_that_is_heard_keeps_its_state_until_it_leaves() -> None:
    assert not marks_of(heard=True)
    assert not marks_of(heard=False)


def test_it_is_kept_and_let_go_once() -> None:
    own = threading.local()
    own.mark = "there"
    for _ in range(2):
        keep()
    for _ in range(2):
        let_go()
    assert own.mark == "there"
