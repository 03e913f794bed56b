"""Models in use in this process, each of which another may replace between two frames.

A stage asks for a model by name and holds what it gets, a ``Served``, whose ``model`` is one
reference. ``swap`` loads the new model for every such stage first, tried out and warm, and then
changes the references: a frame runs on the old model or on the new one, and none waits or is lost.
The old one is freed when the last frame leaves it.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from engines.fit import Threshold
from engines.manifest import Manifest, find
from engines.model import Model, load
from engines.samples import Samples
from engines.store.engines import ABOUT, get


class SwapError(ValueError):
    """A model cannot take another's place; the message says why."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What runs under a name.

    Attributes:
        name: what stages ask for: a zoo model or the path of a manifest.
        runs: what runs in its place, the same or another; also such a name.
        runtime: what executes it.
        precision: of the engine; ``as published`` of a file that was not built here.
        parity: ``source``, or for an engine ``proved`` or ``pending``.
        since_s: Unix time of the last swap, or of the first load.
        before: what ran before, latest last.
    """

    name: str
    runs: str
    runtime: str
    precision: str
    parity: str
    since_s: float
    before: tuple[str, ...] = ()


@dataclass(slots=True)
class _Entry:
    runs: str
    before: tuple[str, ...] = ()
    since_s: float = field(default_factory=time.time)
    samples: Samples | None = None
    stages: weakref.WeakSet[Served] = field(default_factory=weakref.WeakSet)


_entries: dict[str, _Entry] = {}
_lock = threading.Lock()
_swaps = threading.Lock()  # one at a time; loading takes seconds and must not hold up a stage


class Served:
    """One stage's model; called by one thread, replaced by any.

    Args:
        name: zoo name, or path of a manifest.
        threads: inside one inference.
        threshold: least score, of all labels or by label; None for the manifest's.
        on: run on the crops of this class.

    Attributes:
        model: what runs now. Take it once per frame.

    Raises:
        as ``engines.load``.
    """

    def __init__(
        self, name: str, threads: int = 1, threshold: Threshold = None, on: str | None = None
    ) -> None:
        self.name, self.on = name, on
        self._threads, self._threshold = threads, threshold
        while True:
            runs = _entry(name).runs
            self.model = self.load(runs)
            with _lock:
                if _entries[name].runs == runs:  # else it was swapped meanwhile
                    _entries[name].stages.add(self)
                    return

    def load(self, runs: str) -> Model:
        """Another model for this stage, tried out; an engine passes its gate the first time."""
        _prove(runs)
        return load(runs, threads=self._threads, threshold=self._threshold, on=self.on)

    @property
    def samples(self) -> Samples | None:
        """Where frames are wanted now, else None."""
        return _entries[self.name].samples


def use(name: str, runs: str, before: tuple[str, ...] = ()) -> None:
    """Says what runs under a name before any stage asks for it."""
    with _lock:
        entry = _entries.setdefault(name, _Entry(runs))
        entry.runs, entry.before = runs, before


def restore(name: str, runs: str, before: tuple[str, ...]) -> None:
    """The same of a swap that was done earlier, also where stages of that name run already.

    Raises:
        as ``engines.load``, when it cannot be loaded any more.
    """
    _prove(runs)
    load(runs)
    with _swaps:
        _replace(name, _entry(name), runs, before)


def swap(name: str, to: str) -> str:
    """Puts another model, version or engine in the place of what runs under a name.

    Its architecture may be another: input, decoder, runtime. Its task may not, and labels that a
    threshold or a later stage's ``on`` refers to must still be there.

    Args:
        name: what stages ask for.
        to: a zoo model, or the path of a manifest.

    Returns:
        What changed, in words.

    Raises:
        SwapError: nothing runs under that name, or ``to`` cannot take its place.
        as ``engines.load``, when it cannot be loaded; what ran goes on.
    """
    with _swaps:
        entry = _running(name)
        return _replace(name, entry, to, (*entry.before, entry.runs))


def rollback(name: str) -> str:
    """Back to what ran before the last ``swap``; returns its name.

    Raises:
        SwapError: nothing runs under that name, or nothing else did before.
    """
    with _swaps:
        entry = _running(name)
        if not entry.before:
            raise SwapError(f"model {name}: nothing to go back to; it runs as it was started")
        *before, to = entry.before
        _replace(name, entry, to, tuple(before))
        return to


def collect(name: str, count: int, every_s: float) -> Samples:
    """Keeps some of the frames that a model sees from now on, until ``discard``."""
    entry = _entry(name)
    entry.samples = Samples(count, every_s)
    return entry.samples


def discard(name: str) -> None:
    """Keeps no more frames."""
    _entry(name).samples = None


def runs(name: str) -> str:
    """What runs under a name, or would if a stage asked for it."""
    with _lock:
        entry = _entries.get(name)
        return entry.runs if entry else name


def in_use() -> tuple[InUse, ...]:
    """What runs, by name; names that no stage holds any more are left out."""
    with _lock:
        entries = {name: entry for name, entry in sorted(_entries.items()) if entry.stages}
    return tuple(_told(name, entry) for name, entry in entries.items())


def _told(name: str, entry: _Entry) -> InUse:
    facts = _facts(entry.runs, entry.since_s)
    return InUse(name, entry.runs, *facts, entry.since_s, entry.before)


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
    """What ``build.json`` says where ``runs`` is the manifest of an engine, else None."""
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


def _entry(name: str) -> _Entry:
    with _lock:
        return _entries.setdefault(name, _Entry(name))


def _running(name: str) -> _Entry:
    with _lock:
        running = [each for each, entry in _entries.items() if entry.stages]
        if name not in running:
            there = f"there are {', '.join(sorted(running))}" if running else "none does"
            raise SwapError(f'no model "{name}" runs here; {there}')
        return _entries[name]


def _replace(name: str, entry: _Entry, to: str, before: tuple[str, ...]) -> str:
    """Loads ``to`` for every stage of ``name``, then changes them all, and what later ones get.

    It is one step under the lock: no stage may come in between with what ran before.
    """
    old, new = find(entry.runs), find(to)
    _check(name, old, new)
    ready: dict[Served, Model] = {}
    while True:
        with _lock:
            missing = [stage for stage in entry.stages if stage not in ready]
            if not missing:
                for stage, model in ready.items():
                    stage.model = model
                entry.runs, entry.before, entry.since_s = to, before, time.time()
                return _words(old, new)
        for stage in missing:
            ready[stage] = stage.load(to)


def _check(name: str, old: Manifest, new: Manifest) -> None:
    if new.task != old.task:
        raise SwapError(
            f"model {name}: expected another to {old.task}, {new.name} is to {new.task}"
        )
    gone = set(old.labels) - set(new.labels)
    with _lock:
        stages = [(each, stage.on) for each, e in _entries.items() for stage in e.stages]
    for each, on in stages:
        if old.task == "detect" and on in gone:
            raise SwapError(
                f"model {name}: {new.name} does not find {on}, on which {each} runs; "
                f"it finds {', '.join(new.labels)}"
            )


def _words(old: Manifest, new: Manifest) -> str:
    """What is another now."""
    pairs = {
        "model": (old.name, new.name),
        "runtime": (old.runs_on, new.runs_on),
        "input": ("x".join(map(str, old.input.size)), "x".join(map(str, new.input.size))),
        "decoder": (old.decoder, new.decoder),
        "labels": (", ".join(old.labels), ", ".join(new.labels)),
    }
    changes = [f"{key} {was} → {now}" for key, (was, now) in pairs.items() if was != now]
    return "; ".join(changes) or "nothing but the file"
