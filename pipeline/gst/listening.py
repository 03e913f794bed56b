"""Hear what elements say, on the threads on which they say it."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.gst.probes import FrameProbes
from pipeline.gst.thread_state import keep, let_go
from plugins.thread_times import ThreadTimes

_log = logging.getLogger(__name__)


def listen(bus: Any, threads: ThreadTimes, probes: FrameProbes) -> None:
    """Have a graph's probes hear its messages at once, and count the time of its threads and of
    this one, which supervises it.
    """
    threads.enter()
    bus.set_sync_handler(partial(_on_message, threads, probes))


def _on_message(threads: ThreadTimes, probes: FrameProbes, _bus: Any, message: Any) -> Any:
    try:
        if message.type == Gst.MessageType.STREAM_STATUS:
            kind, _ = message.parse_stream_status()
            if kind == Gst.StreamStatusType.ENTER:
                threads.enter()
                keep()
            elif kind == Gst.StreamStatusType.LEAVE:
                threads.leave()
                let_go()
        else:
            probes.heard(message)
    except Exception:  # noqa: BLE001  # it would end in C, unseen
        _log.exception("a message could not be read")
    return Gst.BusSyncReply.PASS
