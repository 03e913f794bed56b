"""The sessions of a process: one for each file, as it is now, and number of threads."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from engines.runtimes import Session


class SharedSessions:
    """Opens each file once for all who use it; what nobody uses any more gives its memory back.

    Args:
        make: opens a file with a number of threads.
    """

    def __init__(self, make: Callable[[Path, int], Session]) -> None:
        self._make = make
        self._sessions: weakref.WeakValueDictionary[tuple[Path, int, int], Session]
        self._sessions = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def open(self, path: Path, threads: int) -> Session:
        """Return the session of this file; a file that was replaced is another one."""
        path = path.resolve()
        key = (path, path.stat().st_mtime_ns, threads)
        with self._lock:
            session = self._sessions.get(key)
            if session is None or getattr(session, "is_closed", False):
                session = self._sessions[key] = self._make(path, threads)
            return session
