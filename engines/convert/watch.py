"""Says what an import is at when it takes long, and ends it when it takes too long."""

from __future__ import annotations

import faulthandler
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.convert import ConvertError

FIRST_WORD_S, NEXT_WORD_S = 5.0, 10.0
_STDERR = 2  # its descriptor, whatever stands in the place of sys.stderr
_GRACE_S = 20.0  # what neither asks nor lets others run is ended without a word of ours

Say = Callable[[str], None]


class Watch:
    """The steps of one import, and the time that it has.

    Args:
        name: of the model.
        limit_s: seconds for all of it.
    """

    def __init__(self, name: str, limit_s: float) -> None:
        self.name, self.limit_s = name, limit_s
        self.step = "reading"
        self._started = time.monotonic()

    @property
    def passed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 where the time is up."""
        return max(0.0, self.limit_s - self.passed_s)

    @property
    def is_over(self) -> bool:
        """True if the time is up."""
        return self.passed_s > self.limit_s

    def at(self, step: str) -> None:
        """Begin a step, named as "converting by tf2onnx".

        Raises:
            ConvertError: the time is up.
        """
        if self.is_over:
            raise ConvertError(self.gave_up())
        self.step = step

    def gave_up(self) -> str:
        """What is said when the time is up."""
        return (
            f"{self.name}: gave up after {self.limit_s:g} s while {self.step}, and nothing is "
            f"kept; --time-limit {self.limit_s * 5:g} gives it longer"
        )


@contextmanager
def ended_in_time(watch: Watch, out: Path, say: Say) -> Iterator[None]:
    """Tell of long steps, and end this process when the time is up, with status 1.

    A library at work cannot be stopped otherwise. What it left in ``out`` is removed.

    Args:
        watch: the import.
        out: its folder.
        say: told a line.
    """
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(watch, out, say, done), daemon=True)
    keeper.start()
    faulthandler.dump_traceback_later(watch.limit_s + _GRACE_S, exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        done.set()
        keeper.join()


def _keep(watch: Watch, out: Path, say: Say, done: threading.Event) -> None:
    word_s = FIRST_WORD_S
    while not done.wait(max(0.0, min(word_s, watch.limit_s) - watch.passed_s)):
        if watch.passed_s >= watch.limit_s:
            say(watch.gave_up())
            for left in out.glob(scratch_prefix() + "*"):
                shutil.rmtree(left, ignore_errors=True)
            sys.stderr.flush()
            os._exit(1)
        say(f"{watch.name}: {watch.step}, {watch.passed_s:.0f} of {watch.limit_s:g} s")
        word_s = watch.passed_s + NEXT_WORD_S


def scratch_prefix() -> str:
    """Of the names of folders in which this process's imports work."""
    return f".import-{os.getpid()}-"
