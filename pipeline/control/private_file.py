"""A file that only its owner may read, changed in one piece and by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
IS_FOLDER = (
    "is a folder, as Docker makes where the file that it is to mount is missing: remove it, and "
    "put the file in its place"
)
SECTOR = 512  # bytes that a disk writes at once, or not at all


class PrivateFile:
    """The file at a path, mode 0600; a lock and a draft lie beside it.

    Args:
        path: where it lies.
        error: raised, in words, where others can read it, and where it cannot be read or changed.
    """

    def __init__(self, path: Path, error: type[RuntimeError]) -> None:
        self.path, self._error = path, error

    def stat(self) -> os.stat_result:
        """Return the file's status.

        Raises:
            RuntimeError: the one given: others can read it, or it is not to be asked about.
            FileNotFoundError: it is not there.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unread(error) from error
        if stat.S_ISDIR(found.st_mode):
            raise self._error(f"{self.path} {IS_FOLDER}")
        if found.st_mode & 0o077:
            raise self._error(f"{self.path} can be read by others: chmod 600 {self.path}")
        return found

    def read(self) -> bytes:
        """Return the content.

        Raises:
            RuntimeError, FileNotFoundError: as ``stat``; or it cannot be read.
        """
        self.stat()
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unread(error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock, which one process can hold at a time; make the folder.

        Raises:
            RuntimeError: the one given, for each error of the file system here and in the block.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            words = f"{self.path} cannot be changed: {error.strerror or error}"
            raise self._error(words) from error

    def write(self, data: bytes) -> None:
        """Puts other content in its place, whole or not at all.

        Raises:
            OSError: it cannot be written; the content is as before.
        """
        draft = self.path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        try:
            with os.fdopen(_created(draft), "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(self.path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def blank(self, span: slice) -> None:
        """Write spaces over a part of the content, which needs no room on the disk.

        Raises:
            OSError: it cannot be written.
        """
        with self.path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), b" " * (span.stop - span.start), span.start)
            os.fsync(file.fileno())

    def _unread(self, error: OSError) -> RuntimeError:
        return self._error(f"{self.path} cannot be read: {error.strerror}")


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
