"""Clips in a bucket that speaks S3's protocol; those on their way there lie in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from mirante.clips import CLIP_ID, Clip, Part, check_clip, clip_id, read_clip
from mirante.keys import check_camera
from pipeline.config.clips import Bucket
from pipeline.control.bucket_client import (
    bucket_client,
    in_words,
    is_absent,
    not_installed,
    where_of,
)
from pipeline.control.clip_store import BLOCK, DAY_S, PARTS, TOLD, ClipStore, ClipStoreError, Kept

KEY = "clips.s3"
MOST_KNOWN = 10_000  # clips of which is remembered what they are; they never change


class ClipBucket:
    """The clips of a bucket, beside those of the folder that are on their way there.

    A clip is the same files as in a folder, under ``PREFIX/CAMERA/ID.…``, and ``ID.clip`` comes
    last and goes first here too.

    Args:
        bucket: where it is.
        folder: takes clips until they are moved.
        max_bytes: maximum size of all clips.
        days: after which a clip goes.

    Raises:
        ClipStoreError: the client library is not installed.
    """

    def __init__(self, bucket: Bucket, folder: ClipStore, max_bytes: int, days: float) -> None:
        self._bucket, self._prefix, self._folder = bucket.bucket, bucket.prefix, folder
        self._max_bytes, self._days = max_bytes, days
        self._where = where_of(KEY, bucket)
        self._client = _client(bucket)
        self._known: dict[str, Clip] = {}

    def listed(self, camera: str, limit: int = 200, before: str = "") -> list[Clip]:
        """Return the clips of a camera, newest first; those with an ID below ``before``."""
        here = {clip.id: clip for clip in self.here(camera, limit, before)}
        names = [each.object_name for each in self._objects(f"{check_camera(camera)}/")]
        told = (name for name in names if name.endswith(TOLD))
        there = {Path(name).stem: name for name in told}
        older = (clip for clip in {**there, **here} if not before or clip < before)
        newest = sorted(older, reverse=True)[:limit]
        clips = (here.get(clip) or self._told(there[clip]) for clip in newest)
        return [clip for clip in clips if clip is not None]

    def here(self, camera: str, limit: int = 200, before: str = "") -> list[Clip]:
        """Return the clips that still wait in the folder, as ``listed`` does; needs no bucket."""
        return self._folder.listed(camera, limit, before)

    def drafts(self, camera: str) -> list[str]:
        """Return the IDs of clips that are being written, newest first."""
        return self._folder.drafts(camera)

    def draft(self, camera: str, clip: str) -> Path | None:
        """Return the video of a clip that is being written; None where there is none such."""
        return self._folder.draft(camera, clip)

    def find(self, camera: str, clip: str, part: Part) -> Kept | None:
        """Return a file of a clip; None where there is no such clip, or it has none."""
        if (here := self._folder.find(camera, clip, part)) is not None:
            return here
        name = f"{self._prefix}{check_camera(camera)}/{check_clip(clip)}.{part}"
        with self._words():
            try:
                size = int(self._client.stat_object(self._bucket, name).size)
            except Exception as error:
                if is_absent(error):
                    return None
                raise
        return Kept(size, lambda first, end: self._read(name, first, end))

    def delete(self, camera: str, clip: str) -> bool:
        """Delete a clip from folder and bucket, or from neither where the bucket does not answer;
        return whether there was one.
        """
        stem = f"{check_camera(camera)}/{check_clip(clip)}"
        self._objects(f"{stem}.")
        was_here = self._folder.delete(camera, clip)
        names = [each.object_name for each in self._objects(f"{stem}.")]  # moved meanwhile, too
        self._remove(names)
        return was_here or f"{self._prefix}{stem}{TOLD}" in names

    def move(self) -> int:
        """Move what lies whole in the folder to the bucket; return how many clips.

        Raises:
            ClipStoreError: that failed; what is not there yet stays in the folder.
        """
        moved = 0
        for clip in self._folder.all():
            folder = self._folder.folder / clip.camera
            for part in (*PARTS, TOLD[1:]):
                path = folder / f"{clip.id}.{part}"
                if path.exists():
                    with self._words():
                        name = f"{self._prefix}{clip.camera}/{path.name}"
                        self._client.fput_object(self._bucket, name, str(path))
            self._folder.delete(clip.camera, clip.id)
            moved += 1
        return moved

    def bound(self, now_s: float) -> int:
        """Delete clips that are too old, and the oldest where all are too large; return how many.

        What belongs to no clip, as where a move broke off, counts and goes alike.
        """
        sizes: dict[str, int] = {}
        names: dict[str, list[str]] = {}
        for each in self._objects(""):
            stem = each.object_name.rpartition(".")[0]
            sizes[stem] = sizes.get(stem, 0) + int(each.size)
            names.setdefault(stem, []).append(each.object_name)
        oldest = _id_of(now_s - self._days * DAY_S)
        size, gone = 0, 0
        for stem in sorted(sizes, key=lambda each: each.rpartition("/")[2], reverse=True):
            size += sizes[stem]
            if stem.rpartition("/")[2] < oldest or size > self._max_bytes:
                self._remove(names[stem])
                gone += 1
        return gone

    def _objects(self, below: str) -> list[Any]:
        """Return the objects that can be of clips."""
        prefix = f"{self._prefix}{below}"
        with self._words():
            found = list(self._client.list_objects(self._bucket, prefix, recursive=True))
        return [each for each in found if _is_part(each.object_name.removeprefix(self._prefix))]

    def _told(self, name: str) -> Clip | None:
        """Return what a clip is; None where it is gone, or not to be understood."""
        if (known := self._known.get(name)) is not None:
            return known
        with self._words():
            try:
                data = b"".join(self._read(name, 0, 0))
                clip = read_clip(data)
            except (msgspec.MsgspecError, RecursionError):
                return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[name] = clip
        return clip

    def _read(self, name: str, first: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of an object from one place up to another; 0: to its end."""
        with self._words():
            answer = self._client.get_object(self._bucket, name, first, max(0, end - first))
            try:
                yield from answer.stream(BLOCK)
            finally:
                answer.close()
                answer.release_conn()

    def _remove(self, names: list[str]) -> None:
        """Delete objects, what makes a clip of them first."""
        with self._words():
            for name in sorted(names, key=lambda each: not each.endswith(TOLD)):
                self._client.remove_object(self._bucket, name)
                self._known.pop(name, None)

    def _words(self) -> AbstractContextManager[None]:
        """Raise what the client raises in words."""
        return in_words(self._where, ClipStoreError)


def _client(bucket: Bucket) -> Any:
    try:
        return bucket_client(bucket)
    except ModuleNotFoundError as error:
        raise ClipStoreError(not_installed(KEY, error)) from None


def _is_part(name: str) -> bool:
    """Return whether an object's name, without the prefix, is of a file of a clip."""
    camera, _, file = name.partition("/")
    stem, _, part = file.partition(".")
    is_known = f".{part}" == TOLD or part in PARTS
    return bool(camera and is_known and re.fullmatch(CLIP_ID, stem, re.ASCII))


def _id_of(unix_s: float) -> str:
    return clip_id(max(0, round(unix_s * 1000)))
