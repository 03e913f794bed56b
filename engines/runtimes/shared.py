"""The sessions of a process: one for each file, as it is now, and number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engines.runtimes import Session


class SharedSessions:
    """Opens each file once.

    Args:
        make: opens a file with a number of threads.
    """

    def __init__(self, make: Callable[[Path, int], Session]) -> None:
        self._make = make
        self._sessions: dict[tuple[Path, int, int], Session] = {}
        self._lock = threading.Lock()

    def open(self, path: Path, threads: int) -> Session:
        """The session of this file; a file that was replaced is another one."""
        path = path.resolve()
        key = (path, path.stat().st_mtime_ns, threads)
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._make(path, threads)
            return self._sessions[key]
