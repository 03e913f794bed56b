"""Where clips are read: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mirante.clips import Clip, Part
from pipeline.config.clips import ClipsKept
from pipeline.control.clip_bucket import ClipBucket
from pipeline.control.clip_store import ClipStore, Kept


class ClipPlace(Protocol):
    """The clips that are kept. Its methods block, and raise ``ClipStoreError`` in words."""

    def listed(self, camera: str, limit: int = ..., before: str = ...) -> list[Clip]:
        """Return the clips of a camera, newest first; those with an ID below ``before``."""

    def here(self, camera: str, limit: int = ..., before: str = ...) -> list[Clip]:
        """Return the clips that are on this machine, as ``listed`` does."""

    def drafts(self, camera: str) -> list[str]:
        """Return the IDs of clips that are being written, newest first."""

    def draft(self, camera: str, clip: str) -> Path | None:
        """Return the video of a clip that is being written; None where there is none such."""

    def find(self, camera: str, clip: str, part: Part) -> Kept | None:
        """Return a file of a clip; None where there is no such clip, or it has none."""

    def delete(self, camera: str, clip: str) -> bool:
        """Delete a clip; return whether there was one."""


def store_of(kept: ClipsKept) -> ClipStore:
    """Return what a worker writes clips to."""
    return ClipStore(kept.place, kept.max_bytes, kept.days)


def bucket_of(kept: ClipsKept) -> ClipBucket | None:
    """Return the bucket that a worker moves clips to; None where they stay in the folder.

    Raises:
        ClipStoreError: the client library is not installed.
    """
    if kept.s3 is None:
        return None
    return ClipBucket(kept.s3, store_of(kept), kept.max_bytes, kept.days)


def place_of(kept: ClipsKept) -> ClipPlace:
    """Return where clips are read.

    Raises:
        ClipStoreError: the client library of a bucket is not installed.
    """
    return bucket_of(kept) or store_of(kept)
