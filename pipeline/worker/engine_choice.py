"""Which engine a model gets: the one that is configured, or the fastest on this processor."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.manifest import ManifestError
from engines.store import engines as shelf
from engines.store.engines import Engine as Built
from engines.store.verdicts import Verdict
from pipeline.config.engine import AUTO, CAMERAS, Engine

log = logging.getLogger(__name__)

_NEEDED = ("openvino", "onnx", "onnxslim")  # the extra openvino
_PROVING = 3  # one frame in three proves and measures, where the others calibrate
_MORE = 3  # times as many frames are kept where they calibrate too


class NotBuiltError(RuntimeError):
    """The child process built no engine; the message is its own."""


@dataclass(frozen=True, slots=True)
class Provided:
    """What a model runs as.

    Attributes:
        engine: in its place; None for the model's own file.
        words: why, where there was a choice.
    """

    engine: Built | None
    words: str = ""

    @property
    def is_ready(self) -> bool:
        """True if no frames are needed to prove it."""
        return self.engine is None or self.engine.is_proved


class Choice(Protocol):
    """The way to an engine.

    Attributes:
        frames: how many times the usual number of frames it wants.
        only_found: it wants frames in which the model finds something.
        all_frames: it waits for all of them, however long that takes.
        forgiven: errors of ``find`` that stop no worker from starting; the model runs as it is.
    """

    frames: int
    only_found: bool
    all_frames: bool
    forgiven: tuple[type[Exception], ...]

    def applies(self, model: str) -> bool:
        """Return whether the model can get an engine in this way."""

    def find(self, model: str) -> Provided | None:
        """Return what is there already."""

    def ask(self, model: str, folder: Path, pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
        """Write what a child process needs into a folder; return its arguments."""

    def read(self, model: str, said: Mapping[str, Any]) -> Provided:
        """Return what the child process made, from the last line that it wrote."""


def choice_of(settings: Engine, threads: int) -> Choice | None:
    """Return how models get engines; None where they run as they are."""
    if settings.runtime is None:
        return None
    if settings.runtime != AUTO:
        return Configured(settings)
    if all(find_spec(name) is not None for name in _NEEDED):
        return Fastest(settings.calibrate, threads)
    if "runtime" in settings.model_fields_set:
        log.info(
            "engine.runtime: auto: models run as they are, as there is nothing to choose from: "
            'pip install "mirante[openvino]"'
        )
    return None


class Configured:
    """The engine that the section ``engine`` describes."""

    frames, only_found, all_frames = 1, False, False
    forgiven: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, settings: Engine) -> None:
        self._settings = settings

    def applies(self, model: str) -> bool:
        """Return True: what cannot be built fails, and says so."""
        del model
        return True

    def find(self, model: str) -> Provided | None:
        """Return the engine of the store.

        Raises:
            ValueError, ImportError, RuntimeError: no engine of that kind can be made here.
        """
        from engines.builder.build import find

        engine = find(self._request(model, None))
        return None if engine is None else Provided(engine)

    def ask(self, model: str, folder: Path, pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
        """Write the request and the frames."""
        frames = _saved(folder / "frames.npz", pictures)
        return [_written(folder, self._request(model, frames).to_json())]

    def read(self, model: str, said: Mapping[str, Any]) -> Provided:
        """Return the engine that was built."""
        del said
        found = self.find(model)
        if found is None:
            raise NotBuiltError("the engine that was built is not in the store")
        return found

    def _request(self, model: str, frames: str | None) -> Any:
        from engines.builder.request import Request

        asked = self._settings
        assert asked.runtime is not None
        return Request(
            model=model,
            runtime=asked.runtime,
            precision=asked.precision,
            calibrate=asked.calibrate,
            frames=frames,
            batch=asked.batch,
            refit=asked.refit,
            compatible=asked.compatible,
            dla=asked.dla,
            store=asked.store,
        )


class Fastest:
    """The fastest of the engines that agree with the model, measured once and remembered."""

    only_found = True
    forgiven: tuple[type[Exception], ...] = (Exception,)  # nobody needs it to have been asked for

    def __init__(self, calibrate: str | None, threads: int) -> None:
        self._calibrate, self._threads = calibrate, threads
        self.all_frames = calibrate == CAMERAS  # few set no scales, and prove less
        self.frames = _MORE if self.all_frames else 1

    def applies(self, model: str) -> bool:
        """Return whether there is a choice: not on a server, nor for a file of another runtime."""
        from engines.builder.contest import applies_to

        try:
            return applies_to(model)
        except ManifestError:  # its stage will say so
            return False

    def find(self, model: str) -> Provided | None:
        """Return what an earlier contest found."""
        from engines.builder.contest import remembered

        verdict = remembered(self._contest(model, None, self._calibrate))
        return None if verdict is None else _provided(verdict)

    def ask(self, model: str, folder: Path, pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
        """Write the contest and the frames, some of which calibrate if cameras are to."""
        proving, calibrate = list(pictures), self._calibrate
        if calibrate == CAMERAS:
            proving = list(pictures[::_PROVING])
            others = [rgb for place, rgb in enumerate(pictures) if place % _PROVING]
            calibrate = _saved(folder / "calibration.npz", others)
        asked = self._contest(model, _saved(folder / "frames.npz", proving), calibrate)
        return ["--contest", _written(folder, asked.to_json())]

    def read(self, model: str, said: Mapping[str, Any]) -> Provided:
        """Return what won, and log why others did not take part."""
        verdict = msgspec.convert(said["verdict"], Verdict)
        for way in verdict.measured:
            if way.words:
                log.info("model %s: %s takes no part: %s", model, way.name, way.words)
        return _provided(verdict)

    def _contest(self, model: str, frames: str | None, calibrate: str | None) -> Any:
        from engines.builder.request import Contest

        return Contest(
            model=model,
            frames=frames,
            threads=self._threads,
            calibrate=calibrate,
            by_cameras=self._calibrate == CAMERAS,
        )


def _provided(verdict: Verdict) -> Provided:
    key = verdict.winner.engine
    engine = None if key is None else shelf.get(key)
    if key is not None and engine is None:
        raise NotBuiltError(f"engine {key} is fastest, and is not in the store any more")
    return Provided(engine, _words(verdict))


def _words(verdict: Verdict) -> str:
    failed = [f"{way.name}: {way.words}" for way in verdict.measured if way.ms is None]
    if failed and len(failed) + 1 == len(verdict.measured):
        return f"nothing else could be measured: {'; '.join(failed)}"
    return f"{verdict.winner.name} is fastest here: {verdict.words()}"


def _saved(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> str:
    np.savez(path, *pictures)
    return str(path)


def _written(folder: Path, text: str) -> str:
    path = folder / "request.json"
    path.write_text(text, encoding="utf-8")
    return str(path)
