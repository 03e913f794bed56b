"""The clips of a worker's cameras: what makes them, where they are kept, and who asks for one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from mirante.where import Where
from pipeline.cameras.view import Turn
from pipeline.config.camera import Camera
from pipeline.config.clips import ClipsKept
from pipeline.config.view_stream import view_stream_of
from pipeline.control.clip_place import bucket_of, store_of
from pipeline.control.clip_requests import Made
from pipeline.control.clip_store import ClipStoreError
from pipeline.control.clip_sweep import sweep
from plugins.clips.recorder import Recorder, Rule, all_events

BOUND_S = 60.0  # between two looks for clips that are too old
MOVE_S = 5.0  # and for those that are to be moved to a bucket
BUCKET_S = 3600.0  # between two searches of a bucket that nothing was moved to

log = logging.getLogger(__name__)


class Clipped(Protocol):
    """A camera that runs."""

    @property
    def clips(self) -> Recorder | None:
        """Its recorder; None where it keeps no clips."""


class WorkerClips:
    """Makes the recorders of cameras, keeps what is stored within its bounds, answers requests.

    Args:
        kept: where clips are kept.
        cameras: returns the cameras that run.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        kept: ClipsKept,
        cameras: Callable[[], Mapping[str, Clipped]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._bucket = store_of(kept), bucket_of(kept)
        self._mover: threading.Thread | None = None
        self._said = ""
        self._cameras, self._clock = cameras, clock
        self._due_s = self._aged_s = 0.0

    def recorder(self, name: str, spec: Camera) -> Recorder | None:
        """Return what makes the clips of a camera; None where it keeps none."""
        return None if spec.clips is None else Recorder(name, rule_of(spec), self._store)

    def restore(self) -> None:
        """Make whole, or delete, what a worker that was killed has left; before cameras start."""
        try:
            for words in sweep(self._store.folder):
                log.warning("%s", words)
        except OSError as error:
            log.error("clips.folder: %s", error)

    def poll(self) -> None:
        """Delete what is too old, and move what is whole, now and then."""
        if self._clock() < self._due_s or (self._mover is not None and self._mover.is_alive()):
            return
        self._due_s = self._clock() + (BOUND_S if self._bucket is None else MOVE_S)
        self._mover = threading.Thread(target=self._tidy, name="clips", daemon=True)
        self._mover.start()

    def _tidy(self) -> None:
        try:
            self._store.bound()
            if self._bucket is not None and (self._bucket.move() or self._clock() >= self._aged_s):
                self._bucket.bound(time.time())
                self._aged_s = self._clock() + BUCKET_S
        except (OSError, ClipStoreError) as error:
            if str(error) != self._said:
                log.error("clips: %s", error)
            self._said = str(error)
        else:
            self._said = ""

    def answer(self, request: Mapping[str, Any]) -> bytes:
        """Do what ``ask_clip`` asks for.

        Raises:
            ValueError: no such camera runs, or it keeps no clips.
        """
        name = str(request["camera"])
        camera = self._cameras().get(name)
        if camera is None:
            raise ValueError(f'camera "{name}" does not run')
        if camera.clips is None:
            raise ValueError(
                f'camera "{name}" keeps no clips: its key clips is null, expected {{}}'
            )
        try:
            made = camera.clips.request(request["before_s"], request["after_s"])
        except (RuntimeError, OSError) as error:  # its own words, or those of GStreamer
            is_full = bool(getattr(error, "is_full", False))
            return msgspec.json.encode(Made(words=str(error), is_full=is_full))
        begins, ends = made.begin_ns / 1e9, made.end_ns / 1e9
        return msgspec.json.encode(Made(id=made.id, begins=begins, ends=ends))


def rule_of(spec: Camera) -> Rule:
    """Return what makes clips of a camera, whose key ``clips`` is not null."""
    assert spec.clips is not None
    clips = spec.clips
    is_turned = Turn.of_options(spec) != Turn() or spec.deinterlace == "on"
    is_hidden = bool(spec.mask or spec.crop)
    return Rule(
        before_s=clips.before_s,
        after_s=clips.after_s,
        max_s=clips.max_s,
        on=frozenset(clips.on),
        where=all_events if clips.where is None else Where(clips.where),
        blur=tuple(spec.preview.blur),
        hides=is_hidden or bool(spec.preview.blur),
        is_altered=is_hidden or is_turned,
        refuses=clips.private == "refuse",
        max_bytes=clips.max_mib << 20,
    )


def of_view(spec: Camera) -> bool:
    """Return whether a camera's clips are of its view stream.

    Not where mask or crop hide something by its place: the view may show another field of view.
    """
    is_placed = bool(spec.mask or spec.crop)
    return bool(spec.clips and spec.clips.view and view_stream_of(spec)) and not is_placed
