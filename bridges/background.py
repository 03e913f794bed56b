"""Threads that work beside a bridge's own."""

from __future__ import annotations

import threading


class Background:
    """A thread that does ``_run`` from ``start`` to ``close``.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait until the thread has; one that never began is left."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        """Work until ``_stop`` is set."""
        raise NotImplementedError
