"""Wakes cameras that are asleep when somebody says that something happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from plugins.gate.calm import Calm


class Sleeping(Protocol):
    """A camera that runs."""

    @property
    def calm(self) -> Calm:
        """How it sleeps."""


def answer_wake(cameras: Callable[[], Mapping[str, Sleeping]], request: Mapping[str, Any]) -> bytes:
    """Do what ``ask_wake`` asks for.

    Raises:
        ValueError: no such camera runs, or its models look at each frame anyway.
    """
    name = str(request["camera"])
    camera = cameras().get(name)
    if camera is None:
        raise ValueError(f'camera "{name}" does not run')
    if not camera.calm.has_gate:
        raise ValueError(f'camera "{name}" has no gate: its models look at every frame')
    camera.calm.call(float(request["seconds"]))
    return b""
