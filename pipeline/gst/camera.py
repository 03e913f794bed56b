"""Run one camera: build its graph, watch it, and rebuild it when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras.asking import ask
from pipeline.cameras.faults import UNEXPLAINED, explain, hide, undetailed
from pipeline.cameras.files import broken_at, end_of, missing
from pipeline.cameras.gating import gate_text
from pipeline.cameras.graph import camera_graph
from pipeline.cameras.sharing import FOLLOWING, Lead, SharedSessions, session_key
from pipeline.cameras.sources import kind_of, source_of
from pipeline.cameras.state import GRACE_S, CameraState, End, Fault, State, Transition
from pipeline.cameras.transport import Transport
from pipeline.config.camera import Camera
from pipeline.control.reports import StreamReport
from pipeline.gst.conversation import unanswered
from pipeline.gst.decoders import refusal
from pipeline.gst.following import FollowingSession
from pipeline.gst.session import TEARDOWN_S, GraphError, Session
from pipeline.gst.shown import ShownImages
from plugins.bindings import structure_of
from plugins.element import is_own
from plugins.line import Line

TICK_S = 0.25
STAGES_S = 30.0  # a frame that the stages have had this long will not come back
REACH_MOST_S = 5.0  # to find why nothing was answered, after that was waited for
WARNING_EVERY_S = 10.0
_CALM = {State.CONNECTING, State.RUNNING, State.STOPPED}
_log = logging.getLogger(__name__)
_NEXT_TURN = undetailed(FaultCode.END_OF_FILE)  # of a graph; another goes on at once


class CameraRunner:
    """One camera, supervised by a thread of its own.

    Args:
        name: the camera's name.
        spec: the camera.
        stages: launch text behind the RGB caps, up to a sink, such as
            ``mirinfer model=street ! mirpublish camera=gate``.
        line: what its elements share: account, outbox, models.
        on_change: notified of each transition, on the supervisor's thread.
        shared: the sessions that it may share with other cameras; None where it opens its own.

    Raises:
        ValueError: the address has a query that means nothing, or this machine has no decoder of
            the device that is asked for.
    """

    def __init__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        line: Line,
        on_change: Callable[[Transition], None],
        shared: SharedSessions | None = None,
    ) -> None:
        if words := refusal(spec.decode):
            raise ValueError(words)
        self.name = name
        self.spec = spec
        self._source = source_of(spec)
        self._transport = Transport(spec)
        self._graph = partial(camera_graph, name, stages=stages, gate=gate_text(spec, self._source))
        self._graph(spec)  # or it is refused
        self._line, self._ledger = line, line.ledger
        if line.clips is not None:
            line.clips.decoder = partial(ShownImages, spec)
        self._on_change = on_change
        self._shared, self._key = shared, session_key(spec)
        self._file = None if spec.url.is_network else Path(spec.url.path)
        self._machine = CameraState(
            name, spec.watchdog_s, self._tell, self._source.live, self._source.sender
        )
        if spec.most_fps:  # no more frames are asked for
            self._machine.grace_s = max(GRACE_S, 3 / spec.most_fps)
        self._machine.answer_s = spec.answer_s
        self._stop = threading.Event()
        self._stop_reason = ""
        self._thread = threading.Thread(target=self._run, name=f"camera-{name}", daemon=True)
        self._next_number = 0
        self._stream: StreamReport | None = None
        self._missing = ""  # what GStreamer last missed a plugin for
        self._warned_s: dict[str, float] = {}
        self._noted: set[str] = set()  # kinds of remarks
        self._stuck: Session | None = None  # one that never came to open its file
        self._busy_s = 0.0  # monotonic time at which the stages were last seen at work

    @property
    def state(self) -> State:
        """The camera's current state."""
        return self._machine.state

    @property
    def reason(self) -> str:
        """Why, in words."""
        return self._machine.reason

    @property
    def code(self) -> FaultCode | None:
        """Why, as a code; None when nothing is wrong."""
        return self._machine.code

    @property
    def attempt(self) -> int:
        """Failed attempts in a row."""
        return self._machine.attempt

    @property
    def since_ns(self) -> int:
        """Unix time in ns at which the state began."""
        return self._machine.since_ns

    @property
    def stream(self) -> StreamReport | None:
        """What is known of the stream that runs."""
        return self._stream

    @property
    def finished(self) -> bool:
        """True when there will be no further attempt: stopped, or at the end of a file."""
        return self._machine.state == State.STOPPED

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = TEARDOWN_S, reason: str = "on request") -> None:
        """Ends the camera for a reason in words; waits for at most ``timeout_s``."""
        self._stop_reason = reason
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _tell(self, change: Transition) -> None:
        level = logging.INFO if change.state in _CALM else logging.WARNING
        _log.log(level, "%s", change)
        try:
            self._on_change(change)
        except Exception:  # noqa: BLE001  # a listener's mistake must not end the camera
            _log.exception("camera %s: on_change failed", self.name)

    def _run(self) -> None:
        ended = None
        while not self._stop.is_set():
            self._machine.connecting()
            fault = self._attempt()
            if isinstance(fault, End):
                ended = fault
                break
            if fault is not None and fault is not _NEXT_TURN:
                self._stop.wait(self._machine.failed(fault))
        if ended is None:
            self._machine.stopped(self._stop_reason)
        else:
            self._machine.stopped(ended.reason, ended.code)

    def _attempt(self) -> Fault | None:
        """Open the camera's session, or follow that of another camera which has done so."""
        if self._shared is None or self._key is None:
            return self._open()
        lead, is_first = self._shared.enter(self._key, self.name)
        if not is_first:
            return self._follow(lead)
        fault = None
        try:
            fault = self._lead(lead)
        finally:
            self._shared.end(self._key, lead, fault)
        return fault

    def _lead(self, lead: Lead) -> Fault | None:
        """Open sessions as long as one is to follow another at once: those that follow see one."""
        fault = self._open(lead)
        while not self._stop.is_set() and (fault is None or fault is _NEXT_TURN):
            self._machine.connecting()
            fault = self._open(lead)
        return fault

    def _follow(self, lead: Lead) -> Fault | None:
        _log.info("camera %s: shares the session of camera %s", self.name, lead.camera)
        spec, graph = self.spec, self._graph(self.spec, source=FOLLOWING)
        return self._run_session(partial(FollowingSession, spec, graph, self._line, lead))

    def _open(self, lead: Lead | None = None) -> Fault | None:
        """Run a graph, and another where the camera wants a login that the first does not know."""
        fault = self._run_graph(lead)
        log_in = kind_of(self.spec.url).log_in
        if log_in is None or fault is None or fault.code is not FaultCode.UNAUTHORISED:
            return fault
        answer_s = self.spec.answer_s
        answer = ask(partial(log_in, self.spec.url, answer_s), answer_s, self._stop)
        return self._run_graph(lead, answer) if isinstance(answer, str) else answer or fault

    def _run_graph(self, lead: Lead | None, login: str = "") -> Fault | None:
        """Run a graph that asks the camera itself; return as ``_run_session``."""
        if self._stuck is not None and self._stuck.is_stuck:
            return Fault(
                FaultCode.FILE_STALLED, f"{self.spec.url.path} cannot be opened: no answer"
            )
        spec = self._transport.spec(self.spec)
        graph = self._graph(spec)
        make = partial(Session, spec, self._source, graph, self._line, self._next_number, login)
        return self._run_session(make if lead is None else partial(make, lead), lead)

    def _run_session(self, make: Callable[[], Session], lead: Lead | None = None) -> Fault | None:
        """Run one graph from building to its end; return None when a stop was requested, or when
        the camera is to be tried otherwise at once.
        """
        try:
            session = make()
        except GraphError as error:
            code = FaultCode.NO_ELEMENT if error.lacks_element else FaultCode.INVALID
            return Fault(code, f"the graph cannot be built: {self._hide(str(error))}")
        if lead is not None:
            lead.session = session
        session.start()
        self._machine.began()
        fault = self._watch(session)
        self._stream = None
        session.close()
        if lead is not None:
            lead.session = None
        self._next_number = session.next_number
        self._stuck = session if session.is_stuck else None
        if isinstance(fault, End) or fault is _NEXT_TURN:
            self._ledger.finish()
        else:
            self._ledger.interrupt("stop" if self._stop.is_set() else "reconnect")
        if session.left and not self._stop.is_set():
            self._machine.moved(session.left)
        return None if fault is None or self._turns(session, fault) else self._transport.told(fault)

    def _turns(self, session: Session, fault: Fault) -> bool:
        """Take another transport, where that is why no video came."""
        if isinstance(session, FollowingSession):  # which comes by the transport of another camera
            return False
        talk = session.conversation
        is_mute = fault.code == FaultCode.NO_VIDEO and session.probes.progress().newest_s is None
        is_silent = is_mute and talk is not None and talk.is_playing
        turn = self._transport.turn(fault.code == FaultCode.WRONG_TRANSPORT, is_silent)
        if turn is not None:
            self._machine.note(turn)
        return turn is not None

    def _watch(self, session: Session) -> Fault | None:
        while not self._stop.is_set() and not session.left:
            message = session.message(TICK_S)
            fault = None if message is None else self._judge(session, message)
            fault = fault or self._check(session)
            if fault is not None:
                return fault
            session.keep_alive()
        return None

    def _check(self, session: Session) -> Fault | None:
        if (busy_s := self._ledger.busy_s()) > STAGES_S:
            return self._machine.hung(busy_s)
        if session.is_refused:
            return session.refusal
        if session.is_over or session.silent_s is not None:
            return self._await_sender(session)
        if busy_s or session.is_starting or session.is_resting:
            self._busy_s = time.monotonic()
        progress = replace(session.progress(self._busy_s), answered_s=session.answered_s)
        if session.is_idle and progress.decoded_s is None:
            self._machine.idle(self._source.idle)
        fault = self._machine.check(progress)
        is_undecodable = fault is not None and fault.code == FaultCode.UNDECODABLE
        if fault is not None and is_undecodable and progress.keyed_s is not None:
            words = session.decoding.blame(fault.reason)
            return Fault(fault.code, words) if words else fault
        if fault is not None and progress.newest_s is None and self.spec.url.is_network:
            is_mute = session.conversation is not None and session.answered_s is None
            otherwise = unanswered(session.conversation) if is_mute else fault
            return session.refusal or self._reach(otherwise)
        self._note_remarks(session)
        return fault

    def _note_remarks(self, session: Session) -> None:
        """Tell once what is worth saying and changes no state."""
        if session.probes.frames:
            self._note("transport", self._transport.works())
            self._stream = session.report()
        if session.decoding.words and self.state == State.RUNNING:
            self._note("decoding", session.decoding.words)
        for kind, remark in list(session.remarks.items()):
            self._note(kind, remark)

    def _note(self, kind: str, remark: str) -> None:
        """Say something of a kind once."""
        if remark and kind not in self._noted:
            self._noted.add(kind)
            self._machine.note(remark)

    def _await_sender(self, session: Session) -> Fault | None:
        """Return why none can send to the address, if that is known, or that none does any more."""
        if session.silent_s is None:
            return self._machine.no_sender()
        if not self._machine.is_news(session.silent_s):
            return None
        waiting = self._machine.no_sender()
        if (fault := self._reach(waiting)) is not waiting:
            return fault
        self._machine.waiting(waiting)
        return None

    def _judge(self, session: Session, message: Any) -> Fault | None:
        """Return the fault that a message from the graph means, if any."""
        if message.type == Gst.MessageType.EOS:
            return self._on_end(session)
        if message.type == Gst.MessageType.ERROR:
            return self._on_error(session, message)
        if message.type == Gst.MessageType.WARNING:
            self._warn(message.parse_warning()[0])
        elif (detail := structure_of(message)).get_name() == "missing-plugin":
            self._missing = detail.get_string("name") or ""
        return None

    def _on_error(self, session: Session, message: Any) -> Fault | None:
        error, detail = message.parse_error()
        if (refused := session.refusal) is not None:
            return refused
        if session.decoding.refusal:
            return Fault(FaultCode.NO_DECODER, session.decoding.refusal)
        if words := session.decoding.blame(self._hide(error.message), message.src):
            return Fault(FaultCode.UNDECODABLE, words)
        is_unexplained = (error.domain, error.code) == UNEXPLAINED and not self._missing
        progress = session.probes.progress()
        if is_unexplained and self.spec.url.is_network and progress.arrived_s is None:
            return self._reach(undetailed(FaultCode.NOT_VIDEO))
        words = self._missing or error.message
        if detail and kind_of(self.spec.url).detailed:
            words = f"{words} {detail.splitlines()[-1]}"
        fault = explain(self.spec.url, error.domain, error.code, words, is_own(message.src))
        if fault is not None and not self._source.live:
            return broken_at(self._file, progress.frames, fault)
        has_sent = progress.newest_s is not None
        return fault or self._reach(
            undetailed(FaultCode.ENDED) if has_sent else unanswered(session.conversation)
        )

    def _on_end(self, session: Session) -> Fault | None:
        if self._source.sender:
            return self._machine.no_sender()
        if session.fetched is not None and session.fetched.fetch.is_cut:
            return self._check(session) or _NEXT_TURN  # it may not have been seen to run
        if session.is_endless:
            return session.refusal or undetailed(FaultCode.ENDED)
        frames = session.probes.progress().frames
        if not self.spec.loop or not frames:
            refused = None if frames else session.refusal
            return refused or end_of(self._file, frames)
        if self._file is not None and "cut" not in self._noted and (lacks := missing(self._file)):
            self._noted.add("cut")
            self._machine.note(f"the file is cut: {lacks}; its {frames} frames are repeated")
        if not self._source.rewinds:
            return self._check(session) or _NEXT_TURN
        return None if session.rewind() else undetailed(FaultCode.NOT_SEEKABLE)

    def _reach(self, otherwise: Fault) -> Fault | None:
        """Return ``otherwise`` when the network is not to blame, None when a stop was requested."""
        silent = undetailed(FaultCode.NO_NAME_SERVER)
        reach_s = min(self.spec.answer_s, REACH_MOST_S)
        reach = partial(kind_of(self.spec.url).reach, self.spec.url, reach_s)
        fault = ask(reach, reach_s, self._stop, silent)
        if self._stop.is_set():
            return None
        return fault if isinstance(fault, Fault) else otherwise

    def _warn(self, error: Any) -> None:
        """Logs the first of a burst. A stream without sound has no pad for it."""
        if error.matches(Gst.ParseError.quark(), Gst.ParseError.DELAYED_LINK):
            return
        text, now_s = error.message, time.monotonic()
        recent = {t: at_s for t, at_s in self._warned_s.items() if now_s - at_s < WARNING_EVERY_S}
        if text not in recent:
            recent[text] = now_s
            _log.warning("camera %s: %s", self.name, self._hide(text))
        self._warned_s = recent

    def _hide(self, text: str) -> str:
        return hide(text, self.spec.url)
