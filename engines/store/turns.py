"""Whose turn it is to build an engine, among machines that share a folder.

Not every file system over a network has locks that end with their holder. So whoever builds keeps
touching a file, and who waits watches it: one that stops changing belongs to nobody. Only whether
it changes is looked at, since clocks of machines differ. At worst two machines build the same.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TOUCHED_S = 10.0
SILENT_S = 60.0  # after which whoever held the turn is taken to be gone
WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn for one engine in a shared folder.

    Attributes:
        folder: that machines share.
        key: of the engine.
    """

    folder: Path
    key: str

    @property
    def _file(self) -> Path:
        return self.folder / ".turns" / self.key

    @contextmanager
    def taken(self, done: Callable[[], bool], told: Callable[[str], None]) -> Iterator[None]:
        """Wait until it is this machine's turn, or the engine is there; hold the turn meanwhile.

        Args:
            done: whether the engine is there.
            told: called with whom this waits for.

        Raises:
            OSError: the folder cannot be written.
        """
        self._file.parent.mkdir(exist_ok=True)
        if not self._wait(done, told):
            yield
            return
        stop = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(stop,), name="engine-turn", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            stop.set()
            keeper.join()
            with suppress(OSError):  # it falls silent then
                self._file.unlink(missing_ok=True)

    def _wait(self, done: Callable[[], bool], told: Callable[[str], None]) -> bool:
        """Return whether it is this machine's turn; False if the engine came before that."""
        seen, since = -1, time.monotonic()
        while not self._take():
            if done():
                return False
            changed = self._changed()
            if changed != seen:
                seen, since = changed, time.monotonic()
                told(f"waiting for {self._holder()}, which builds it")
            elif time.monotonic() - since >= SILENT_S:
                self._file.unlink(missing_ok=True)
                continue
            time.sleep(WAIT_S)
        return True

    def _take(self) -> bool:
        try:
            with self._file.open("x", encoding="utf-8") as file:
                file.write(socket.gethostname())
        except FileExistsError:
            return False
        return True

    def _changed(self) -> int:
        try:
            return self._file.stat().st_mtime_ns
        except FileNotFoundError:  # given back between two looks
            return -1

    def _holder(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8") or "another machine"
        except (OSError, ValueError):
            return "another machine"

    def _keep(self, stop: threading.Event) -> None:
        while not stop.wait(TOUCHED_S):
            with suppress(OSError):  # others take over when this lasts
                os.utime(self._file)
