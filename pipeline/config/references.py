"""Check that what a configuration names exists: models, their classes, and own stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mirante.nearest import nearest
from pipeline.config.camera import Camera
from pipeline.config.camera_url import ADDRESSES
from pipeline.config.events import Events
from pipeline.config.messages import show
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import (
    Earlier,
    FactsOf,
    Labels,
    ModelFacts,
    UnknownModelError,
    facts_here,
    zoo_here,
)


def check_stages(
    stages: Sequence[StageKind], path: str, facts_of: FactsOf | None = None
) -> Iterator[str]:
    """A line for each name in a list of stages that stands for nothing.

    Args:
        stages: in the order in which a frame passes them.
        path: key of the list, such as ``cameras.gate.stages``.
        facts_of: what another machine says of its models; None asks this one, also for what else
            the stages name.
    """
    earlier = Earlier()
    for index, stage in enumerate(stages):
        here = f"{path}[{index}]"
        facts, unknown = _facts(stage, facts_of or facts_here)
        yield from (f"{here}.{line}" for line in unknown)
        if facts is None:
            earlier = Earlier(None, None, (*earlier.kinds, stage.key()), owned=True)
            continue
        if facts_of is None:
            yield from stage.check_here(here)
        yield from stage.check(here, earlier, facts)
        earlier = _after(earlier, stage, facts)


def check_blur(
    blur: Sequence[str],
    stages: Sequence[StageKind],
    path: str,
    zoo: Mapping[str, ModelFacts] | None = None,
) -> Iterator[str]:
    """A line for each class to blur that no stage finds: it would be shown to everybody.

    Nothing is said where a stage of the user's own, or one whose model is not known, may find it.

    Args:
        blur: the classes.
        stages: the camera's, with what it inherits.
        path: key of the list of classes, such as ``cameras.gate.preview.blur``.
        zoo: what another machine says of its models, by name; None asks this one.
    """
    yield from _check_found({f"{path}[{i}]": blur[i] for i in range(len(blur))}, stages, zoo)


def check_events(
    events: Events,
    stages: Sequence[StageKind],
    path: str,
    zoo: Mapping[str, ModelFacts] | None = None,
) -> Iterator[str]:
    """A line for each class of events that no stage finds. Those of objects are read where
    objects are tracked.

    Args:
        events: the camera's, with what it inherits.
        stages, zoo: as of ``check_blur``.
        path: key of the events, such as ``cameras.gate.events``.
    """
    named: dict[str, str] = {}
    if any((stage.happens or {}).get("tracked") for stage in stages):
        named = {f"{path}.classes[{i}]": label for i, label in enumerate(events.classes)}
    named |= {f"{path}.nothing_seen.{label}": label for label in events.nothing_seen}
    yield from _check_found(named, stages, zoo)


def _check_found(
    named: Mapping[str, str], stages: Sequence[StageKind], zoo: Mapping[str, ModelFacts] | None
) -> Iterator[str]:
    """A line for each class, by the key that names it, that no stage finds."""
    found: list[str] = []
    for stage in stages:
        labels = _labels(stage, facts_here if zoo is None else zoo.get)
        if labels is None:
            return
        found += [label for label in (*labels.boxes, *labels.masks) if label not in found]
    for path, label in named.items():
        if label not in found:
            hint = nearest(label, found) if found else "it has none"
            finders = _finders(label, zoo_here() if zoo is None else zoo)
            more = f"; models that find it: {', '.join(finders)}" if finders else ""
            yield (
                f"{path}: {show(label)} — expected a class that a stage of the camera "
                f"finds; {hint}{more}"
            )


def check_source(camera: Camera, path: str) -> Iterator[str]:
    """A line for an address with what only its source knows to be wrong, as in ``test://``.

    Args:
        camera: with the addresses.
        path: its key, such as ``cameras.gate``.
    """
    for key in ADDRESSES:
        url = getattr(camera, key)
        try:
            if url is not None:
                url.kind.check_query(url.query)
                url.kind.check(url)
        except ValueError as error:
            yield f"{path}.{key}: {show(str(url))} — {error}"


def search_in(*folders: Path) -> None:
    """Lets ``module:Class`` of a stage be found in these folders, behind all that is installed."""
    sys.path += [str(f.resolve()) for f in folders if str(f.resolve()) not in sys.path]


def _facts(stage: StageKind, facts_of: FactsOf) -> tuple[dict[str, ModelFacts] | None, list[str]]:
    """Return the facts of a stage's models, None unless all are known; and a line for each that
    does not exist.
    """
    facts, unknown = {}, []
    for use in stage.models():
        try:
            known = facts_of(use.name)
        except UnknownModelError as error:
            unknown.append(f"{use.key}: {show(use.name)} — {error}")
            continue
        if known is not None:
            facts[use.name] = known
    is_whole = all(use.name in facts for use in stage.models())
    return facts if is_whole else None, unknown


def _after(earlier: Earlier, stage: StageKind, facts: Mapping[str, ModelFacts]) -> Earlier:
    """Return the findings of the stages up to this one; masks of crops are not the frame's."""
    found, kinds = stage.labels_found(facts), (*earlier.kinds, stage.key())
    if found is None or earlier.boxes is None or earlier.masks is None:
        return Earlier(None, None, kinds, owned=True)
    whole = [use.name for use in stage.models() if use.on is None and found.masks]
    owned = any(facts[use.name].masks and (use.on or found.boxes) for use in stage.models())
    return Earlier(
        tuple(dict.fromkeys((*earlier.boxes, *found.boxes))),
        {**earlier.masks, **{facts[name].name: found.masks for name in whole}},
        kinds,
        earlier.owned or owned,
    )


def _finders(label: str, zoo: Mapping[str, ModelFacts]) -> list[str]:
    """Return the models that find a class in a frame, without another model before them."""
    return [
        name
        for name, model in zoo.items()
        if label in (*model.boxes, *model.masks) and not (model.needs_boxes or model.is_for_crops)
    ]


def _labels(stage: StageKind, facts_of: FactsOf) -> Labels | None:
    """The classes that a stage finds, None where that is not known."""
    facts, _ = _facts(stage, facts_of)
    return None if facts is None else stage.labels_found(facts)
