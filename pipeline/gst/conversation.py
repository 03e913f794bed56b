"""The session with an RTSP camera: how long it lasts, and how it is kept alive."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import Gst, GstRtsp

from mirante.faults import FaultCode
from pipeline.cameras.faults import undetailed
from pipeline.cameras.state import Fault
from plugins.thread_times import ThreadTimes

Gst.init(None)

SESSION_S = 60.0  # of a session whose camera names no other time (RFC 2326, 12.37)
ASK_MOST_S = 20.0  # some cameras forget a session sooner than they say
_TAKEN_S = 2.0  # in which rtspsrc's thread takes a question up
_PART = 0.4  # of a session's time after which it is kept alive
_Field, _Method = GstRtsp.RTSPHeaderField, GstRtsp.RTSPMethod
_OFFERS_ALL = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"


class Conversation:
    """The talk with one camera, over one session. It refers to its ``rtspsrc`` by nothing.

    rtspsrc itself asks a camera nothing over TCP while media flows, so it is made to.

    Attributes:
        is_playing: the camera has agreed to send media.
        answered_s: monotonic time of its newest answer up to that, or None.
        asked: the method of the newest request.
        threads: those that work for the camera; rtspsrc's own says nothing of itself.
    """

    def __init__(self) -> None:
        self.is_playing = False
        self.answered_s: float | None = None
        self.asked = ""
        self.threads: ThreadTimes | None = None
        self._extension: Any = None  # of rtspsrc: by it a request is sent on rtspsrc's own thread
        self._session_s = SESSION_S
        self._is_offered = False  # GET_PARAMETER
        self._takes_options = False  # for the question that is put now
        self._is_asked = False  # and has not answered yet
        self._due_s = 0.0
        self._is_refused = False  # OPTIONS while media flows
        self._taken = threading.Event()  # the newest question, by rtspsrc's thread
        self._taken.set()

    def forgives(self) -> bool:
        """Whether rtspsrc's newest error was a refused keep-alive, which ends no stream by itself.

        The camera is not asked again: if it ends the session for that, frames cease.
        """
        was_refused, self._is_refused = self._is_refused, False
        return was_refused

    def due(self, at_s: float) -> None:
        """Ask the camera at a monotonic time, not later."""
        self._due_s = min(self._due_s, at_s)

    def settle(self) -> None:
        """Wait until rtspsrc's thread has taken up what it was told to ask.

        Until then rtspsrc ignores that it is to stop, and reads media as long as the camera sends
        any.
        """
        self._taken.wait(_TAKEN_S)

    def close(self) -> None:
        """Let go of rtspsrc's extension."""
        self._extension = None

    def keep_alive(self, source: Any) -> None:
        """Ask the camera something when it is time; the question is put on rtspsrc's own thread."""
        if not self.is_playing or self._is_asked or time.monotonic() < self._due_s:
            return
        self._is_asked = True
        self._taken.clear()
        if not source.emit("get-parameter", "ping", None, Gst.Promise.new()):
            self._taken.set()

    def asks(self, request: Any) -> bool:
        """Make of rtspsrc's question what the camera offers: GET_PARAMETER without a parameter, or
        OPTIONS, and GET_PARAMETER in turn, for some count what they do not offer; False withholds
        rtspsrc's own.
        """
        if self.threads is not None:
            self.threads.enter()
        _, method, uri, _ = request.parse_request()
        self.asked = GstRtsp.rtsp_method_as_text(method)
        if method != _Method.GET_PARAMETER:
            return True
        self._taken.set()
        self._takes_options = not (self._takes_options or self._is_offered)
        if not self._takes_options or self._extension is None:
            request.set_body(b"")
            request.remove_header(_Field.CONTENT_TYPE, -1)
            return True
        _, options = GstRtsp.rtsp_message_new_request(_Method.OPTIONS, uri)
        _, answer = GstRtsp.rtsp_message_new()
        self._extension.send(options, answer)
        return False

    def heard(self, extension: Any, request: Any, answer: Any) -> None:
        """Take note of an answer; after 401 rtspsrc asks the same again."""
        _, method, _, _ = request.parse_request()
        status = int(answer.parse_response().code)
        if status == 401:
            self._is_refused = self.is_playing and method == _Method.OPTIONS
            if not self.is_playing:
                self.answered_s = time.monotonic()
            return
        if self.is_playing:
            self._is_offered &= method != _Method.GET_PARAMETER or status == 200
            self._is_asked = self._is_refused = method == _Method.OPTIONS and status != 200
            self._wait()
            return
        self.answered_s = time.monotonic()
        if status != 200:
            return
        if method == _Method.OPTIONS:
            self._extension = extension
            self._offered(answer)
        elif method == _Method.SETUP:
            self._session_s = session_s(header(answer, _Field.SESSION)) or self._session_s
        elif method == _Method.PLAY:
            self.is_playing = True
            self._wait()

    def _offered(self, answer: Any) -> None:
        """rtspsrc puts no question to a camera that does not offer GET_PARAMETER: it is added."""
        offers = [header(answer, field) for field in (_Field.PUBLIC, _Field.ALLOW)]
        self._is_offered = any("GET_PARAMETER" in offer for offer in offers)
        if not self._is_offered:
            answer.add_header(_Field.PUBLIC, "GET_PARAMETER" if any(offers) else _OFFERS_ALL)

    def _wait(self) -> None:
        self._due_s = time.monotonic() + min(ASK_MOST_S, _PART * self._session_s)


def unanswered(talk: Conversation | None) -> Fault:
    """Return why nothing came of a network camera that takes the connection."""
    if talk is None or talk.answered_s is None:
        return undetailed(FaultCode.UNRESPONSIVE)
    return Fault(FaultCode.UNRESPONSIVE, f"the camera gives no answer to {talk.asked}")


def header(message: Any, field: Any) -> str:
    """Return every value of a header of an RTSP message."""
    values: list[str] = []
    while (value := message.get_header(field, len(values)).value) is not None:
        values.append(value)
    return ", ".join(values)


def session_s(value: str) -> float | None:
    """Return the seconds after which a session ends, if its header ``Session`` says so."""
    found = re.search(r"timeout\s*=\s*(\d+)", value, re.IGNORECASE)
    return float(found[1]) or None if found else None
