"""The progress of a build: TensorRT's nested phases as one share that never falls."""

from __future__ import annotations

from typing import Any

from engines.builder.builders import Told


class Progress:
    """Phases within phases: each takes the place of the step of its parent that it is part of.

    Attributes:
        monitor: the ``IProgressMonitor`` for a builder's configuration.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0
        self._stopped_by: BaseException | None = None
        self.monitor: Any = None

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins within another, or on its own."""
        above = self._phases.get(parent or "")
        low, high = above.step() if above else (0.0, 1.0)
        self._phases[name] = _Phase(low, high, steps)
        self._tell(low, name)

    def step(self, name: str, step: int) -> bool:
        """A step of a phase is done; False where the build is to stop."""
        phase = self._phases.get(name)
        if phase is not None:
            phase.done = step + 1
            self._tell(phase.step()[0], name)
        return self._stopped_by is None

    def finish(self, name: str) -> None:
        """A phase is done, or given up."""
        phase = self._phases.pop(name, None)
        if phase is not None:
            self._tell(phase.high, name)

    def raise_what_stopped_it(self) -> None:
        """Raises what ``told`` raised, or Ctrl-C: neither can pass through the library."""
        if self._stopped_by is not None:
            raise self._stopped_by

    def _tell(self, share: float, words: str) -> None:
        if self._stopped_by is not None:
            return
        self._share = max(self._share, min(share, 1.0))
        try:
            self._told(self._share, words[:1].lower() + words[1:])
        except BaseException as error:  # noqa: BLE001 kept, and raised when the library is done
            self._stopped_by = error


class _Phase:
    def __init__(self, low: float, high: float, steps: int) -> None:
        self.low, self.high, self.steps, self.done = low, high, max(steps, 1), 0

    def step(self) -> tuple[float, float]:
        """The share at which the step at work began, and that at which it will end."""
        width = (self.high - self.low) / self.steps
        begin = min(self.low + width * self.done, self.high)
        return begin, min(begin + width, self.high)


def progress_of(trt: Any, told: Told) -> Progress:
    """The progress of a build with this library, and its monitor."""
    progress = Progress(told)

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            progress.start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            return progress.step(name, step)

        def phase_finish(self, name: str) -> None:
            progress.finish(name)

    progress.monitor = Monitor()
    return progress
