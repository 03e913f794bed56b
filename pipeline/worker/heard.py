"""A camera's own events, each once, and remembered by the next worker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from mirante.events import Event, EventKind
from pipeline.cameras.onvif.meaning import Told, meaning, names_all
from pipeline.cameras.onvif.notices import Notice

_MOST_STATES = 256
_MOST_KEY = 400
_LATE_S = 60.0  # a time that is further from now is no time of this camera's
_MOMENTS = 64  # that are known again when a camera repeats them
_OF_AREAS, _OF_LINES = {"camera:field", "camera:motion"}, {"camera:line"}


class _Begun(msgspec.Struct):
    """Something that lasts: Unix seconds at which it began, and the number of its event."""

    at_s: float
    number: int


class _Saved(msgspec.Struct):
    """What a worker leaves to the next: when counting began, the last number, and what lasts."""

    birth_ms: int
    number: int = 0
    begun: dict[str, _Begun] = {}


_read_saved = msgspec.msgpack.Decoder(_Saved)


class Heard:
    """The events that one camera has reported.

    Args:
        saved: by the camera's last worker; None where that is unknown. What is of another form is
            ignored.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        try:
            self._now = _read_saved.decode(saved or b"")
        except msgspec.MsgspecError:
            self._now = _Saved(time.time_ns() // 1_000_000)
        self._fresh: set[str] = set()  # what was said since the subscription began
        self._moments: deque[tuple[str, str]] = deque(maxlen=_MOMENTS)

    def saved(self) -> bytes:
        """Return what the next worker has to know."""
        return msgspec.msgpack.encode(self._now)

    def subscribed(self) -> None:
        """Note that a subscription began: what changed before was not heard."""
        self._fresh.clear()

    def told(self, notice: Notice) -> Iterator[Told]:
        """Yield what a message reports, with the end of what it no longer lists."""
        named = meaning(notice)
        yield from named
        if not names_all(notice):
            return
        kept, here = {_key(each, notice) for each in named}, _source(notice)
        kind: EventKind = "camera:object"
        for key in [key for key in self._now.begun if key not in kept]:
            of, label, rule, source = key.split("|", 3)
            if of == kind and source == here:
                yield Told(kind, False, label, rule)

    def event(self, camera: str, told: Told, notice: Notice, at_s: float) -> Event | None:
        """Return the event that something is; None where it is known already.

        Args:
            camera: its name.
            told: by a message.
            notice: the message.
            at_s: Unix seconds at which it was so.
        """
        key, now = _key(told, notice), self._now
        is_first = key not in self._fresh
        if told.active is None:
            moment = (key, f"{notice.at}{sorted(notice.data.items())}")
            if notice.at is not None and moment in self._moments:
                return None
            self._moments.append(moment)
            now.number += 1
            return self._event(camera, told, notice, at_s, now.number)
        if len(self._fresh) < _MOST_STATES:
            self._fresh.add(key)
        begun = now.begun.get(key)
        if not told.active:
            return self._ended(camera, told, notice, at_s, key)
        # What lasted before a gap and begins now has ended in the gap.
        if begun is not None and not (is_first and notice.operation == "Changed"):
            return None
        now.number += 1
        now.begun[key] = _Begun(at_s, now.number)
        while len(now.begun) > _MOST_STATES:
            del now.begun[next(iter(now.begun))]
        return self._event(camera, told, notice, at_s, now.number)

    def _ended(
        self, camera: str, told: Told, notice: Notice, at_s: float, key: str
    ) -> Event | None:
        begun = self._now.begun.pop(key, None)
        if begun is None:
            return None
        event = self._event(camera, replace(told, active=False), notice, at_s, begun.number)
        lasted_s = max(0.0, at_s - begun.at_s)
        return msgspec.structs.replace(event, id=f"{event.id}-end", dwell_s=lasted_s)

    def _event(self, camera: str, told: Told, notice: Notice, at_s: float, number: int) -> Event:
        data = ", ".join(f"{name} {value}" for name, value in notice.data.items())
        return Event(
            id=f"{self._now.birth_ms}-{told.kind.replace(':', '-')}-{number}",
            camera=camera,
            kind=told.kind,
            ts=at_s,
            label=told.label,
            zone=told.rule if told.kind in _OF_AREAS else "",
            line=told.rule if told.kind in _OF_LINES else "",
            direction=told.direction,
            active=told.active,
            reason=f"the camera says {notice.topic}: {data or notice.operation}"[:300],
        )


def moment_of(notice: Notice, ahead_s: float, now_s: float) -> float:
    """Return the Unix seconds of a message by our clock: now where the camera's time is none.

    Args:
        notice: the message.
        ahead_s: how far the camera's clock is ahead.
        now_s: Unix seconds.
    """
    if notice.at is None:
        return now_s
    at_s = notice.at.timestamp() - ahead_s
    return min(at_s, now_s) if abs(at_s - now_s) <= _LATE_S else now_s


def _key(told: Told, notice: Notice) -> str:
    rule = told.rule.replace("|", "/")
    return f"{told.kind}|{told.label.replace('|', '/')}|{rule}|{_source(notice)}"[:_MOST_KEY]


def _source(notice: Notice) -> str:
    return f"{notice.topic} {sorted(notice.source.items())}"
