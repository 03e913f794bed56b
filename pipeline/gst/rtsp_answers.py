"""What an RTSP camera answers to rtspsrc: why it refuses, and logins that rtspsrc does not know.

rtspsrc hands each request and answer to the extensions that are registered; the one here passes
them to the ``RtspAnswers`` of the element that asked. Both happen on that element's thread.
"""

from __future__ import annotations

import logging
import threading
from typing import Any
from urllib.parse import urlsplit

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import Gst, GstRtsp

from mirante.faults import FaultCode
from pipeline.cameras.answers import (
    date_off_s,
    fault_of,
    is_plain,
    is_refused,
    lacks_video,
    no_login,
    no_transport,
    redirected,
    unanswered_at,
)
from pipeline.cameras.login import Login
from pipeline.cameras.state import Fault
from pipeline.cameras.targets import LocalTargetError, check_host, fault_of_words
from pipeline.config.camera_url import CameraUrl
from pipeline.gst.conversation import Conversation, header
from pipeline.gst.parameter_sets import ParameterSets

SETS_S = 10.0  # from a key frame without parameter sets to a fault; some come late
REDIRECTS_MOST = 5
_TRIED_MOST = 2  # answers to one challenge after another: a nonce may be for one request alone
_ASKS_FOR_STREAM = {"OPTIONS", "DESCRIBE", "SETUP", "PLAY"}
_ASKS, _ANSWERS = (
    GstRtsp.RTSPHeaderField.AUTHORIZATION,
    GstRtsp.RTSPHeaderField.WWW_AUTHENTICATE,
)
_SECRETS = ("user-id", "user-pw")  # of rtspsrc
_LOCATION = GstRtsp.RTSPHeaderField.LOCATION
_CHALLENGED = {FaultCode.UNAUTHORISED, FaultCode.LOGIN_REQUIRED}
_OK = GstRtsp.RTSPResult.OK

Gst.init(None)
_log = logging.getLogger(__name__)

# Thread → what waits for an answer on it. Python's own data of a thread of GStreamer is gone
# between two calls.
_asking: dict[int, RtspAnswers] = {}


class RtspAnswers:
    """What the camera of one rtspsrc answers.

    Args:
        source: the element.
        url: the camera's address.
        transport: over which media is asked for.

    Attributes:
        fault: why it gives no stream, as far as it has said so.
        date_off_s: how far its clock is ahead of this machine's, by the Date of its answers.
        conversation: what is known of its session.
    """

    def __init__(self, source: Any, url: CameraUrl, transport: str) -> None:
        self.fault: Fault | None = None
        self.date_off_s: float | None = None
        self.conversation = Conversation()
        self._source, self._url, self._transport = source, url, transport
        self._login = Login(url.username or "", url.password or "")
        self._is_ours = False  # the login is answered here
        self._tried = 0
        self._redirects = 0
        self._is_lost = False  # redirected to nowhere
        self._plays = False
        self._sets = ParameterSets(source)
        source.connect("before-send", self._on_request)

    @property
    def is_final(self) -> bool:
        """True when the stream lacks what no image can be decoded without; rtspsrc itself goes on
        or fails with any answer.
        """
        if self._is_lost or self._sets.missing_s <= SETS_S:
            return self._is_lost
        code = FaultCode.NO_PARAMETER_SETS
        self.fault = Fault(code, code.words.replace("…", f"{SETS_S:.0f} s"))
        return True

    def _on_request(self, _source: Any, request: Any) -> bool:
        _asking[threading.get_ident()] = self
        _, method, uri, _ = request.parse_request()
        method = GstRtsp.rtsp_method_as_text(method)
        if self._is_ours:
            request.remove_header(_ASKS, -1)
            request.add_header(_ASKS, self._login.header(method, uri))
        if self.fault is not None and self.fault.code in _CHALLENGED and method in _ASKS_FOR_STREAM:
            self.fault = None  # the challenge is being answered
        return self.conversation.asks(request)

    def failed(self, message: Any) -> None:
        """All that an error could tell was in an answer."""

    def answered(self, request: Any, answer: Any) -> None:
        """Note an answer; take a challenge out of it that rtspsrc cannot answer."""
        method = GstRtsp.rtsp_method_as_text(request.parse_request().method)
        said = answer.parse_response()
        status = int(said.code)
        if date := header(answer, GstRtsp.RTSPHeaderField.DATE):
            self.date_off_s = date_off_s(date)
        fault: Fault | None
        if status == 401:
            fault = self._challenged(request, answer)
        else:
            self._tried = 0
            fault = self._meaning(method, status, said.reason or "", answer)
        if not self._plays and method in _ASKS_FOR_STREAM:
            self.fault = fault
            self._plays = method == "PLAY" and fault is None

    def _meaning(self, method: str, status: int, phrase: str, answer: Any) -> Fault | None:
        if method == "DESCRIBE" and status < 300:
            return lacks_video(answer.get_body().data or b"")
        if status == 461:
            return no_transport(self._transport)
        if 300 <= status < 400:
            return self._redirected(answer)
        return fault_of(self._url, status, method, phrase) if status >= 400 else None

    def _redirected(self, answer: Any) -> Fault:
        """Let rtspsrc follow a few times.

        Returns:
            What it means if no answer comes from there.
        """
        self._redirects += 1
        places = _values(answer, _LOCATION)
        self._is_lost = not places or self._redirects > REDIRECTS_MOST
        if places and (words := _local_words(places[0])):
            self._is_lost = True
            answer.remove_header(_LOCATION, -1)
            return fault_of_words(words)
        if not self._is_lost:
            if _is_elsewhere(places[0], self._url):
                self._forget_login()
            return Fault(FaultCode.UNRESPONSIVE, unanswered_at(places[0]))
        answer.remove_header(_LOCATION, -1)
        return redirected("without an end" if places else "without saying where")

    def _forget_login(self) -> None:
        """Send user and password to the host of the camera's address alone."""
        self._url = CameraUrl(self._url.bare)
        self._login, self._is_ours = Login("", ""), False
        for key in _SECRETS:
            self._source.set_property(key, None)

    def _challenged(self, request: Any, answer: Any) -> Fault:
        """Answer what rtspsrc cannot, and let it repeat no login that was refused: cameras lock
        users out. rtspsrc answers plain MD5 and basic logins itself.

        Returns:
            What the challenge means if no answer follows.
        """
        asked, sent = _values(answer, _ANSWERS), _values(request, _ASKS)
        self._tried += bool(sent)
        if sent and (self._tried >= _TRIED_MOST or is_refused(sent[0], asked)):
            answer.remove_header(_ANSWERS, -1)
        elif not is_plain(asked):
            answer.remove_header(_ANSWERS, -1)
            self._is_ours = self._login.challenged(asked)
            if self._is_ours:  # without a nonce rtspsrc asks again, and adds nothing of its own
                answer.add_header(_ANSWERS, 'Digest realm=""')
            elif self._url.username or self._url.password:
                return no_login(asked)
        return fault_of(self._url, 401)


class MirAnswers(Gst.Element, GstRtsp.RTSPExtension):  # type: ignore[misc]
    """The extension; each rtspsrc makes one for itself."""

    __gstmetadata__ = (
        "Mirante answers",
        "Network/Extension/Protocol",
        "Reads what RTSP cameras answer",
        "Mirante",
    )

    def __init__(self) -> None:
        super().__init__()
        # rtspsrc owns a reference to what it makes, and PyGObject hands none out.
        self._ref()
        self.is_kept = True  # an attribute ties the Python object to the element's life

    def do_after_send(self, request: Any, answer: Any) -> Any:
        """Called with each answer."""
        if (asking := _asking.pop(threading.get_ident(), None)) is not None:
            try:
                asking.answered(request, answer)
                asking.conversation.heard(self, request, answer)
            except Exception:  # noqa: BLE001  # it would end in C, unseen
                _log.exception("an answer could not be read")
        return _OK


def _local_words(location: str) -> str:
    """Return why a redirect is not to be followed from this process; empty where it may be."""
    try:
        check_host(urlsplit(location).hostname or "")
    except (ValueError, LocalTargetError) as error:
        return str(error)
    return ""


def _is_elsewhere(location: str, url: CameraUrl) -> bool:
    """Return whether a redirect leads to another host, or away from TLS."""
    try:
        place = urlsplit(location)
    except ValueError:
        return True
    is_tls = url.endpoint is not None and url.endpoint.protocol == "tls"
    is_bare = is_tls and place.scheme != url.scheme
    return bool(place.scheme) and (is_bare or place.hostname != url.host)


def _values(message: Any, field: Any) -> list[str]:
    values: list[str] = []
    while (value := message.get_header(field, len(values)).value) is not None:
        values.append(value)
    return values


# Before the first rtspsrc, which looks for extensions once a process.
Gst.Element.register(None, "miranswers", int(Gst.Rank.PRIMARY), MirAnswers)
