"""Engines for the models of a worker: built in child processes while the models run as they are."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from engines.files import writing
from engines.runtimes import threads_per_session
from engines.samples import Samples
from engines.serving import Models, about_engine
from pipeline.config.engine import Engine
from pipeline.config.settings import Settings
from pipeline.control.build_report import BuildReport
from pipeline.worker.engine_choice import NotBuiltError, Provided, choice_of

log = logging.getLogger(__name__)

FRAMES = 16
FRAMES_EVERY_S = 0.5
SILENT_S = (
    1800.0  # a child that tells of nothing for so long hangs; a TensorRT tactic takes minutes
)
WAIT_S = 1.0


@dataclass(slots=True)
class _Collection:
    """The frames of a model that waits for its engine.

    Attributes:
        samples: where they are kept.
        patience_s: how long to wait after the first until there are enough; None waits for all.
        since_s: when the first was there.
    """

    samples: Samples
    patience_s: float | None
    since_s: float | None = None

    def is_done(self) -> bool:
        """Return whether there are enough."""
        if self.samples.wait(0.0):
            return True
        if self.patience_s is None or not self.samples.taken():
            return False
        if self.since_s is None:
            self.since_s = time.monotonic()
        return time.monotonic() - self.since_s >= self.patience_s


class EngineBuilds:
    """Gives each model its engine, without keeping a camera waiting.

    An engine that the store has is used from the first frame. Else the model runs as it is, some of
    the frames that it sees are kept, a child process builds the engine (or several, and measures
    which is fastest) and compares what it finds in them, and the engine is swapped in between two
    frames. What fails is said once, and the model runs on as it is.

    Args:
        settings: the section ``engine``.
        models: what the engines are for.
        threads: of a session.
    """

    def __init__(self, settings: Engine, models: Models, threads: int = 1) -> None:
        self.models = models
        self._choice = choice_of(settings, threads)
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known: set[str] = set()
        self._left: set[str] = set()  # somebody chose by hand what runs
        self._states: dict[str, BuildReport] = {}
        self._stop = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._is_building = False
        self._thread = threading.Thread(target=self._run, name="engine-builds", daemon=True)

    @property
    def states(self) -> Mapping[str, BuildReport]:
        """Return, by model, how far its engine is."""
        return MappingProxyType(dict(self._states))

    def is_building(self) -> bool:
        """Return whether an engine is being built or proved, or several are being measured."""
        return self._is_building

    def start(self) -> None:
        """Begins to work on what is wanted."""
        if self._choice is not None:
            self._thread.start()

    def close(self) -> None:
        """Ends, and the child with it."""
        self._stop.set()
        if (child := self._child) is not None:
            child.kill()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def prepare(self, models: Iterable[str]) -> None:
        """Before models are loaded: those whose engine is there will be that engine.

        Raises:
            ValueError, ImportError, RuntimeError: no engine of that kind can be made here.
        """
        for model in models:
            if self._choice is None or not self._is_new(model):
                continue
            try:
                found = self._find(model)
            except self._choice.forgiven as error:
                self._known.add(model)
                self._fail(model, error)
                continue
            if found is None or not found.is_ready:
                self._want(model)
                continue
            self._known.add(model)
            if found.engine is not None:
                self.models.use(model, str(found.engine.manifest), (model,))
                log.info("model %s: engine %s", model, found.engine.key)
            self._tell(model, BuildReport("ready", found.words))

    def want(self, models: Iterable[str]) -> None:
        """Builds for models that came later, in turn."""
        for model in models:
            if self._is_new(model):
                self._want(model)

    def leave(self, model: str) -> None:
        """A model that somebody chose by hand runs as it is."""
        self._known.add(model)
        self._left.add(model)
        self._states.pop(model, None)

    def _is_new(self, model: str) -> bool:
        return (
            self._choice is not None
            and model not in self._known
            and about_engine(model) is None
            and self._choice.applies(model)
        )

    def _want(self, model: str) -> None:
        self._known.add(model)
        self._tell(model, BuildReport("waiting"))
        self._wanted.put(model)

    def _run(self) -> None:
        waiting: dict[str, _Collection] = {}
        while not self._stop.is_set():
            self._take_in(waiting)
            # A model that sees nothing may wait for days, and keeps no other waiting.
            model = next((name for name, each in waiting.items() if each.is_done()), None)
            if model is None:
                self._stop.wait(WAIT_S)
                continue
            pictures = waiting.pop(model).samples.taken()
            self._is_building = True
            try:
                self._provide(model, pictures)
            except Exception as error:  # noqa: BLE001 the model runs on as it is, whatever it is
                if not self._stop.is_set() and model not in self._left:
                    self._fail(model, error)
            finally:
                self._is_building = False
                self.models.discard(model)

    def _take_in(self, waiting: dict[str, _Collection]) -> None:
        """For each newly wanted model use the engine that is there, else begin to keep frames; stop
        keeping those of a model that somebody replaced by hand.
        """
        while not self._wanted.empty():
            model = self._wanted.get()
            if model in self._left:
                continue
            try:
                found = self._find(model)
                if found is not None and found.is_ready:
                    self._use(model, found)
                    continue
            except Exception as error:  # noqa: BLE001 the model runs on as it is, whatever it is
                self._fail(model, error)
                continue
            waiting[model] = self._collect(model)
        for model, each in waiting.items():
            self._tell(model, BuildReport("collecting", share=each.samples.share))
        for model in waiting.keys() & self._left:
            del waiting[model]
            self.models.discard(model)

    def _fail(self, model: str, error: Exception) -> None:
        words = " ".join(str(error).split())
        log.error("model %s runs as it is, its engine failed: %s", model, words)
        self._tell(model, BuildReport("failed", words))

    def _tell(self, model: str, report: BuildReport) -> None:
        """Say how far its engine is, unless somebody chose by hand what runs."""
        if model in self._left:
            return
        before = self._states.get(model)
        same = before is not None and (before.state, before.words) == (report.state, report.words)
        since = before.since if before is not None and same else None
        self._states[model] = replace(report, since=since or time.time())

    def _provide(self, model: str, pictures: list[Any]) -> None:
        """Build an engine for a model and put it in its place."""
        from engines.builder.build import prove

        found = self._find(model) or self._build(model, pictures)
        engine = found.engine
        if engine is not None and not engine.is_proved:
            self._tell(model, BuildReport("building", "comparing the engine with its source"))
            engine = prove(engine, pictures)
        self._use(model, Provided(engine, found.words))

    def _use(self, model: str, found: Provided) -> None:
        """Let a model run as what was found."""
        if model in self._left:
            return
        engine = found.engine
        if engine is None:
            log.info("model %s runs on as it is: %s", model, found.words)
        else:
            words = "; ".join(
                filter(None, (self.models.put(model, str(engine.manifest)), found.words))
            )
            log.info("model %s: engine %s takes over: %s", model, engine.key, words)
        self._tell(model, BuildReport("ready", found.words))

    def _collect(self, model: str) -> _Collection:
        """Begin to keep frames that the model sees; the first may be long in coming."""
        assert self._choice is not None
        frames = self._choice.frames * FRAMES
        samples = self.models.collect(model, frames, FRAMES_EVERY_S, self._choice.only_found)
        patience_s = 2 * frames * FRAMES_EVERY_S + WAIT_S
        return _Collection(samples, None if self._choice.all_frames else patience_s)

    def _build(self, model: str, pictures: list[Any]) -> Provided:
        """Run one child process and watch it.

        Raises:
            NotBuiltError: it failed, was killed, or hung.
        """
        assert self._choice is not None
        with tempfile.TemporaryDirectory(prefix="mirante-engine-") as folder:  # for its owner alone
            log.info("model %s: its engine is being built; it runs as it is meanwhile", model)
            self._tell(model, BuildReport("building", "starting"))
            with writing(Path(folder)):
                arguments = self._choice.ask(model, Path(folder), pictures)
            self._child = subprocess.Popen(
                [sys.executable, "-m", "engines.builder", f"--parent={os.getpid()}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
            if self._stop.is_set():  # set before there was a child to end
                self._child.kill()
            try:
                said = self._follow(model, self._child)
            finally:
                self._child.kill()
                self._child.wait()
                self._child = None
        return self._choice.read(model, said)

    def _follow(self, model: str, child: subprocess.Popen[str]) -> dict[str, Any]:
        """Read what the child tells until it ends; return the last of it."""
        assert child.stdout is not None
        with child.stdout:
            watchdog = _watchdog(child)
            for line in child.stdout:
                watchdog.cancel()
                said = _read(line)
                if "failed" in said:
                    raise NotBuiltError(str(said["failed"]))
                if said.keys() & {"manifest", "verdict"}:
                    return said
                if "share" in said:
                    share = None if said["share"] is None else float(said["share"])
                    self._tell(model, BuildReport("building", str(said.get("doing", "")), share))
                watchdog = _watchdog(child)
            watchdog.cancel()
        raise NotBuiltError(f"the process that built it ended with status {child.wait()}")

    def _find(self, model: str) -> Provided | None:
        assert self._choice is not None
        return self._choice.find(model)


def _watchdog(child: subprocess.Popen[str]) -> threading.Timer:
    timer = threading.Timer(SILENT_S, child.kill)
    timer.daemon = True
    timer.start()
    return timer


def _read(line: str) -> dict[str, Any]:
    """A line of the child; libraries print there too."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def threads_of(settings: Settings) -> int:
    """Threads of one inference: as configured, else from cores and cameras."""
    cameras = max(1, len(settings.cameras))
    return settings.engine.threads or threads_per_session(os.cpu_count() or 1, cameras)
