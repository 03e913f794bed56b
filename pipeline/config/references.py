"""What a configuration names must exist: models, their classes, and stages of the user's own."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engines.manifest import Manifest, ManifestError, find
from engines.names import UnknownNameError, resolve
from engines.store.models import show as show_model
from mirante.nearest import nearest
from pipeline.config.camera import Camera
from pipeline.config.messages import show
from pipeline.config.stages.model import ModelStage
from pipeline.config.stages.own import PythonStage


def check_stages(stages: Sequence[ModelStage | PythonStage], path: str) -> Iterator[str]:
    """A line for each name in a list of stages that stands for nothing.

    Args:
        stages: in the order in which a frame passes them.
        path: key of the list, such as ``cameras.gate.stages``.
    """
    classes: list[str] | None = []  # that earlier stages may find; None when that is unknown
    for index, stage in enumerate(stages):
        here = f"{path}[{index}]"
        if isinstance(stage, PythonStage):
            yield from _check_own(stage, here)
            classes = None
            continue
        try:
            manifest = find(stage.model)
        except ManifestError as error:
            words = str(error).removeprefix(f'no model "{stage.model}"; ')
            words = words.removeprefix(f"{stage.model}: ")
            yield f"{here}.model: {show(stage.model)} — {words}"
            classes = None
            continue
        yield from _check_model(stage, manifest, classes, here)
        if manifest.task == "detect" and classes is not None:
            classes += [label for label in manifest.labels if label not in classes]


def check_blur(
    blur: Sequence[str], stages: Sequence[ModelStage | PythonStage], path: str
) -> Iterator[str]:
    """A line for each class to blur that no stage finds: it would be shown to everybody.

    Nothing is said where a stage of the user's own, or one whose model is not known, may find it.

    Args:
        blur: the classes.
        stages: the camera's, with what it inherits.
        path: key of the list of classes, such as ``cameras.gate.preview.blur``.
    """
    found: list[str] = []
    for stage in stages:
        if isinstance(stage, PythonStage):
            return
        try:
            manifest = find(stage.model)
        except ManifestError:
            return
        if manifest.task != "classify":  # whose labels say what a box is like, not where it is
            found += [label for label in manifest.labels if label not in found]
    for index, label in enumerate(blur):
        if label not in found:
            hint = nearest(label, found) if found else "it has none"
            yield (
                f"{path}[{index}]: {show(label)} — expected a class that a stage of the camera "
                f"finds; {hint}"
            )


def check_source(camera: Camera, path: str) -> Iterator[str]:
    """A line for an address with what only its source knows to be wrong, as in ``test://``.

    Args:
        camera: with the address.
        path: key of the address, such as ``cameras.gate.url``.
    """
    from pipeline.cameras.sources import source_of

    try:
        source_of(camera)
    except ValueError as error:
        yield f"{path}: {show(str(camera.url))} — {error}"


def search_in(*folders: Path) -> None:
    """Lets ``module:Class`` of a stage be found in these folders, behind all that is installed."""
    sys.path += [str(f.resolve()) for f in folders if str(f.resolve()) not in sys.path]


def _check_model(
    stage: ModelStage, manifest: Manifest, classes: list[str] | None, here: str
) -> Iterator[str]:
    if _is_nowhere(stage.model, manifest):
        yield (
            f"{here}.model: {show(stage.model)} — {manifest.file} is not on this machine and has "
            f"no address to fetch it from; see: mirante models show {stage.model}"
        )
    if stage.on is None and manifest.task == "classify":
        yield (
            f"{here}.on: nothing — {show(stage.model)} classifies boxes: expected a class that an "
            "earlier stage finds, such as person"
        )
    elif stage.on is None and manifest.is_for_crops:
        yield (
            f"{here}.on: nothing — {show(stage.model)} runs on crops: expected a class that an "
            "earlier stage finds, such as face"
        )
    if stage.on is not None and classes is not None and stage.on not in classes:
        hint = nearest(stage.on, classes) if classes else "no stage before it finds boxes"
        yield f"{here}.on: {show(stage.on)} — expected a class that an earlier stage finds; {hint}"
    if isinstance(stage.threshold, dict):
        for label in stage.threshold:
            if label not in manifest.labels:
                hint = nearest(label, manifest.labels)
                yield f"{here}.threshold.{label}: no class of {manifest.name} — {hint}"


def _is_nowhere(model: str, manifest: Manifest) -> bool:
    """The model's file is not on this machine, and cannot be fetched at the start either."""
    return manifest.url is None and show_model(model)[1].place is None


def _check_own(stage: PythonStage, here: str) -> Iterator[str]:
    try:
        factory: Any = resolve("stage", stage.python, {})
    except UnknownNameError as error:
        words = str(error).removeprefix(f'stage "{stage.python}": ')
        yield f"{here}.python: {show(stage.python)} — {words}"
        return
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything on import
        yield f"{here}.python: {show(stage.python)} — {type(error).__name__} on import: {error}"
        return
    try:
        inspect.signature(factory).bind(**stage.options)
    except TypeError as error:
        yield f"{here}.options: {error} — expected {stage.python}{inspect.signature(factory)}"
    except ValueError:  # a class written in C tells no signature
        return
