"""The bridge to files."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterable

from bridges.files.lines import JsonLines
from bridges.files.options import Files
from bridges.files.spool import Format, Key, Limits, Spool
from bridges.item_json import json_of, kind_of
from bridges.item_kinds import ItemKind
from bridges.parcel import AwayError, Parcel
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # between two looks at the age of files
_LOCK = ".lock"


class FilesBridge:
    """Writes each entry once: a line, which is safe on the disk before the entry is acknowledged.

    Args:
        options: where to, and in what form.
    """

    kind = "files"

    def __init__(self, options: Files) -> None:
        self.target = f"{options.folder} ({options.format})"
        self.kinds: tuple[SubscribedKind, ...] = options.kinds
        self._folder = options.folder
        limits = Limits(round(options.most_mib * (1 << 20)), options.most_s)
        self._spools = {
            kind: Spool(options.folder / kind, kind, _form(options.format, kind), limits)
            for kind in options.kinds
        }
        self._turn = threading.Lock()
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._finish_old, name="files", daemon=True)
        self._lock_fd = -1
        self._is_late = False

    def open(self) -> None:
        """Take the folder, finish what a crash left, and begin to look at the age of files.

        Raises:
            ValueError: the folder cannot be used, or another bridge writes to it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for spool in self._spools.values():
                spool.open()
        except BlockingIOError:
            raise ValueError(
                f"FOLDER: expected one of its own, got {self._folder}: another bridge writes there"
            ) from None
        except OSError as error:
            raise ValueError(
                f"FOLDER: expected one that can be written, got {self._folder}: {error.strerror}"
            ) from None
        self._clock.start()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Write them and sync.

        Raises:
            AwayError: the disk is full, or the folder cannot be written.
        """
        try:
            with self._turn:
                for kind, spool in self._spools.items():
                    mine = [parcel for parcel in parcels if kind_of(parcel.item) == kind]
                    spool.write(_records(mine))
                    for parcel in mine:
                        parcel.done()
        except OSError as error:
            raise AwayError(f"{self._folder}: {error.strerror}") from None

    def close(self) -> None:
        """Finish all files, and give the folder back."""
        self._over.set()
        if self._clock.ident is not None:
            self._clock.join()
        for spool in self._spools.values():
            try:
                spool.close()
            except OSError as error:
                log.warning("%s: %s; finished at the next start", self._folder, error.strerror)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)

    def _finish_old(self) -> None:
        """Finish files by their age also while nothing comes."""
        while not self._over.wait(_LOOK_S):
            try:
                with self._turn:
                    for spool in self._spools.values():
                        spool.rotate()
                self._is_late = False
            except OSError as error:
                if not self._is_late:
                    log.warning("%s: %s; files are finished later", self._folder, error.strerror)
                self._is_late = True


def _records(parcels: Iterable[Parcel]) -> Iterable[tuple[Key, bytes]]:
    for parcel in parcels:
        entry_id = str(parcel.held.entry_id)
        line = b'{"entry_id":"%s",%s' % (entry_id.encode(), json_of(parcel.item)[1:])
        yield Key(camera_of(parcel.held.stream), entry_id), line


def _form(name: str, kind: ItemKind) -> Format:
    if name == "jsonl":
        return JsonLines()
    try:
        from bridges.files.parquet import Parquet
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--format: expected pyarrow for parquet (pip install 'mirante[parquet]'): {error}"
        ) from None
    return Parquet(kind)
