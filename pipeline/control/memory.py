"""What a worker knows of the registry, to put it back where Redis loses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import redis

from pipeline.control.entries import Desired
from pipeline.control.versioned import Version, read_since

FOREIGN_S = 12.0  # a worker that runs has put its own cameras back by then, or its lease is over

Entries = Mapping[str, Desired]


class Memory:
    """The registry as it was seen last.

    A worker puts its own cameras back at once. Those of other workers are theirs to put back, as
    they know them better; what is still missing 12 s later belongs to workers that do not run.
    Those of the fleet that others have are not remembered: its keeper puts them back.

    Args:
        worker: the worker's name.

    Attributes:
        seen: the version that was seen last; None before the first.
        own: the worker's cameras.
    """

    def __init__(self, worker: str) -> None:
        self.seen: Version | None = None
        self._token: bytes | None = None
        self.own: dict[str, Desired] = {}
        self._worker = worker
        self._others: dict[str, Desired] = {}
        self._foreign: dict[str, Desired] = {}
        self._foreign_due_s = 0.0

    def note(self, version: Version, entries: Entries, token: bytes | None) -> None:
        """Take what was read in the place of what was known."""
        self.seen, self._token = version, token
        self.note_own(entries.values())
        self._others = {n: e for n, e in entries.items() if e.worker != self._worker}

    def follow(self, client: redis.Redis, now: Version) -> bool | None:
        """Take what changed since; return whether that was about this worker. None where it is not
        known what changed, and all is to be read.

        Args:
            client: a Redis client that answers bytes.
            now: the version as it was found to be.
        """
        if self.seen is None:
            return None
        found = read_since(client, self.seen, self._token, now, self._worker)
        if found is None:
            return None
        changed, self._token = found
        self.seen, before = now, (self.own, self.leaving)
        mine = {n: e for n, e in changed.items() if e and e.worker == self._worker}
        kept = {n: e for n, e in self.own.items() if n not in changed}
        self.own = dict(sorted((kept | mine).items()))
        for name, entry in changed.items():
            self._others.pop(name, None)
            if entry is not None and name not in mine:
                self._others[name] = entry
        return (self.own, self.leaving) != before

    def note_own(self, entries: Iterable[Desired | None]) -> None:
        """Take the worker's cameras among these; None stands for one that was removed."""
        self.own = {e.name: e for e in entries if e is not None and e.worker == self._worker}

    @property
    def leaving(self) -> set[str]:
        """The cameras that other workers take over from this one; not those that are paused."""
        others = self._others.items()
        return {n for n, entry in others if entry.before == self._worker and not entry.paused}

    def lost(self, entries: Entries, is_older: bool) -> dict[str, Desired]:
        """Return the worker's cameras that are to be put back.

        Args:
            entries: what the registry holds.
            is_older: it is an earlier state of what was seen, so what differs is outdated.
        """
        return {
            name: entry
            for name, entry in self.own.items()
            if name not in entries or (is_older and entries[name] != entry)
        }

    def note_loss(self) -> None:
        """Remember the cameras of other workers, which may be lost too."""
        self._foreign |= self._others
        self._foreign_due_s = time.monotonic() + FOREIGN_S

    def foreign(self, is_held: Callable[[str], bool]) -> dict[str, Desired]:
        """Return the cameras of workers that do not run, to be put back; each once, in time.

        Args:
            is_held: tells of a worker's name whether it is held.
        """
        if not self._foreign or time.monotonic() < self._foreign_due_s:
            return {}
        found, self._foreign = self._foreign, {}
        gone = {w for w in {entry.worker for entry in found.values()} if not is_held(w)}
        return {name: entry for name, entry in found.items() if entry.worker in gone}
