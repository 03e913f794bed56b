"""A file that names the running worker's Redis, so that commands need no option."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from contextlib import ExitStack, suppress
from glob import escape
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mirante.home import own_folder

log = logging.getLogger(__name__)

SERVICES = Path("/run/mirante")  # RuntimeDirectory=mirante of the units in deploy/systemd
DEFAULT_URL = "redis://127.0.0.1:6379"
READER_S = 0.01


class WorkerFile:
    """Names a live worker's Redis until closed. A lock says that the worker lives: it ends with it.

    The file may hold a password and is readable by its owner alone. One that names another live
    worker is left as it is. Where it cannot be written that is said, and the worker runs without.
    """

    def __init__(self, worker: str, redis_url: str) -> None:
        self._path = folder() / f"worker-{worker}.json"
        named = {"worker": worker, "pid": os.getpid(), "redis": redis_url}
        self._text = json.dumps(named).encode()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._taken()
        except OSError as error:
            log.warning(
                "%s cannot be written: %s; commands on this machine need --redis or "
                "MIRANTE_REDIS_URL",
                self._path,
                error.strerror,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with self._file, suppress(OSError):
                self._file.truncate(0)  # not removed: a worker that starts may wait for this file

    def _taken(self) -> FileIO | None:
        """Return the file with the address in it, locked; None if another worker has it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with ExitStack() as closing:
            file = closing.enter_context(FileIO(handle, "r+"))
            if not _lock(file):
                return None
            file.truncate(0)
            file.write(self._text)
            closing.pop_all()
            return file


def folder() -> Path:
    """``$XDG_RUNTIME_DIR/mirante``, systemd's ``$RUNTIME_DIRECTORY`` of a service, or
    ``~/.cache/mirante/run`` where there is neither.
    """
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "mirante"
    service = os.environ.get("RUNTIME_DIRECTORY")
    return Path(service) if service else own_folder("cache") / "run"


def live_worker(worker: str | None = None) -> str | None:
    """Redis address of the live worker that started last: one of this user's, or of a service whose
    files this user can read; of that name where one is given.
    """
    wanted = "worker-*.json" if worker is None else f"worker-{escape(worker)}.json"
    files = [file for place in (SERVICES, folder()) for file in place.glob(wanted)]
    files.sort(key=_changed_ns, reverse=True)
    return next((url for file in files if (url := _address(file))), None)


def redis_address(option: str | None = None, worker: str | None = None) -> str:
    """The Redis that a command talks to: its option, that of the variables, that of the live
    worker, else redis://127.0.0.1:6379. With several live workers it is that of the named one.
    """
    named = option or of_variables()
    of_worker = live_worker(worker) if worker and not named else None
    return named or of_worker or known_address() or DEFAULT_URL


def known_address() -> str | None:
    """Return the Redis of the variables or of the live worker; None where neither names one."""
    return of_variables() or live_worker()


def of_variables() -> str | None:
    """Return the Redis of MIRANTE_REDIS_URL, else that of the variables of a service, which has its
    password in a file; None where there are none.
    """
    if address := os.environ.get("MIRANTE_REDIS_URL"):
        return address
    if "MIRANTE_REDIS__URL" not in os.environ:
        return None
    from pipeline.config.settings import Settings

    return Settings().redis.address()


def _lock(file: FileIO) -> bool:
    """Takes the lock unless another worker has it. Waits for readers, who share it briefly."""
    while not _try_lock(file, fcntl.LOCK_EX):
        if not _try_lock(file, fcntl.LOCK_SH):
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(READER_S)
    return True


def _try_lock(file: IO[Any] | FileIO, kind: int) -> bool:
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
