"""The gate: what an engine finds in real images against what ONNX Runtime finds in float32.

Measured in terms of what is found, not of tensors, as each kind of ``engines.found`` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits
from engines.builder.builders import BuildError, Precision
from engines.builder.frames import Rgb
from engines.found import Found
from engines.inference import Inference


class ParityError(BuildError):
    """An engine finds something else than its source; the message says by how much."""


LIMITS: Mapping[Precision, Limits] = {
    "fp32": Limits(0.99, 0.95, 0.005, 0.02, 0.0, 0.02, 0.99),
    "fp16": Limits(0.98, 0.80, 0.02, 0.05, 0.01, 0.05, 0.98),
    "int8": Limits(0.85, 0.50, 0.06, 0.30, 0.10, 0.10, 0.80),
}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a comparison.

    Attributes:
        of: ``engine``, or ``graph`` where the engine cannot run here.
        frames: where the images came from.
        images: how many.
        figures: by name.
        limits: of the figures, by name; a figure without one is told and not judged.
        missed: what fails, in words with figure and limit; empty where it passed.
    """

    of: str
    frames: str
    pictures: int
    figures: Mapping[str, float]
    limits: Mapping[str, float]
    missed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if every figure is within its limit."""
        return not self.missed

    def to_dict(self) -> dict[str, Any]:
        """For ``build.json``."""
        return {**asdict(self), "missed": list(self.missed), "passed": self.passed}

    def __str__(self) -> str:
        return told(self.to_dict())


def told(report: Mapping[str, Any]) -> str:
    """A report as ``build.json`` has it, in words."""
    figures = ", ".join(
        _words(name, value, name not in report["limits"])
        for name, value in report["figures"].items()
    )
    return f"{figures}; {report['pictures']} images of {report['frames']}"


class Finds(Protocol):
    """A model, loaded; of ``kind`` it finds something."""

    kind: type[Found]

    def __call__(self, rgb: Rgb) -> Inference:
        """Return what it finds in an image."""


def compare(
    reference: Finds,
    candidate: Finds,
    pictures: Iterable[Rgb],
    limits: Limits,
    thresholds: NDArray[np.float32],
) -> dict[str, Figure]:
    """Return figures with their limits, by name.

    Args:
        reference: the source in float32 by ONNX Runtime.
        candidate: what is judged, with the same labels and thresholds.
        images: real ones.
        limits: see there.
        thresholds: (labels,) of the model; NaN where it has none.

    Raises:
        BuildError: there is nothing in the images, so that nothing is proved.
    """
    agreement = reference.kind.agreement(thresholds, limits)
    for rgb in pictures:
        agreement.add(reference(rgb), candidate(rgb), (rgb.shape[1], rgb.shape[0]))
    if figures := agreement.figures():
        return figures
    raise BuildError("parity: the model finds nothing in these images, so nothing is proved")


def report(of: str, frames: str, pictures: Sequence[Rgb], found: Mapping[str, Figure]) -> Report:
    """Report what ``compare`` found, naming in words what fails."""
    missed = tuple(
        f"{_words(name, each.value, False)} where {each.bound} {_number(each.limit)} is allowed"
        for name, each in found.items()
        if each.limit is not None and each.is_missed
    )
    figures = {name: each.value for name, each in found.items()}
    limits = {name: each.limit for name, each in found.items() if each.limit is not None}
    return Report(of, frames, len(pictures), figures, limits, missed)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _words(name: str, value: float, is_count: bool) -> str:
    return f"{value:.0f} {name}" if is_count else f"{name} {_number(value)}"
