"""A file that only its owner may read, changed in one piece and by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PrivateFile:
    """The file at a path, mode 0600; a lock and a draft lie beside it.

    Args:
        path: where it lies.
        error: raised, in words, where others can read it.
    """

    def __init__(self, path: Path, error: type[RuntimeError]) -> None:
        self.path, self._error = path, error

    def stat(self) -> os.stat_result:
        """Return the file's status.

        Raises:
            RuntimeError: the one given: others can read it.
            OSError: it is not there, or not to be asked about.
        """
        found = self.path.stat()
        if found.st_mode & 0o077:
            raise self._error(f"{self.path} can be read by others: chmod 600 {self.path}")
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock, which one process can hold at a time; make the folder."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def write(self, data: bytes) -> None:
        """Puts other content in its place, whole or not at all."""
        draft = self.path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
        draft.replace(self.path)
