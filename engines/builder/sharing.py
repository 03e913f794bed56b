"""A build's way to the folder in which machines share engines: a help, and never in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engines.builder.builders import Told
from engines.store import shared
from engines.store.engines import ABOUT, Engine
from engines.store.turns import Turn

log = logging.getLogger(__name__)


class Share:
    """One engine's place in the shared folder.

    A folder that cannot be read or written is told in the log, once, and left alone from then on.

    Args:
        folder: that machines share; None for none.
        key: of the engine.
    """

    def __init__(self, folder: str | None, key: str) -> None:
        self._folder = None if folder is None else Path(folder)
        self._key = key

    def take(self) -> bool:
        """Copy the engine into this machine's store, under its lock; return whether it is there."""
        if self._folder is None:
            return False
        try:
            taken = shared.take(self._folder, self._key) is not None
        except OSError as error:
            self._lose(error)
            return False
        if taken:
            log.info("engine %s: taken from %s", self._key, self._folder)
        return taken

    @contextmanager
    def turn(self, told: Told) -> Iterator[None]:
        """Let other machines wait while this one builds; wait for the one that does."""
        with ExitStack() as stack:
            if self._folder is not None:
                there = self._folder / self._key / ABOUT
                turn = Turn(self._folder, self._key)
                try:
                    stack.enter_context(turn.taken(there.is_file, lambda words: told(None, words)))
                except OSError as error:
                    self._lose(error)
            yield

    def leave(self, engine: Engine) -> None:
        """Copy what was built there."""
        if self._folder is None:
            return
        try:
            shared.leave(self._folder, engine)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        log.warning("store: %s; engine %s is built and kept here alone", error, self._key)
        self._folder = None
