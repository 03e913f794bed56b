"""A worker: makes the wanted cameras run, publishes what they see, and heals by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

import cv2
import msgspec
import redis

from engines.runtimes.tensorrt.held import held
from engines.serving import Models
from mirante.faults import FaultCode
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from mirante.status import Status
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.config.choosing import chosen, settle
from pipeline.config.settings import Settings
from pipeline.config.standard import Choice
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Desired
from pipeline.control.outbox_report import CutReport, OutboxReport
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import ModelReport, WorkerState
from pipeline.control.rpc import Handler, Requests, What
from pipeline.worker.builds import EngineBuilds, threads_of
from pipeline.worker.camera import (
    HELD,
    PAUSED,
    STANDBY,
    STOP_TIMEOUT_S,
    CameraStarter,
    MakeRunner,
    RunningCamera,
    bare_status,
    refused_report,
    stop_all,
)
from pipeline.worker.clips import WorkerClips
from pipeline.worker.fleet_models import carried_models
from pipeline.worker.handover import Handovers
from pipeline.worker.live import changed_live
from pipeline.worker.reporter import Reporter
from pipeline.worker.swaps import ModelSwaps
from pipeline.worker.tenancy import Standing, Tenancy
from pipeline.worker.trials import answer_trial
from pipeline.worker.views import Views
from pipeline.worker.wakes import answer_wake
from plugins.outbox.lane import LOST, MOVED, REFUSED
from plugins.outbox.outbox import Outbox
from plugins.outbox.retention import Retention
from plugins.trace import Sample

log = logging.getLogger(__name__)

TICK_S = 0.25
AGAIN_S = 10.0  # before a camera that could not begin is looked at again: its key or model may come
CONSEQUENCE = "cameras run on, and their results wait in memory"


class Worker:
    """Runs cameras until told to stop. Redis may come and go meanwhile.

    Args:
        settings: what to run.
        url: address of Redis.
        make_runner: makes what runs a camera.
        builds: the models, and engines for them; none loaded by default.
        sample: begins the traces of sampled frames; None where none are.
        standby: wait for the name where another worker has it, instead of giving up.

    Attributes:
        cameras: what runs, by name.
        outbox: where results wait for Redis.
        models: what the cameras run.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        make_runner: MakeRunner,
        builds: EngineBuilds | None = None,
        sample: Sample | None = None,
        standby: bool = False,
    ) -> None:
        keep = settings.redis.retention
        self.settings = settings
        self.cameras: dict[str, RunningCamera] = {}
        self._url = RedisUrl(url)
        self._outage = Outage(self._url, log, CONSEQUENCE, logging.ERROR)
        client = connect(url)
        self._tenancy = Tenancy(client, settings.worker, standby)
        self.outbox = Outbox(
            url,
            Retention(**keep.model_dump()),
            settings.redis.ring_s,
            settings.redis.ring_mib << 20,
            on_lost=self._on_lost,
            outage=self._outage,
            on_refused=self._on_refused,
            tenure=self._tenancy.tenure,
        )
        self._registry = Registry(client, settings=settings)
        self._builds = builds or EngineBuilds(settings.engine, Models(), threads_of(settings))
        self.models = self._builds.models
        self._swaps = ModelSwaps(
            client, settings.worker, self.models, self._builds.leave, self._blurred
        )
        is_building = self._builds.is_building
        self._reporter = Reporter(client, settings, self.state, self._outage, is_building)
        self._carried = carried_models(settings.fleet, self._url)
        trial = partial(
            answer_trial, self._registry, settings.models, is_building, placed=self._carried.placed
        )
        self._clips = WorkerClips(settings.clips, lambda: self.cameras)
        handlers: dict[What, Handler] = {
            "swap": self._swaps.swap,
            "trial": trial,
            "clip": self._clips.answer,
            "wake": partial(answer_wake, lambda: self.cameras),
        }
        self._requests = Requests(client, settings.worker, handlers)
        self._paused: dict[str, Status] = {}
        self._held: dict[str, Camera] = {}  # until it is chosen what they run
        self._said: list[Choice] = []
        self._refused: dict[str, str] = {}  # why, by camera
        self._leased, self._generation, self._again_s = False, "", 0.0
        self._wanted: Collection[str] = settings.cameras
        self._standing_by: Collection[str] = ()
        shared = (self.outbox, self.models, threads_of(settings), SharedSessions())
        self._starter = CameraStarter(make_runner, *shared, sample, self._clips)
        self._handovers = Handovers(settings, self.outbox, self._url)
        self._views = Views(make_runner, self.outbox.watched)

    def run(self, stop: threading.Event, on_tick: Callable[[Worker], None] | None = None) -> None:
        """Works until ``stop`` is set.

        Raises:
            LeaseTakenError: a worker of this name runs already.
        """
        cv2.setNumThreads(1)  # each camera has a thread; OpenCV's own would only contend with them
        self.outbox.start()
        self._builds.start()
        try:
            self._synchronise()
            if self._tenancy.standing is Standing.NEW:
                self._reconcile(self.settings.cameras)
            while not stop.wait(TICK_S):
                self._synchronise()
                self._start_held()
                self._views.follow(self.cameras)
                self._clips.poll()
                if on_tick is not None:
                    on_tick(self)
            self._handovers.leave(lambda: self.cameras, self._synchronise)
        finally:
            self._close()

    def state(self) -> WorkerState:
        """Return how everything is now. Safe to call from any thread."""
        outbox, views = self.outbox.state, self._views
        said = {n: refused_report(n, why) for n, why in dict(self._refused).items()}
        said |= {name: each.report(views.report(name)) for name, each in dict(self.cameras).items()}
        return WorkerState(
            outbox=OutboxReport(
                connected=outbox.connected and not self._outage.words,
                words=outbox.words or self._outage.words,
                depth=outbox.depth,
                sent=sum(outbox.sent.values()),
                lost=dict(outbox.lost),
                refused=sum(outbox.refused.values()),
                lost_events=dict(outbox.lost_events),
                cut=msgspec.convert(
                    outbox.cut, dict[str, dict[str, CutReport]], from_attributes=True
                ),
            ),
            standby=self._tenancy.standing.why_not_ready,
            cameras=said
            | dict.fromkeys(self._paused, PAUSED)
            | dict.fromkeys(self._held, HELD)
            | dict.fromkeys(self._standing_by, STANDBY),
            models=msgspec.convert(
                self.models.in_use(), tuple[ModelReport, ...], from_attributes=True
            ),
            builds=dict(self._builds.states),
            gpu_memory=held.now(),
        )

    def _synchronise(self) -> None:
        """Keeps the lease and follows the registry, as far as Redis is there."""
        try:
            before, standing = self._tenancy.standing, self._tenancy.poll()
            if standing is Standing.STANDBY is not before:
                self._stand_by()
            if standing is not Standing.HELD:
                self._outage.served("registry")
                return
            if not self._leased:
                self._swaps.restore()
                self._clips.restore()
                self._registry.publish_config()
                self._leased = True
                self._handovers.beating.start()
            self._reporter.poll()
            self._requests.poll()
            changed = self._registry.changes()
            if changed is None and self._refused and time.monotonic() > self._again_s:
                changed = self._registry.own
        except redis.RedisError as error:
            self._outage.failed(error, "registry")
            return
        self._outage.served("registry")
        self._tell_again()
        if changed is not None:
            self._follow(changed)
        self._hand_over()

    def _follow(self, entries: Mapping[str, Desired]) -> None:
        """Make it so that these are the worker's cameras."""
        paused = [name for name, entry in entries.items() if entry.paused]
        leaving = self._handovers.follow(entries, self._registry.leaving, self.cameras)
        names = [name for name in entries if name not in paused]
        self._refused = {name: why for name, why in self._refused.items() if name in names}
        wanted = self._resolve(names)
        self._reconcile(wanted | leaving, paused)
        kept = [*entries, *leaving]
        for name in set(self._wanted) - set(kept):
            self.outbox.leave(name)
            self._starter.memories.forget(name)
        self._wanted, self._standing_by = kept, ()

    def _hand_over(self) -> None:
        """Stop cameras that other workers have now, and begin those anew that come back, or for
        which the worker before has to end its own session.
        """
        gone, late = self._handovers.gone(), self._handovers.late(self.cameras)
        stopped = {n: self.cameras.pop(n) for n in {*gone, *late} if n in self.cameras}
        stop_all(stopped, gone)
        for name in {*gone, *late}:
            self.outbox.resign(name)
            self._starter.memories.forget(name)
        for name, running in stopped.items():
            if self._handovers.is_own(name):
                self._start(name, running.spec, at_once=name in late)

    def _stand_by(self) -> None:
        """Stops every camera, as another worker runs them now, and forgets what was to be sent."""
        self._handovers.beating.stop()
        self._standing_by = {*self._wanted, *self.cameras}
        stopped, self.cameras = self.cameras, {}
        self._paused, self._held, self._refused = {}, {}, {}
        stop_all(stopped, dict.fromkeys(stopped, STANDBY.reason))
        if refused := self.outbox.resign():
            log.warning("%d frames refused: %s", refused, STANDBY.reason)
        self._starter.memories.forget_all()
        self._registry.forget()
        self._leased, self._generation = False, ""

    def _tell_again(self) -> None:
        """Every camera's state, when Redis lost what it had been told."""
        generation = self._registry.generation
        if self._generation not in ("", generation):
            self._refused.clear()
            for running in self.cameras.values():
                self.outbox.status(running.status())
            for paused in self._paused.values():
                self.outbox.status(msgspec.structs.replace(paused, ts=time.time()))
            for name in self._held:
                self.outbox.status(bare_status(name, State.CONNECTING, HELD.reason))
        self._generation = generation

    def _resolve(self, names: Iterable[str]) -> dict[str, Camera]:
        cameras = {}
        for name in names:
            try:
                cameras[name] = self._registry.resolved(name)
            except RegistryError as error:
                self._refuse(name, error)
        return cameras

    def _reconcile(self, wanted: Mapping[str, Camera], paused: Collection[str] = ()) -> None:
        """Stops and starts what differs; a camera that is as wanted is not touched."""
        self._carried.keep_only(wanted.values())
        wanted, held = self._settled(wanted)
        self.cameras |= changed_live(self.cameras, wanted)
        changed = [n for n, running in self.cameras.items() if wanted.get(n) != running.spec]
        before = (
            self._paused
        )  # stopping takes a while, and no camera is ever missing from the state
        self._paused = {
            n: before.get(n) or bare_status(n, State.STOPPED, PAUSED.reason) for n in paused
        }
        stopped = {name: self.cameras.pop(name) for name in changed}
        stop_all(stopped, dict.fromkeys(paused, PAUSED.reason))
        self._tell_paused(before, stopped)
        for name, camera in wanted.items():
            if name not in self.cameras:
                self._start(name, camera)
        for name in held.keys() - self._held.keys() - self._refused.keys():
            self.outbox.status(bare_status(name, State.CONNECTING, HELD.reason))
        self._held = held

    def _settled(self, wanted: Mapping[str, Camera]) -> tuple[dict[str, Camera], dict[str, Camera]]:
        """The cameras with their stages, and those for which none are chosen yet."""
        found, held = {}, {}
        for name, camera in wanted.items():
            try:
                settled = settle(camera, self.settings.models, wait_s=0.0)
                placed = None if settled is None else self._carried.placed(settled)
            except ValueError as error:
                self._refuse(name, error)
                continue
            if placed is None:
                held[name] = camera
            else:
                found[name] = placed
                if camera.stages is None:
                    self._say_less(camera)
        return found, held

    def _say_less(self, camera: Camera) -> None:
        """Say once that the shipped model runs for want of a better one's file."""
        less = chosen(self.settings.models).less(camera.preview.blur)
        if less is not None and less not in self._said:
            self._said.append(less)
            log.warning("%s (%s)", less.words(), "; ".join(less.tried))

    def _start_held(self) -> None:
        """Start the cameras that were held, as soon as it is chosen what they run."""
        if not self._held:
            return
        found, held = self._settled(self._held)
        for name, camera in found.items():
            self._start(name, camera)
        self._held = held

    def _start(self, name: str, camera: Camera, at_once: bool = False) -> None:
        self._builds.want(use.name for use in camera.models())
        takes_over = self._handovers.begin(name, at_once)
        try:
            self.cameras[name] = self._starter.start(name, camera, takes_over)
        except ValueError as error:
            self._refuse(name, error)
        else:
            self._refused.pop(name, None)

    def _tell_paused(self, before: Collection[str], stopped: Mapping[str, RunningCamera]) -> None:
        """Tells of each camera once that it is paused; one that was ``stopped`` may have told."""
        for name, status in self._paused.items():
            running = stopped.get(name)
            if name not in before and (running is None or running.runner.reason != PAUSED.reason):
                log.info("camera %s: %s: %s", name, State.STOPPED, PAUSED.reason)
                self.outbox.status(status)

    def _refuse(self, name: str, error: Exception) -> None:
        """Say once why a camera cannot begin."""
        self._again_s = time.monotonic() + AGAIN_S
        if self._refused.get(name) != str(error):
            self._refused[name] = str(error)
            log.error("camera %s: %s", name, str(error).removeprefix(f'camera "{name}": '))
            self.outbox.status(bare_status(name, State.FAILED, str(error), FaultCode.INVALID))

    def _blurred(self, model: str) -> set[str]:
        """The classes that cameras blur which run a model."""
        specs = [running.spec for running in dict(self.cameras).values()]
        return {
            label
            for spec in specs
            if any(use.name == model for use in spec.models())
            for label in spec.preview.blur
        }

    def _on_lost(self, camera: str, frames: int, reason: str = LOST) -> None:
        if (running := self.cameras.get(camera)) is not None:
            running.ledger.lost(frames, reason)

    def _on_refused(self, camera: str, frames: int) -> None:
        self._on_lost(camera, frames, MOVED if self.outbox.is_held(camera) else REFUSED)

    def _close(self) -> None:
        """The cameras, then what they left in the outbox, then the name."""
        self._handovers.beating.stop()
        self._builds.close()
        self._views.close()
        self._carried.close()
        stop_all(self.cameras)
        if unsent := self.outbox.close(STOP_TIMEOUT_S):
            log.warning("%d frames never reached Redis", unsent)
        try:
            self._tenancy.release()
        except redis.RedisError as error:
            log.info("the worker's name was not given back: %s", self._url.explain(error))
