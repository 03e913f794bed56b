"""The clips of one camera: which moments make one, and which share one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from mirante.clips import Cause, Clip, clip_id
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.wire import Encoded
from plugins.clips.kept import SHARE, KeptResults, Published
from plugins.clips.ring import LATE_NS, PacketRing

if TYPE_CHECKING:  # they load GStreamer, which a camera without clips needs nothing of here
    from plugins.clips.recording import Draft, Recording, Sources
    from plugins.clips.shown import MakeDecoder

STOP_S = 5.0
RETRY_S = 10.0  # after a clip that could not be kept; meanwhile events name none

log = logging.getLogger(__name__)


class NoClipError(RuntimeError):
    """No clip is made; in words.

    Attributes:
        is_full: it is for want of room.
    """

    def __init__(self, words: str, is_full: bool = False) -> None:
        super().__init__(words)
        self.is_full = is_full


def all_events(event: Event) -> bool:
    """Return True: the filter of a rule without one."""
    return True


class Store(Protocol):
    """Where clips are kept."""

    def begin(self, plan: Clip) -> Draft:
        """Begin a clip; raise a RuntimeError in words where that cannot be."""


@dataclass(frozen=True)
class Rule:
    """The moments that make a clip, and its length.

    Attributes:
        before_s, after_s: seconds before and after the moment.
        max_s: maximum seconds of one that several moments share.
        on: kinds of events that make one.
        where: whether an event of such a kind does.
        blur: classes that are made unrecognisable.
        hides: parts of the images are hidden from people.
        is_altered: they are turned, cut or painted.
        refuses: no clip is made of a camera that hides something.
        max_bytes: maximum memory for what came before.
    """

    before_s: float
    after_s: float
    max_s: float
    on: Collection[str] = ()
    where: Callable[[Event], bool] = all_events
    blur: Sequence[str] = ()
    hides: bool = False
    is_altered: bool = False
    refuses: bool = False
    max_bytes: int = 20 << 20


class Recorder:
    """Remembers a camera's last seconds, and makes clips of them. Safe between threads.

    Args:
        camera: the camera's name.
        rule: what makes a clip.
        store: where clips are kept.

    Attributes:
        ring: takes the encoded images.
        decoder: makes what decodes them as the camera shows them; set before the first clip.
    """

    def __init__(self, camera: str, rule: Rule, store: Store) -> None:
        share = rule.max_bytes // SHARE
        self.ring = PacketRing(rule.before_s, rule.max_bytes - share)
        self.decoder: MakeDecoder | None = None
        self._camera, self._rule, self._store = camera, rule, store
        self._results = KeptResults(rule.before_s + 2 * LATE_NS / 1e9, share)
        self._lock = threading.Lock()
        self._recordings: list[Recording] = []
        self._last_ms = 0
        self._said = ""
        self._failed_s: float | None = None

    def mark(self, result: FrameResult) -> FrameResult:
        """Begin clips for the events of a frame; return it with their IDs in the events.

        On the camera's own thread, before the result is published; it waits for no disk, so an ID
        may be of a clip that then cannot be kept, which is logged.
        """
        if not any(event.kind in self._rule.on for event in result.events):
            return result
        return replace(result, events=tuple(self.marked(event) for event in result.events))

    def marked(self, event: Event) -> Event:
        """Begin a clip for an event, if it makes one; return it with the clip's ID. None is made of
        a moment so long ago that it is no longer in memory.
        """
        rule = self._rule
        if event.kind not in rule.on or event.clip or not rule.where(event):
            return event
        if self.ring.is_past(round(event.ts * 1e9)):
            return event
        cause = Cause(
            ts=event.ts,
            event=event.id,
            kind=event.kind,
            track_id=event.track_id,
            label=event.label,
            zone=event.zone,
            line=event.line,
        )
        failed_s = self._failed_s
        if failed_s is not None and time.monotonic() - failed_s < RETRY_S:
            return event
        try:
            recording = self._begin(cause, rule.before_s, rule.after_s)
        except (RuntimeError, OSError) as error:
            self._say(str(error))
            return event
        self._said = ""
        return msgspec.structs.replace(event, clip=recording.id)

    def published(self, result: FrameResult, coded: Encoded) -> None:
        """Keep a result as it was published."""
        found = Published(result.captured_ns, coded.detections["json"], coded.masks)
        self._results.put(found)

    def request(self, before_s: float | None, after_s: float | None) -> Recording:
        """Begin a clip of now, or extend the one that is recorded.

        Raises:
            RuntimeError: none can be made; in words.
        """
        rule = self._rule
        before_s = rule.before_s if before_s is None else before_s
        after_s = rule.after_s if after_s is None else after_s
        return self._begin(Cause(ts=time.time_ns() / 1e9), before_s, after_s, waits=True)

    def close(self) -> None:
        """End what is recorded with what there is."""
        with self._lock:
            recordings = list(self._recordings)
        for recording in recordings:
            recording.stop(STOP_S)

    def _begin(
        self, cause: Cause, before_s: float, after_s: float, waits: bool = False
    ) -> Recording:
        """Begin a clip, or extend one; where it ``waits``, not before its draft is made."""
        at_ns = round(cause.ts * 1e9)
        begin_ns, end_ns = at_ns - round(before_s * 1e9), at_ns + round(after_s * 1e9)
        with self._lock:
            for recording in self._recordings:
                last_ns = recording.begin_ns + round(self._rule.max_s * 1e9)
                if recording.is_open and begin_ns <= recording.end_ns and end_ns <= last_ns:
                    recording.end_ns = max(recording.end_ns, end_ns)
                    recording.causes.append(cause)
                    return recording
            recording = self._record(cause, begin_ns, end_ns)
            self._recordings.append(recording)
        if waits:
            try:
                recording.prepare()
            except BaseException:
                self._over(recording, is_kept=False)
                raise
        recording.start()
        return recording

    def _record(self, cause: Cause, begin_ns: int, end_ns: int) -> Recording:
        from plugins.clips.recording import Recording

        sources = self._sources()
        self._last_ms = max(self._last_ms + 1, round(cause.ts * 1000))
        plan = Clip(
            id=clip_id(self._last_ms),
            camera=self._camera,
            began=begin_ns / 1e9,
            ended=end_ns / 1e9,
            causes=[cause],
            codec="h264",
            size=(1, 1),
            is_shown=sources.is_altered,
        )
        return Recording(
            self._camera,
            plan.id,
            sources,
            partial(self._store.begin, plan),
            begin_ns,
            end_ns,
            [cause],
            self._over,
            self._lock,
        )

    def _sources(self) -> Sources:
        """Return what a clip is made of.

        Raises:
            NoClipError: none can be.
        """
        from plugins.clips.recording import Sources

        rule = self._rule
        if self.ring.newest is None or self.decoder is None:
            raise NoClipError(
                "no encoded images are in memory: none came yet, or the camera gives raw ones, as "
                "test://, images: and some devices do"
            )
        if rule.refuses and rule.hides:
            raise NoClipError(
                "clips.private is refuse, and the camera hides parts of its images (mask, crop or "
                "preview.blur)"
            )
        is_altered = rule.is_altered or bool(rule.blur)
        return Sources(self.ring, self._results, rule.blur, is_altered, self.decoder)

    def _over(self, recording: Recording, is_kept: bool) -> None:
        with self._lock:
            self._recordings.remove(recording)
            self._failed_s = None if is_kept else time.monotonic()

    def _say(self, words: str) -> None:
        """Log why events make no clip; once until that changes."""
        if words != self._said:
            self._said = words
            log.error("camera %s: no clip: %s", self._camera, words)
