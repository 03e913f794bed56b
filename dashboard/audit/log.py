"""Writes the audit log on a thread of its own: nobody waits for a full disk or a dead Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import redis

from pipeline.control.audit import Entry, append, publish

log = logging.getLogger(__name__)

KEPT = 1000  # entries that wait while they cannot be written
RETRY_S = 5.0
SAME_S = 10.0  # in which refusals of the same are counted, and told as one
CLOSE_S = 3.0
_Same = tuple[str, str, str, str, str, str, int | None]


@dataclass
class _Place:
    """One of the places where entries go, and those that wait for it."""

    name: str
    write: Callable[[list[Entry]], None]
    explain: Callable[[Exception], str] = str
    waiting: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    is_told: bool = False
    lost: int = 0

    def put(self, entry: Entry) -> None:
        self.lost += len(self.waiting) == KEPT
        self.waiting.append(entry)

    def flush(self) -> bool:
        """Write what waits; False, said once, where that is not possible."""
        if not (entries := list(self.waiting)):
            return True
        try:
            self.write(entries)
        except (redis.RedisError, OSError) as error:
            if not self.is_told:
                self.is_told = True
                log.error("audit log: %s: %s", self.name, self.explain(error))
            if isinstance(error, redis.exceptions.NoPermissionError):  # which waiting does not mend
                self.waiting.clear()
                return True
            return False
        for _ in entries:
            self.waiting.popleft()
        if self.is_told:
            lost, self.lost, self.is_told = self.lost, 0, False
            log.info("audit log: %s: written again; entries lost: %d", self.name, lost)
        return True


@dataclass
class _Refusals:
    """The same refusal, again and again."""

    entry: Entry
    until_s: float
    more: int = 0


class AuditLog:
    """Entries to the file and to Redis.

    Args:
        path: of the file.
        client: gives the client of Redis.
        explain: says an error of Redis in words, without secrets.
    """

    def __init__(
        self,
        path: Path,
        client: Callable[[], redis.Redis],
        explain: Callable[[Exception], str] = str,
    ) -> None:
        self.path = path
        self._places = (
            _Place(str(path), lambda entries: append(path, entries)),
            _Place("Redis", lambda entries: publish(client(), entries), explain),
        )
        self._new: deque[Entry] = deque(maxlen=KEPT)
        self._same: dict[_Same, _Refusals] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def put(self, entry: Entry) -> None:
        """Log an entry; never waits, never raises."""
        with self._changed:
            if self._is_closed or self._is_same(entry):
                return
            self._new.append(entry)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        with self._changed:
            self._is_closed = True
            self._tell_same(float("inf"))
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        is_well = True
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._new or self._is_closed, self._pause_s(is_well))
                self._tell_same(time.monotonic())
                is_over = self._is_closed
                entries = [self._new.popleft() for _ in range(len(self._new))]
            for place in self._places:
                for entry in entries:
                    place.put(entry)
            is_well = not [place for place in self._places if not place.flush()]
            if is_over:
                return

    def _pause_s(self, is_well: bool) -> float | None:
        if not is_well:
            return RETRY_S
        return SAME_S if self._same else None

    def _is_same(self, entry: Entry) -> bool:
        """Count a refusal of what was refused a moment ago."""
        if entry.result != "refused":
            return False
        about = entry.action, entry.camera, entry.user
        same = (entry.who, entry.how, entry.address, *about, entry.code)
        now_s = time.monotonic()
        if (before := self._same.get(same)) is not None and now_s < before.until_s:
            before.more += 1
            return True
        self._tell_same(now_s)
        if len(self._same) < KEPT:
            self._same[same] = _Refusals(entry, now_s + SAME_S)
        return False

    def _tell_same(self, now_s: float) -> None:
        for same, one in list(self._same.items()):
            if now_s >= one.until_s:
                del self._same[same]
                if one.more:
                    again = msgspec.structs.replace(one.entry, at=time.time(), times=one.more)
                    self._new.append(again)
