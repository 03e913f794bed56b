"""A file that names the running worker's Redis, so that commands need no option."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

DEFAULT_URL = "redis://127.0.0.1:6379"
READER_S = 0.01


class WorkerFile:
    """Names a live worker's Redis until closed. A lock says that the worker lives: it ends with it.

    The file may hold a password and is readable by its owner alone. One that names another live
    worker is left as it is.
    """

    def __init__(self, worker: str, redis_url: str) -> None:
        self._path = folder() / f"worker-{worker}.json"
        self._text = json.dumps({"worker": worker, "pid": os.getpid(), "redis": redis_url})
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        if not _lock(file):
            file.close()
            return self
        file.truncate(0)
        file.write(self._text)
        file.flush()
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.truncate(0)  # not removed: a worker that starts may wait for this very file
            self._file.close()


def folder() -> Path:
    """``$XDG_RUNTIME_DIR/mirante``, or ``~/.cache/mirante/run`` where there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "mirante" if runtime else Path.home() / ".cache" / "mirante" / "run"


def live_worker() -> str | None:
    """Redis address of the live worker that this user started last, if any."""
    files = sorted(folder().glob("worker-*.json"), key=_changed_ns, reverse=True)
    return next((url for file in files if (url := _address(file))), None)


def redis_address(option: str | None = None) -> str:
    """The Redis that a command talks to: its option, MIRANTE_REDIS_URL, that of the live worker,
    else redis://127.0.0.1:6379.
    """
    return option or os.environ.get("MIRANTE_REDIS_URL") or live_worker() or DEFAULT_URL


def _lock(file: IO[str]) -> bool:
    """Takes the lock unless another worker has it. Waits for readers, who share it briefly."""
    while not _try_lock(file, fcntl.LOCK_EX):
        if not _try_lock(file, fcntl.LOCK_SH):
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(READER_S)
    return True


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _address(path: Path) -> str | None:
    try:
        with path.open() as file:
            if _try_lock(file, fcntl.LOCK_SH):
                return None  # nobody holds the lock: its worker was killed
            return str(json.load(file)["redis"])
    except (OSError, ValueError, KeyError):
        return None


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
