"""Engines for the models of a worker: built in child processes while the models run as they are."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.files import writing
from engines.serving import Models, about_engine
from pipeline.config.settings import Engine
from pipeline.control.reports import BuildReport
from pipeline.worker.engine_choice import NotBuiltError, Provided, choice_of

log = logging.getLogger(__name__)

FRAMES = 16
FRAMES_EVERY_S = 0.5
SILENT_S = (
    1800.0  # a child that tells of nothing for so long hangs; a TensorRT tactic takes minutes
)
WAIT_S = 1.0


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
        self._states: dict[str, BuildReport] = {}
        self._stop = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="engine-builds", daemon=True)

    @property
    def states(self) -> Mapping[str, BuildReport]:
        """Return, by model, how far its engine is."""
        return MappingProxyType(dict(self._states))

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
            if not self._is_new(model):
                continue
            try:
                found = self._find(model)
            except OSError as error:
                self._known.add(model)
                self._fail(model, error)
                continue
            if found is None or (found.engine is not None and not found.engine.is_proved):
                self._want(model)
                continue
            self._known.add(model)
            if found.engine is not None:
                self.models.use(model, str(found.engine.manifest), (model,))
                log.info("model %s: engine %s", model, found.engine.key)
            self._states[model] = BuildReport("ready", found.words)

    def want(self, models: Iterable[str]) -> None:
        """Builds for models that came later, in turn."""
        for model in models:
            if self._is_new(model):
                self._want(model)

    def leave(self, model: str) -> None:
        """A model that somebody chose by hand runs as it is."""
        self._known.add(model)
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
        self._states[model] = BuildReport("waiting")
        self._wanted.put(model)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                model = self._wanted.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            try:
                self._provide(model)
            except Exception as error:  # noqa: BLE001 the model runs on as it is, whatever it is
                if not self._stop.is_set():
                    self._fail(model, error)
            finally:
                self.models.discard(model)

    def _fail(self, model: str, error: Exception) -> None:
        words = " ".join(str(error).split())
        log.error("model %s runs as it is, its engine failed: %s", model, words)
        self._states[model] = BuildReport("failed", words)

    def _provide(self, model: str) -> None:
        """Build an engine for a model and put it in its place."""
        from engines.builder.build import prove

        self._states[model] = BuildReport("collecting")
        pictures = self._collect(model)
        if self._stop.is_set():
            return
        found = self._find(model) or self._build(model, pictures)
        engine = found.engine
        if engine is not None and not engine.is_proved:
            engine = prove(engine, pictures)
        if model not in self._states:  # somebody chose by hand meanwhile
            return
        if engine is None:
            log.info("model %s runs on as it is: %s", model, found.words)
        else:
            words = self.models.swap(model, str(engine.manifest))
            words = "; ".join(filter(None, (words, found.words)))
            log.info("model %s: engine %s takes over: %s", model, engine.key, words)
        self._states[model] = BuildReport("ready", found.words)

    def _collect(self, model: str) -> list[Any]:
        """Frames that the model has seen; waits for the first as long as it takes."""
        assert self._choice is not None
        frames = self._choice.frames * FRAMES
        samples = self.models.collect(model, frames, FRAMES_EVERY_S, self._choice.only_found)
        patience_s = 2 * frames * FRAMES_EVERY_S
        while not self._stop.is_set() and not samples.wait(WAIT_S):
            patience_s -= WAIT_S if samples.taken() else 0.0
            if patience_s <= 0:
                break
        return samples.taken()

    def _build(self, model: str, pictures: list[Any]) -> Provided:
        """Run one child process and watch it.

        Raises:
            NotBuiltError: it failed, was killed, or hung.
        """
        assert self._choice is not None
        with tempfile.TemporaryDirectory(prefix="mirante-engine-") as folder:  # for its owner alone
            log.info("model %s: its engine is being built; it runs as it is meanwhile", model)
            with writing(Path(folder)):
                arguments = self._choice.ask(model, Path(folder), pictures)
            self._child = subprocess.Popen(
                [sys.executable, "-m", "engines.builder", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
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
                    self._states[model] = BuildReport(
                        "building", str(said.get("doing", "")), float(said["share"])
                    )
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
