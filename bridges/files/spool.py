"""Lines that are safe on the disk as soon as they are written, in files that are finished later.

A line goes to ``NAME.part`` and is synced before its entry is acknowledged. A finished file
appears by renaming, so whoever reads a folder sees whole files only. What a crash leaves of a part
is finished at the next start. An entry that comes once more, as its acknowledgement was lost, is
recognised by its camera and ID, also across a restart: the newest finished files are read for them.
"""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

log = logging.getLogger(__name__)

PART = ".part"
_MOMENT = "????????T????????????Z"  # in the name of a file: when it was begun
REMEMBERED = 20_000  # entries; far more than a bridge ever holds unacknowledged


class Key(NamedTuple):
    """An entry, unique among those of its kind."""

    camera: str
    entry_id: str


class Format(Protocol):
    """What a finished file is.

    Attributes:
        suffix: of its name, with the dot.
    """

    suffix: str

    def finish(self, part: Path, target: Path) -> None:
        """Make the finished file of a part of whole lines; the part is gone afterwards.

        Raises:
            OSError: the disk is full, …; the part stays, and there is no target.
        """

    def keys(self, path: Path) -> list[Key]:
        """Return the entries of a finished file, in order."""


@dataclass(frozen=True)
class Limits:
    """When a file is finished.

    Attributes:
        most_bytes: its lines have.
        most_s: seconds after its first line was written.
    """

    most_bytes: int
    most_s: float


class Spool:
    """The files of one kind of entry in one folder. Belongs to one thread at a time.

    Args:
        folder: made if it is not there.
        stem: how the names of its files begin.
        form: of finished files.
        limits: when they are finished.
    """

    def __init__(self, folder: Path, stem: str, form: Format, limits: Limits) -> None:
        self._folder, self._stem, self._form, self._limits = folder, stem, form, limits
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._part: Path | None = None
        self._fd = -1
        self._size = 0
        self._begun_s = 0.0

    def open(self) -> None:
        """Finish what a crash left, and remember the newest entries.

        Raises:
            OSError: the folder cannot be used.
            ValueError: a finished file cannot be read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for part in sorted(self._folder.glob(f"{self._stem}-*{PART}")):
            self._salvage(part)
        ours = f"{self._stem}-{_MOMENT}{self._form.suffix}"  # analysts may keep theirs beside them
        files = sorted(self._folder.glob(ours), reverse=True)
        known: list[Key] = []
        for path in files:
            if len(known) >= REMEMBERED:
                break
            try:
                known = self._form.keys(path) + known
            except (msgspec.MsgspecError, ValueError, KeyError) as error:
                raise ValueError(f"FOLDER: {path} is damaged, move it away: {error}") from None
        self._remember(known)

    def write(self, records: Iterable[tuple[Key, bytes]]) -> int:
        """Write lines and sync them; return how many were new.

        Args:
            records: of each entry its key and its line, without the line's end.

        Raises:
            OSError: the disk is full, …: nothing of these records was written.
        """
        self.rotate()
        fresh: dict[Key, bytes] = {}
        for key, line in records:
            if key not in self._seen:
                fresh.setdefault(key, line)
        if fresh:
            self._append(b"".join(line + b"\n" for line in fresh.values()))
            self._remember(list(fresh))
        return len(fresh)

    def rotate(self, force: bool = False) -> None:
        """Finish the file if it is large or old enough, or where ``force`` asks for it.

        Raises:
            OSError: the disk is full, …: the file stays a part, and is finished later.
        """
        if self._part is not None and not self._part.exists():
            log.error("%s was removed by others, with the %d bytes in it", self._part, self._size)
            self._let_go()  # what they removed can never be finished
        if self._part is None:
            return
        age_s = time.monotonic() - self._begun_s
        if not (force or self._size >= self._limits.most_bytes or age_s >= self._limits.most_s):
            return
        self._form.finish(self._part, self._part.with_suffix(self._form.suffix))
        self._let_go()

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: it stays a part, for the next start.
        """
        try:
            self.rotate(force=True)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._part is not None:
            os.close(self._fd)
            self._part, self._size = None, 0

    def _append(self, data: bytes) -> None:
        if self._part is None:
            self._begin()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError:
            with suppress(OSError):  # a line that is cut off is cut away at the next start, too
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)  # others may have cleared it away
        now = datetime.now(UTC)
        # Sorted by name they are in the order of their beginnings; O_EXCL: never one that is there.
        part = self._folder / f"{self._stem}-{now:%Y%m%dT%H%M%S%f}Z{PART}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._fd = os.open(part, flags, 0o644)
        self._part, self._size, self._begun_s = part, 0, time.monotonic()
        sync_folder(self._folder)

    def _salvage(self, part: Path) -> None:
        target = part.with_suffix(self._form.suffix)
        size = 0 if target.exists() else _whole(part.read_bytes())
        if not size:
            part.unlink()  # finished, but for this; or nothing in it
            return
        os.truncate(part, size)
        self._form.finish(part, target)

    def _remember(self, keys: Sequence[Key]) -> None:
        self._seen.update(dict.fromkeys(keys))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _whole(data: bytes) -> int:
    """Return how many bytes of a part are whole lines: a crash may cut the last ones off, or leave
    zeros in their place.
    """
    end = data.rfind(b"\n") + 1
    while end:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        with suppress(msgspec.DecodeError):
            msgspec.json.decode(data[begin:end])
            break
        end = begin
    return end


def sync_folder(folder: Path) -> None:
    """Make names that were written into a folder survive a crash of the machine."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
