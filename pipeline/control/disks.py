"""The folders that a process writes to, and what is left on their file systems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mirante.home import home
from pipeline.control.reports import DiskReport

_SHM = Path("/dev/shm")  # noqa: S108 - whether there is room, not to write there
_JOURNAL = Path("/var/log/journal")  # of systemd, where it keeps one

Of = Literal["state", "log", "shm"]


def own_disks() -> tuple[DiskReport, ...]:
    """Return where this process writes. On a share that hangs it does not return."""
    found = (_disk(of, path) for of, path in _places())
    return tuple(disk for disk in found if disk is not None)


def _places() -> Iterator[tuple[Of, Path]]:
    for folder in dict.fromkeys((home("cache"), home("config"))):
        yield "state", folder
    if (log := _log()) is not None:
        yield "log", log
    yield "shm", _SHM


def _log() -> Path | None:
    """The file that standard error goes to, or the journal; None where it is neither."""
    if "JOURNAL_STREAM" in os.environ:
        return _JOURNAL if _JOURNAL.is_dir() else None
    try:
        path = Path("/proc/self/fd/2").readlink()
    except OSError:
        return None
    return path if path.is_file() else None


def _disk(of: Of, path: Path) -> DiskReport | None:
    """The file system of a path, or of what will hold it; None where there is none such."""
    there = next((place for place in (path, *path.parents) if place.exists()), None)
    if there is None or (of == "shm" and there != path):
        return None
    size = os.statvfs(there)
    return DiskReport(
        of=of,
        path=str(path),
        is_writable=of == "log" or os.access(there, os.W_OK),
        bytes=size.f_blocks * size.f_frsize,
        free_bytes=size.f_bavail * size.f_frsize,
    )
