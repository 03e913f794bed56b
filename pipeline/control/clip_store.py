"""Clips on disk: whole ones are listed, whatever ends the process that writes them.

A folder per camera. A clip is four files: ``ID.mp4``, ``ID.json`` (the sidecar), ``ID.jpg`` and
``ID.clip``, which tells of it and is written last: what has none is no clip. Drafts begin with a
dot and are locked by the process that writes them, so that they are told from what was left.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from mirante.clips import Clip, Part, check_clip, read_clip
from mirante.keys import check_camera
from pipeline.control.private_file import FULL

TOLD = ".clip"
PARTS: tuple[Part, ...] = ("json", "jpg", "mp4")
BLOCK = 256 << 10
DAY_S = 86_400
LEAST_FREE = 64 << 20  # bytes that a disk must have left for a clip to be begun


class ClipStoreError(RuntimeError):
    """A clip cannot be kept, read or deleted; in words.

    Attributes:
        is_full: there is no room.
    """

    def __init__(self, words: str, is_full: bool = False) -> None:
        super().__init__(words)
        self.is_full = is_full


def refused(error: OSError, folder: Path) -> ClipStoreError:
    """Return in words why a folder takes no clip."""
    is_full = error.errno in FULL
    words = error.strerror or str(error)
    return ClipStoreError(f"clips.folder: {folder}: {words}", is_full)


class Kept(NamedTuple):
    """A file of a clip.

    Attributes:
        size: in bytes.
        read: its bytes from one place up to another, in blocks.
        path: where it lies, if on disk here.
    """

    size: int
    read: Callable[[int, int], Iterator[bytes]]
    path: Path | None = None


class Draft:
    """A clip that is written: its files, which nobody else sees.

    Args:
        folder: of its camera.
        plan: what it is to be.
        make_room: called with the bytes of it before it is one.

    Attributes:
        video: where the MP4 is to be written.
        sidecar: where the JSON is to be written.
    """

    def __init__(self, folder: Path, plan: Clip, make_room: Callable[[int], object]) -> None:
        self._folder, self.id, self._make_room = folder, plan.id, make_room
        self.video, self.sidecar = self.path("mp4"), self.path("json")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (folder / f"{plan.id}{TOLD}").exists():
                raise ClipStoreError(f"clip {plan.id} exists already")
            self._held = os.open(self.path(TOLD[1:]), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise refused(error, folder) from error
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX)  # nobody holds it for more than a moment
            self.path(TOLD[1:]).write_bytes(msgspec.json.encode(plan))
        except OSError as error:
            self.discard()
            raise refused(error, folder) from error

    def path(self, part: str) -> Path:
        """Where a file of it lies as long as it is a draft."""
        return self._folder / f".{self.id}.{part}"

    def keep(self, clip: Clip, jpeg: bytes | None) -> Clip:
        """Make a clip of it.

        Returns:
            The clip, with its size in bytes.

        Raises:
            ClipStoreError: that cannot be; the draft is gone.
        """
        try:
            if jpeg is not None:
                self.path("jpg").write_bytes(jpeg)
            self._make_room(sum(path.stat().st_size for path in self._written()))
            kept = commit(self._folder, msgspec.structs.replace(clip, image=jpeg is not None))
        except ClipStoreError:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise refused(error, self._folder) from error
        os.close(self._held)
        return kept

    def _written(self) -> list[Path]:
        return [path for part in PARTS if (path := self.path(part)).exists()]

    def discard(self) -> None:
        """Leave nothing of it."""
        remove(self._folder, self.id)
        with suppress(OSError):
            os.close(self._held)


def commit(folder: Path, clip: Clip) -> Clip:
    """Make a clip of the files of a draft; return it with its size.

    Raises:
        OSError: that cannot be.
    """
    drafts = {part: folder / f".{clip.id}.{part}" for part in PARTS}
    there = {part: path for part, path in drafts.items() if path.exists()}
    for path in there.values():
        _flush(path)
    size = sum(path.stat().st_size for path in there.values())
    clip = msgspec.structs.replace(clip, bytes=size)
    told = folder / f".{clip.id}.told"
    told.write_bytes(msgspec.json.encode(clip))
    _flush(told)
    for part, path in there.items():
        path.rename(folder / f"{clip.id}.{part}")
    told.rename(folder / f"{clip.id}{TOLD}")
    (folder / f".{clip.id}{TOLD}").unlink(missing_ok=True)
    _flush(folder)
    return clip


def remove(folder: Path, clip: str) -> None:
    """Delete all files of a clip or draft, what makes it one first."""
    for part in (TOLD[1:], *PARTS):
        with suppress(OSError):
            (folder / f"{clip}.{part}").unlink()
    for path in folder.glob(f".{clip}.*"):
        with suppress(OSError):
            path.unlink()


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class ClipStore:
    """The clips of a folder.

    Args:
        folder: of all cameras; made when the first clip is begun.
        max_bytes: maximum size of all clips.
        days: after which a clip goes.
    """

    def __init__(self, folder: Path, max_bytes: int, days: float) -> None:
        self.folder, self._max_bytes, self._days = folder, max_bytes, days

    def begin(self, plan: Clip) -> Draft:
        """Begin a clip.

        Raises:
            ClipStoreError: there is no room, or it cannot be written to.
        """
        self.check_room()
        return Draft(self.folder / check_camera(plan.camera), plan, self._make_room)

    def _make_room(self, size: int) -> None:
        """Delete the oldest clips until one of so many bytes fits.

        Raises:
            ClipStoreError: it is larger than all may be.
        """
        if size > self._max_bytes:
            words = f"a clip of {size / 2**20:.1f} MiB is larger than clips.max_gib allows for all"
            raise ClipStoreError(words, is_full=True)
        self._trim(0.0, self._max_bytes - size)

    def check_room(self) -> None:
        """Make room for a clip.

        Raises:
            ClipStoreError: the disk is full.
        """
        self.bound()
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        size = os.statvfs(there)
        if (free := size.f_bavail * size.f_frsize) < min(LEAST_FREE, self._max_bytes):
            words = f"clips.folder: {self.folder}: {free >> 20} MiB are left, too few for a clip"
            raise ClipStoreError(words, is_full=True)

    def bound(self, now_s: float | None = None) -> list[Clip]:
        """Delete clips that are too old, and the oldest where all are too large; return those."""
        oldest_s = (time.time() if now_s is None else now_s) - self._days * DAY_S
        return self._trim(oldest_s, self._max_bytes)

    def _trim(self, oldest_s: float, max_bytes: int) -> list[Clip]:
        clips = sorted(self.all(), key=lambda each: each.ended, reverse=True)
        gone, size = [], 0
        for clip in clips:
            size += clip.bytes
            if clip.ended < oldest_s or size > max_bytes:
                self.delete(clip.camera, clip.id)
                gone.append(clip)
        return gone

    def listed(self, camera: str, limit: int = 200, before: str = "") -> list[Clip]:
        """Return the clips of a camera, newest first; those with an ID below ``before``."""
        paths = sorted(self._told(camera), reverse=True)
        older = (path for path in paths if not before or path.stem < before)
        clips = (clip for path in older if (clip := _read(path)) is not None)
        return [clip for clip, _ in zip(clips, range(limit), strict=False)]

    here = listed

    def drafts(self, camera: str) -> list[str]:
        """Return the IDs of clips that are being written, newest first."""
        folder = self.folder / check_camera(camera)
        held = (path for path in folder.glob(f".*{TOLD}") if _is_held(path))
        return sorted((path.name.split(".")[1] for path in held), reverse=True)

    def draft(self, camera: str, clip: str) -> Path | None:
        """Return the video of a clip that is being written; None where there is none such."""
        folder = self.folder / check_camera(camera)
        found = folder / f".{check_clip(clip)}.mp4"
        return found if found.exists() else None

    def find(self, camera: str, clip: str, part: Part) -> Kept | None:
        """Return a file of a clip; None where there is no such clip, or it has none."""
        folder = self.folder / check_camera(camera)
        path = folder / f"{check_clip(clip)}.{part}"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        is_clip = (folder / f"{clip}{TOLD}").exists()
        return (
            Kept(size, lambda first, end: _read_part(path, first, end), path) if is_clip else None
        )

    def delete(self, camera: str, clip: str) -> bool:
        """Delete a clip; return whether there was one."""
        folder = self.folder / check_camera(camera)
        was_there = (folder / f"{check_clip(clip)}{TOLD}").exists()
        if was_there:
            remove(folder, clip)
        return was_there

    def _told(self, camera: str) -> Iterator[Path]:
        folder = self.folder / check_camera(camera)
        return (path for path in folder.glob(f"*{TOLD}") if not path.name.startswith("."))

    def all(self) -> Iterator[Clip]:
        """Yield the clips of all cameras, in no order."""
        for path in self.folder.glob(f"*/*{TOLD}"):
            if not path.name.startswith(".") and (clip := _read(path)) is not None:
                yield clip


def _is_held(path: Path) -> bool:
    """Return whether a process still writes a draft."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False


def _read_part(path: Path, first: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while first < end and (data := file.read(min(BLOCK, end - first))):
            first += len(data)
            yield data


def _read(path: Path) -> Clip | None:
    """Return a clip; None where it is gone, or tells of nothing that this version knows."""
    try:
        return read_clip(path.read_bytes())
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
