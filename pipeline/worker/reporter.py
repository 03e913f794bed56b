"""The worker's own account of itself, made once a second for all who watch."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version

import msgspec
import redis

from engines.head import Head
from engines.manifest import Manifest, ManifestError, path_of, read, zoo_names
from engines.store.models import listing_of
from mirante.outage import Outage
from mirante.refusal import eviction
from pipeline.cameras.state import State
from pipeline.config.choosing import chosen
from pipeline.config.settings import Settings
from pipeline.control.reports import WorkerReport, WorkerState, ZooHead, ZooReport, publish
from pipeline.control.spec import shown
from pipeline.worker.load import Room
from pipeline.worker.machine import Machine

log = logging.getLogger(__name__)

EVERY_S = 1.0
ZOO_EVERY_S = 60.0


class Reporter:
    """Makes and publishes a worker's reports. Used by the worker's main thread alone.

    Args:
        client: of Redis.
        settings: the worker's.
        state: how the worker is now.
        outage: tells when Redis refuses reports.
        is_building: whether an engine is being built, which takes all that cameras leave.
    """

    def __init__(
        self,
        client: redis.Redis,
        settings: Settings,
        state: Callable[[], WorkerState],
        outage: Outage,
        is_building: Callable[[], bool],
    ) -> None:
        self._client, self._settings, self._state = client, settings, state
        self._outage, self._is_building = outage, is_building
        self._machine = Machine()
        self._room = Room()
        self._started = time.time()
        self._version = version("mirante")
        self._defaults = shown(settings.defaults, exclude_unset=False)
        self._due_s = time.monotonic() + EVERY_S  # shares of the CPU need a while to be measured
        self._zoo_due_s = 0.0
        self._zoo: tuple[ZooReport, ...] = ()
        self._manifests: dict[str, tuple[tuple[int, int, int], Manifest]] = {}
        self._said = ""
        self._policy_due_s = 0.0
        self._policy = ""

    def poll(self) -> None:
        """Publishes how the worker is, when the next report is due.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + EVERY_S
        try:
            report = self.report()
        except Exception as error:  # noqa: BLE001 cameras run on without it, whatever it is
            self._say_once(f"the worker cannot say how it is: {error}")
            return
        try:
            publish(self._client, report)
        except redis.ResponseError as error:  # what can be read still is
            self._outage.failed(error, "report")
        else:
            self._outage.served("report")
            self._look_at_policy()

    def _look_at_policy(self) -> None:
        """Say once that Redis may evict what it holds; nothing where it does not tell."""
        if time.monotonic() < self._policy_due_s:
            return
        self._policy_due_s = time.monotonic() + ZOO_EVERY_S
        with suppress(redis.ResponseError):
            words = eviction(self._client.info("memory").get("maxmemory_policy"))
            if words and words != self._policy:
                log.warning("Redis %s", words)
            self._policy = words

    def report(self) -> WorkerReport:
        """Return the worker's report. What it says of cameras and Redis holds no credentials."""
        state = self._state()
        if time.monotonic() >= self._zoo_due_s:
            self._zoo_due_s = time.monotonic() + ZOO_EVERY_S
            self._zoo = self._read_zoo()
        defaults = self._settings.defaults
        standard = chosen(self._settings.models) if defaults.stages is None else None
        stages = {"stages": standard.stages(defaults.preview.blur)} if standard else {}
        return WorkerReport(
            **msgspec.structs.asdict(state),
            worker=self._settings.worker,
            at=time.time(),
            started=self._started,
            pid=os.getpid(),
            host=socket.gethostname(),
            version=self._version,
            process=self._machine.process(),
            machine=self._machine.machine(),
            gpus=self._machine.gpus(),
            zoo=self._zoo,
            defaults=self._defaults | stages,
            standard=standard,
            room=self._room.report(_running(state), self._is_building()),
        )

    def _read_zoo(self) -> tuple[ZooReport, ...]:
        """Return the models that stages may name: first the folder ``models``, then the zoo.

        A manifest is read again only where its file has changed: all of them take a core for
        10 ms, in which frame threads wait for the interpreter.
        """
        folder = self._settings.models
        own = {path.stem: str(path) for path in sorted(folder.glob("*.yaml"))} if folder else {}
        found, unreadable = [], []
        for name, at in ({name: name for name in zoo_names()} | own).items():
            try:
                found.append(_of_zoo(name, self._manifest(at)))
            except (ManifestError, OSError) as error:
                unreadable.append(str(error))
        if unreadable:
            self._say_once(f"models that no camera can be given: {'; '.join(unreadable)}")
        return tuple(found)

    def _manifest(self, at: str) -> Manifest:
        path = path_of(at)
        status = path.stat()
        # One that takes its place may have its size, and its time, as programs that copy keep it.
        stamp = (status.st_ino, status.st_ctime_ns, status.st_size)
        known = self._manifests.get(at)
        if known is None or known[0] != stamp:
            known = self._manifests[at] = (stamp, read(path))
        return known[1]

    def _say_once(self, words: str) -> None:
        if words != self._said:
            log.warning("%s", words)
        self._said = words


def _running(state: WorkerState) -> int:
    return sum(camera.state == State.RUNNING for camera in state.cameras.values())


def _of_zoo(name: str, manifest: Manifest) -> ZooReport:
    return ZooReport(
        name=name,
        task=manifest.tasks,
        labels=manifest.every_label,
        licence=manifest.licence,
        runs_on="crops" if manifest.is_for_crops or manifest.about_boxes else "frame",
        ready=listing_of(manifest).place is not None,
        verb=manifest.parts[0].kind.verb,
        finds_boxes=bool(manifest.box_labels),
        finds_masks=bool(manifest.mask_labels),
        needs_boxes=manifest.about_boxes is not None,
        gives_vectors=manifest.gives_vectors,
        scored=manifest.scored_labels,
        ms=manifest.ms,
        heads=tuple(map(_of_head, manifest.heads)),
    )


def _of_head(part: Head) -> ZooHead:
    return ZooHead(
        task=part.task,
        labels=part.labels,
        verb=part.kind.verb,
        finds_boxes=part.kind.finds_boxes,
        finds_masks=part.kind.finds_masks,
    )
