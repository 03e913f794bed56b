"""Contents of a camera's retained topics, made from its newest entries alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bridges.mqtt.topics import Topics
from mirante.status import Status
from mirante.zones import LineCount, ZoneCount
from pipeline.control.entries import Desired


class _Object(msgspec.Struct):
    label: str


class Frame(msgspec.Struct):
    """A message of the kind ``detections``, as far as it is needed here."""

    objects: list[_Object] = []
    zones: dict[str, ZoneCount] = {}
    lines: dict[str, LineCount] = {}


@dataclass(slots=True)
class Camera:
    """What is known of a camera.

    Attributes:
        name: its name.
        desired: its entry; None of a pipeline of the user's own.
        status: its newest state.
        frame: its newest results.
        text: their JSON as published.
        entry: the ID of their entry.
        classes: those that were seen so far, or are to be counted.
    """

    name: str
    desired: Desired | None = None
    status: Status | None = None
    frame: Frame | None = None
    text: bytes = b""
    entry: bytes = b""
    classes: set[str] = field(default_factory=set)

    @property
    def is_paused(self) -> bool:
        """True where somebody has paused it."""
        return self.desired is not None and self.desired.paused

    @property
    def is_running(self) -> bool:
        """True while it gives results."""
        return self.status is not None and self.status.state == "running" and not self.is_paused

    def stages(self, key: str) -> list[dict[str, Any]]:
        """Return the stages of its own that have a key."""
        stages = self.desired.spec.get("stages") if self.desired is not None else None
        return [
            dict(stage) for stage in stages or () if isinstance(stage, Mapping) and key in stage
        ]

    def thresholds(self) -> dict[str, list[Any]]:
        """Return which minimum scores the stages of each model have, each once."""
        found: dict[str, list[Any]] = {}
        for stage in self.stages("model"):
            said = found.setdefault(str(stage["model"]), [])
            if (score := stage.get("threshold")) not in said:
                said.append(score)
        return found

    def rules(self, key: str) -> dict[str, Any]:
        """Return its zones, or lines, as they are configured."""
        return {name: rule for stage in self.stages("zones") for name, rule in
                (stage.get(key) or {}).items()}  # fmt: skip


def kept(camera: Camera, topics: Topics, only: Iterable[str] = ()) -> dict[str, bytes]:
    """Return the payload of each topic that the broker keeps for a camera.

    Args:
        camera: as it is now.
        topics: their names.
        only: classes that are counted; all that were seen where it names none.
    """
    said: dict[str, bytes] = {}
    if (state := _state(camera)) is not None:
        said[topics.of(camera.name, "state")] = state
    if camera.frame is None:
        return said
    found = Counter(each.label for each in camera.frame.objects)
    camera.classes |= set(only) or set(found)
    for label in sorted(camera.classes):
        said[topics.of(camera.name, "counts", label)] = str(found[label]).encode()
    for name, zone in camera.frame.zones.items():
        for what, value in _zone(zone):
            said[topics.of(camera.name, "zones", name, what)] = value
    for name, line in camera.frame.lines.items():
        said[topics.of(camera.name, "lines", name, "in")] = str(line.in_).encode()
        said[topics.of(camera.name, "lines", name, "out")] = str(line.out).encode()
    return said


def _state(camera: Camera) -> bytes | None:
    if camera.is_paused:
        paused = {"camera": camera.name, "state": "stopped", "reason": "paused"}
        return msgspec.json.encode(paused)
    if camera.status is None:
        return None
    said = msgspec.structs.replace(camera.status, counts=None)
    return msgspec.json.encode(said)


def _zone(zone: ZoneCount) -> Iterable[tuple[str, bytes]]:
    yield "inside", str(zone.inside).encode()
    yield "entered", str(zone.entered).encode()
    yield "left", str(zone.left).encode()
    yield "dwell_s", f"{zone.dwell_s:.0f}".encode()
    yield "crowded", b"ON" if zone.crowded else b"OFF"
    if zone.queue is not None:
        yield "queue", str(zone.queue).encode()
