"""Models in use, each of which another may replace between two frames.

A stage asks ``Models`` for a model by name and holds what it gets, a ``Served``, whose ``model`` is
one reference. ``swap`` loads the new model for every such stage first, tried out and warm, and then
changes the references: a frame runs on the old model or on the new one, and none waits or is lost.
The old one is freed when the last frame leaves it.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.batcher import Batchers
from engines.fit import Threshold
from engines.image import Image, image_of
from engines.inference import Inference
from engines.manifest import Manifest, find
from engines.model import Model, load
from engines.placement import Size
from engines.samples import Samples
from engines.store.engines import ABOUT, get
from mirante.detections import Detections


class SwapError(ValueError):
    """A model cannot take another's place; the message says why."""


@dataclass(frozen=True, slots=True)
class InUse:
    """The model that runs under a name.

    Attributes:
        name: what stages ask for: a zoo model or the path of a manifest.
        runs: what runs in its place, the same or another; also such a name.
        runtime: what executes it.
        precision: of the engine; ``as published`` of a file that was not built here.
        parity: ``source``, or for an engine ``proved`` or ``pending``.
        before: what ran before, latest last.
    """

    name: str
    runs: str
    runtime: str
    precision: str
    parity: str
    before: tuple[str, ...] = ()


@dataclass(slots=True)
class _Entry:
    runs: str
    before: tuple[str, ...] = ()
    since_s: float = field(default_factory=time.time)
    samples: Samples | None = None
    stages: weakref.WeakSet[Served] = field(default_factory=weakref.WeakSet)


class Served:
    """One stage's model, from ``Models.serve``; called by one thread, replaced by any.

    Attributes:
        model: what runs now. Take it once per frame.
        by_s: when what ``run`` finds in the next frame is wanted: see a model's call.
        load: another model for this stage, tried out; an engine passes its gate the first time.
        on: run on the crops of this class.
    """

    def __init__(
        self, entry: _Entry, model: Model, load: Callable[[str], Model], on: str | None
    ) -> None:
        self.model, self.load, self.on = model, load, on
        self.by_s: float | None = None
        self._entry = entry

    def run(
        self,
        rgb: NDArray[np.uint8] | Image,
        source: Size,
        detections: Detections,
        model: Model | None = None,
    ) -> tuple[Model, Inference]:
        """Run on a frame, and offer what the model saw of it where frames are collected.

        Other arguments and errors are those of ``Model.__call__``.

        Args:
            rgb, source, detections: as of that.
            model: the one that runs on other parts of the frame; None for what runs now.

        Returns:
            The model that ran, as another may have taken its place by then, and what it found.
        """
        model = model or self.model
        found = model(rgb, source, detections, self.by_s)
        samples = self._entry.samples
        if samples is None or (samples.only_found and found.is_empty):
            return model, found
        if samples.is_due():  # else no frame is converted to RGB
            for picture in model.pictures(image_of(rgb).pixels, source, detections):
                samples.offer(picture)
        return model, found


class Models:
    """The models of stages that belong together: a worker's, or one launch line's.

    They share the batches of engines on a GPU, and each name is swapped for all of them.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._batchers = Batchers()
        self._lock = threading.Lock()
        # One swap at a time; loading takes seconds and must not hold up a stage.
        self._swaps = threading.Lock()

    def serve(
        self, name: str, threads: int = 1, threshold: Threshold = None, on: str | None = None
    ) -> Served:
        """Load what runs under a name, for one stage.

        Args:
            name: zoo name, or path of a manifest.
            threads: inside one inference.
            threshold: minimum score, of all labels or by label; None for the manifest's.
            on: run on the crops of this class.

        Raises:
            as ``engines.load``.
        """
        entry = self._entry(name)
        another = partial(self._load, threads=threads, threshold=threshold, on=on)
        while True:
            runs = entry.runs
            served = Served(entry, another(runs), another, on)
            with self._lock:
                if entry.runs == runs:  # else it was swapped meanwhile
                    entry.stages.add(served)
                    return served

    def use(self, name: str, runs: str, before: tuple[str, ...] = ()) -> None:
        """Say what runs under a name before any stage asks for it."""
        with self._lock:
            entry = self._entries.setdefault(name, _Entry(runs))
            entry.runs, entry.before = runs, before

    def restore(self, name: str, runs: str, before: tuple[str, ...]) -> None:
        """Repeat an earlier swap, also where stages of that name run already.

        Raises:
            as ``engines.load``, when it cannot be loaded any more.
        """
        self._load(runs)
        with self._swaps:
            self._replace(name, self._entry(name), runs, before)

    def swap(self, name: str, to: str) -> str:
        """Put another model, version or engine in the place of what runs under a name.

        Its architecture may be another: input, decoder, runtime. Its task may not, unless one finds
        what the other does and more (masks or key points of boxes), and labels that a threshold or
        a later stage's ``on`` refers to must still be there.

        Args:
            name: what stages ask for.
            to: a zoo model, or the path of a manifest.

        Returns:
            What changed, in words.

        Raises:
            SwapError: nothing runs under that name, or ``to`` cannot take its place.
            as ``engines.load``, when it cannot be loaded; the running model stays.
        """
        with self._swaps:
            entry = self._running(name)
            return self._replace(name, entry, to, (*entry.before, entry.runs))

    def put(self, name: str, to: str) -> str:
        """Do as ``swap``, also where nothing runs under that name now: it is for later stages.

        Raises:
            as ``swap``, but for a name under which nothing runs.
        """
        with self._swaps:
            entry = self._entry(name)
            if not entry.stages:
                self._load(to)  # what does not load is no stage's trouble
            return self._replace(name, entry, to, (*entry.before, entry.runs))

    def rollback(self, name: str) -> str:
        """Go back to what ran before the last ``swap``; returns its name.

        Raises:
            SwapError: nothing runs under that name, or nothing else did before.
        """
        with self._swaps:
            entry = self._running(name)
            if not entry.before:
                raise SwapError(f"model {name}: nothing to go back to; it runs as it was started")
            *before, to = entry.before
            self._replace(name, entry, to, tuple(before))
            return to

    def collect(self, name: str, count: int, every_s: float, only_found: bool = False) -> Samples:
        """Keep some of the frames that a model sees from now on, until ``discard``.

        Args:
            name: of the model.
            count: enough.
            every_s: minimum seconds between two.
            only_found: keep only those in which it finds something.
        """
        samples = self._entry(name).samples = Samples(count, every_s, only_found)
        return samples

    def discard(self, name: str) -> None:
        """Keep no more frames."""
        self._entry(name).samples = None

    def runs(self, name: str) -> str:
        """Return what runs under a name, or would if a stage asked for it."""
        with self._lock:
            entry = self._entries.get(name)
            return entry.runs if entry else name

    def in_use(self) -> tuple[InUse, ...]:
        """Return what runs, by name; names that no stage holds any more are left out."""
        with self._lock:
            entries = {name: entry for name, entry in sorted(self._entries.items()) if entry.stages}
        return tuple(_told(name, entry) for name, entry in entries.items())

    def _load(
        self, runs: str, threads: int = 1, threshold: Threshold = None, on: str | None = None
    ) -> Model:
        _prove(runs)
        return load(runs, threads=threads, threshold=threshold, on=on, batchers=self._batchers)

    def _entry(self, name: str) -> _Entry:
        with self._lock:
            return self._entries.setdefault(name, _Entry(name))

    def _running(self, name: str) -> _Entry:
        with self._lock:
            running = [each for each, entry in self._entries.items() if entry.stages]
            if name not in running:
                there = f"there are {', '.join(sorted(running))}" if running else "none does"
                raise SwapError(f'no model "{name}" runs here; {there}')
            return self._entries[name]

    def _replace(self, name: str, entry: _Entry, to: str, before: tuple[str, ...]) -> str:
        """Load ``to`` for every stage of ``name``, then change them all, and what later ones get.

        It is one step under the lock: no stage may come in between with what ran before.
        """
        old, new = find(entry.runs), find(to)
        self._check(name, old, new)
        ready: dict[Served, Model] = {}
        while True:
            with self._lock:
                missing = [stage for stage in entry.stages if stage not in ready]
                if not missing:
                    for stage, model in ready.items():
                        stage.model = model
                    entry.runs, entry.before, entry.since_s = to, before, time.time()
                    return _words(old, new)
            for stage in missing:
                ready[stage] = stage.load(to)

    def _check(self, name: str, old: Manifest, new: Manifest) -> None:
        if not _alike(old, new):
            raise SwapError(f"model {name}: expected {old.maker}, but {new.name} is {new.maker}")
        gone = set(old.box_labels) - set(new.box_labels)
        with self._lock:
            stages = [(each, stage.on) for each, e in self._entries.items() for stage in e.stages]
        for each, on in stages:
            if on in gone:
                raise SwapError(
                    f"model {name}: {new.name} does not find {on}, on which {each} runs; "
                    f"it finds {', '.join(new.box_labels)}"
                )


def _alike(old: Manifest, new: Manifest) -> bool:
    """Return whether both find the same, or one of them masks or key points besides."""
    kinds = [sorted((part.kind for part in m.parts), key=lambda k: k.task) for m in (old, new)]
    return len(kinds[0]) == len(kinds[1]) and all(
        issubclass(one, other) or issubclass(other, one) for one, other in zip(*kinds, strict=True)
    )


def _told(name: str, entry: _Entry) -> InUse:
    facts = _facts(entry.runs, entry.since_s)
    return InUse(name, entry.runs, *facts, entry.before)


@lru_cache(maxsize=64)
def _facts(runs: str, _since_s: float) -> tuple[str, str, str]:
    """Runtime, precision and parity, read once a swap: a worker asks several times a second."""
    about = about_engine(runs)
    precision, parity = "as published", "source"
    if about is not None:
        precision = str(about["request"]["precision"])
        parity = "proved" if about["parity"]["engine"] else "pending"
    return find(runs).runs_on, precision, parity


def about_engine(runs: str) -> Mapping[str, Any] | None:
    """Return ``build.json`` if ``runs`` is the manifest of an engine, else None."""
    path = Path(runs).with_name(ABOUT)
    if not runs.endswith(".yaml") or not path.is_file():
        return None
    about: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return about


def _prove(runs: str) -> None:
    """Puts an engine that was built elsewhere through the gate, on the device that is here.

    Raises:
        ParityError: it finds something else than its source.
        RuntimeError: it cannot be run here, or is not in the store.
    """
    about = about_engine(runs)
    if about is None or about["parity"]["engine"]:
        return
    from engines.builder.build import prove

    engine = get(str(about["key"]))
    if engine is None:
        raise RuntimeError(f"engine {about['key']}: not proved, and not in the store; build it")
    prove(engine)


def _words(old: Manifest, new: Manifest) -> str:
    """Return what has changed."""
    pairs = {
        "model": (old.name, new.name),
        "runtime": (old.runs_on, new.runs_on),
        "input": ("x".join(map(str, old.input.size)), "x".join(map(str, new.input.size))),
        "decoder": (old.decoders, new.decoders),
        "labels": (", ".join(old.every_label), ", ".join(new.every_label)),
    }
    changes = [f"{key} {was} → {now}" for key, (was, now) in pairs.items() if was != now]
    return "; ".join(changes) or "nothing but the file"
