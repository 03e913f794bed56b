"""Find the runtime that runs a model fastest on this processor: build, prove, measure each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import cycle
from typing import Any

from msgspec.structs import replace

from engines.builder.build import build
from engines.builder.builders import Precision, Told, between
from engines.builder.frames import Rgb, identity, read_pictures
from engines.builder.request import Contest, Request
from engines.files import digest_of
from engines.made import network_of
from engines.manifest import find
from engines.model import load
from engines.processor import processor
from engines.store import engines as shelf
from engines.store import verdicts
from engines.store.verdicts import Measured, Verdict

RUNTIME = "onnxruntime"  # what runs an ONNX file as it is
Runs = Callable[[Rgb], object]  # a model, loaded
_LIBRARIES = ("onnxruntime", "openvino", "onnx", "onnxslim")
_RECIPE = 1  # raised when the same would be measured in another way
_SECONDS = 8.0  # of processor time
_ROUNDS = (5, 200)
_GAIN = 0.95  # of what runs already: less is not worth another engine


def applies_to(model: str) -> bool:
    """Return whether other engines can be made of a model: of an ONNX file that ONNX Runtime runs.

    Raises:
        ManifestError: no such model.
    """
    manifest = find(model)
    return manifest.server is None and manifest.runs_on == RUNTIME


def remembered(contest: Contest) -> Verdict | None:
    """Return the verdict of an earlier contest, if its engine is still there.

    Raises:
        ManifestError, ModelUnavailableError: there is no such model, or no file of it.
        OSError: its file or the images of the calibration cannot be read.
    """
    verdict = verdicts.get(_key(contest, _facts(contest)))
    if verdict is None or verdict.winner.engine is None:
        return verdict
    engine = shelf.get(verdict.winner.engine)
    return verdict if engine is not None and engine.is_proved else None


def hold(contest: Contest, told: Told) -> Verdict:
    """Build, prove and measure each way to run a model, and remember what is fastest.

    What cannot be built, or disagrees with the model, takes no part, and the verdict says why. The
    verdict is not remembered if a file could not be read or written, as such an error may pass.

    Args:
        contest: the model, and the images.
        told: as of ``build``.

    Raises:
        as ``engines.load``, where the model does not run as it is.
        OSError: the images cannot be read.
    """
    images = read_pictures(contest.frames, 16)
    asked = _requests(contest)
    ways = [Measured(runtime=RUNTIME, precision="as published")]
    models: dict[int, Runs] = {0: load(contest.model)}
    passes = False  # something failed that need not fail again
    for place, request in enumerate(asked, 1):
        way = Measured(runtime=request.runtime, precision=request.precision)
        begin, end = (place - 1) / (len(asked) + 1), place / (len(asked) + 1)
        told(begin, f"building {way.name}")
        try:
            engine = build(request, between(told, begin, end, f"{way.name}: "))
            models[place] = load(str(engine.manifest))
            models[place](images[0])
            way = replace(way, engine=engine.key)
        except Exception as error:  # noqa: BLE001 the others take part, whatever it is
            models.pop(place, None)
            passes = passes or isinstance(error, OSError | MemoryError)
            way = replace(way, words=" ".join(str(error).split()) or type(error).__name__)
        ways.append(way)
    # On a busy machine this takes long: progress is reported, so that it does not seem to hang.
    last = between(told, len(asked) / (len(asked) + 1), 1.0)
    costs = measure(models, images, told=lambda share: last(share, "measuring"))
    measured = tuple(replace(way, ms=costs.get(place)) for place, way in enumerate(ways))
    facts = _facts(contest)
    verdict = Verdict(
        model=contest.model,
        facts=facts,
        measured=measured,
        fastest=_fastest(costs),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if not passes:
        verdicts.keep(_key(contest, facts), verdict)
    return verdict


def measure(
    models: Mapping[int, Runs],
    images: Sequence[Rgb],
    seconds: float = _SECONDS,
    told: Callable[[float], None] = lambda _: None,
) -> dict[int, float]:
    """Return each model's median processor time per frame, in milliseconds.

    They run in turn, so that a slow moment affects all of them. What counts is the time of this
    process on any core, not the time on the clock, which a busy machine stretches.

    Args:
        models: loaded, by number; each is run once before it counts.
        images: taken in turn.
        seconds: of processor time, after which no further round begins; five rounds are run.
        told: called before each model that runs for the first time, and each round, with the
            share done.
    """
    for model in models.values():
        told(0.0)
        model(images[0])
    taken: dict[int, list[float]] = {number: [] for number in models}
    began_s = time.process_time()
    for done, rgb in enumerate(cycle(images)):
        spent_s = time.process_time() - began_s
        if done >= _ROUNDS[1] or (done >= _ROUNDS[0] and spent_s > seconds):
            break
        told(max(done / _ROUNDS[1], min(done / _ROUNDS[0], spent_s / max(seconds, 1e-9))))
        for number, model in models.items():
            before_s = time.process_time()
            model(rgb)
            taken[number].append(time.process_time() - before_s)
    return {number: 1e3 * statistics.median(each) for number, each in taken.items()}


def _fastest(costs: Mapping[int, float]) -> int:
    """Return what shall run: the model's own file (0) where nothing is clearly cheaper."""
    best = min(costs, key=lambda number: costs[number])
    return best if costs[best] <= _GAIN * costs[0] else 0


def _requests(contest: Contest) -> list[Request]:
    """Return the engines that take part."""
    ways: list[tuple[str, Precision]] = [("openvino", "fp32")]
    if contest.calibrate is not None:
        ways += [("openvino", "int8"), (RUNTIME, "int8")]
    return [
        Request(
            model=contest.model,
            runtime=runtime,
            precision=precision,
            frames=contest.frames,
            calibrate=contest.calibrate if precision == "int8" else None,
        )
        for runtime, precision in ways
    ]


def _key(contest: Contest, facts: Mapping[str, Any]) -> str:
    return verdicts.key_of(find(contest.model).name, facts)


def _facts(contest: Contest) -> dict[str, Any]:
    """Return all that a verdict depends on."""
    manifest, path = network_of(find(contest.model))
    images = None if contest.by_cameras else contest.calibrate
    return {
        "recipe": _RECIPE,
        "model": digest_of(path),
        "input": manifest.input.model_dump(mode="json"),
        "processor": processor(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "threads": contest.threads,
        "calibrate": images and identity(images),
        "by_cameras": contest.by_cameras,
    }
