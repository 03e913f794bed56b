"""Whether a camera is lost: told once as an event, and remembered by the next worker."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from mirante.events import Event
from pipeline.cameras.state import State, Transition
from plugins.line import Line
from plugins.memory import CAMERA

LOST = frozenset({State.STALLED, State.RECONNECTING, State.FAILED})
DOWN = frozenset({State.RECONNECTING, State.FAILED, State.STOPPED})  # the graph is gone


class _Saved(msgspec.Struct):
    """The state that a worker leaves to the next.

    Attributes:
        birth_ms: Unix ms at which the first of them knew nothing.
        number: of outages since.
        lost_s: Unix seconds at which the one began that lasts; None while there is none.
        is_known: the camera has run.
    """

    birth_ms: int
    number: int = 0
    lost_s: float | None = None
    is_known: bool = False


_read_saved = msgspec.msgpack.Decoder(_Saved)


class Outages:
    """The outages of one camera. One that never ran is not lost, and its first frame no return.

    Args:
        saved: by the camera's last worker; None where that is unknown. What is of another form is
            ignored.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        try:
            self._now = _read_saved.decode(saved or b"")
        except msgspec.MsgspecError:
            self._now = _Saved(time.time_ns() // 1_000_000)

    def saved(self) -> bytes:
        """Return what the next worker has to know."""
        return msgspec.msgpack.encode(self._now)

    def change(self, change: Transition) -> Event | None:
        """Return the event of a change of the camera's state, if there is one."""
        now, at_s = self._now, change.at_ns / 1e9
        if change.state is State.RUNNING:
            now.is_known = True
            if now.lost_s is None:
                return None
            words = f"{change.reason}; it was lost for {max(0.0, at_s - now.lost_s):.1f} s"
            now.lost_s = None
            return self._event("camera-back", change, words)
        if change.state not in LOST or change.code is None or not now.is_known or now.lost_s:
            return None
        now.lost_s, now.number = at_s, now.number + 1
        return self._event("camera-lost", change, f"{change.code}: {change.reason}")

    def _event(
        self, kind: Literal["camera-lost", "camera-back"], change: Transition, reason: str
    ) -> Event:
        return Event(
            id=f"{self._now.birth_ms}-{kind}-{self._now.number}",
            camera=change.camera,
            kind=kind,
            ts=change.at_ns / 1e9,
            reason=reason,
        )


def tell_outage(line: Line, change: Transition) -> None:
    """Tell of a change of a camera's state as an event, where it is one, and carry what the frames
    left once there are no more of them. One that is being taken over has nothing to tell yet.
    """
    if line.takes_over:
        return
    if change.state in LOST or change.state is State.RUNNING:
        outages = line.memory.part(CAMERA, Outages)

        def told() -> Event | None:
            event = outages.change(change)
            return event if event is None or line.clips is None else line.clips.marked(event)

        line.carriage.tell(told)
    if change.state in DOWN:
        line.carriage.rest()
