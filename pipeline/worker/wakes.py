"""Wake sleeping cameras when somebody says that something is happening."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pipeline.cameras.state import State
from pipeline.worker.camera import Runner
from plugins.gate.calm import Calm


class Sleeping(Protocol):
    """A camera that runs."""

    @property
    def calm(self) -> Calm:
        """How it sleeps."""

    @property
    def runner(self) -> Runner:
        """What knows its state."""


def answer_wake(cameras: Callable[[], Mapping[str, Sleeping]], request: Mapping[str, Any]) -> bytes:
    """Do what ``ask_wake`` asks for; return what has been done, in words.

    Raises:
        ValueError: no such camera runs, or its models look at each frame anyway.
    """
    name = str(request["camera"])
    camera = cameras().get(name)
    if camera is None:
        raise ValueError(f'camera "{name}" does not run')
    runner, seconds = camera.runner, float(request["seconds"])
    if runner.finished:
        raise ValueError(f'camera "{name}" does not run: {runner.reason}')
    if not camera.calm.spares:
        raise ValueError(f'camera "{name}" has no gate: its models look at every frame')
    camera.calm.call(seconds)
    words = f'models look at each frame of camera "{name}" for {seconds:g} s'
    if runner.state != State.RUNNING:
        words += f", and none comes now: {': '.join(filter(None, (runner.state, runner.reason)))}"
    return words.encode()
