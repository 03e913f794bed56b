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
from engines.fit import of_parts
from engines.inference import Inference
from engines.manifest import Manifest


class ParityError(BuildError):
    """An engine finds something else than its source; the message says by how much."""


LIMITS: Mapping[Precision, Limits] = {
    "fp32": Limits(0.99, 0.95, 0.005, 0.02, 0.0, 0.02, 0.99, 0.9995),
    "fp16": Limits(0.98, 0.80, 0.02, 0.05, 0.01, 0.05, 0.98, 0.998),
    "int8": Limits(0.85, 0.50, 0.06, 0.30, 0.10, 0.10, 0.80, 0.95),
    "fp8": Limits(0.85, 0.50, 0.06, 0.30, 0.10, 0.10, 0.80, 0.95),
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
    """A model, loaded."""

    manifest: Manifest

    def of_heads(self, rgb: Rgb) -> Sequence[Inference]:
        """Return what each of its heads finds in an image."""


def compare(
    reference: Finds,
    candidate: Finds,
    pictures: Iterable[Rgb],
    limits: Limits,
    thresholds: NDArray[np.float32],
) -> dict[str, Figure]:
    """Return figures with their limits, by name; of several heads with the head's name first.

    Args:
        reference: the source in float32 by ONNX Runtime.
        candidate: what is judged, with the same heads.
        images: real ones.
        limits: see there.
        thresholds: of each label of each head, as of ``engines.fit.thresholds``.

    Raises:
        BuildError: a head finds nothing in the images, so that nothing is proved.
    """
    manifest = reference.manifest
    least = of_parts(manifest, thresholds)
    agreements = [
        part.kind.agreement(own, limits) for part, own in zip(manifest.parts, least, strict=True)
    ]
    for rgb in pictures:
        size = (rgb.shape[1], rgb.shape[0])
        found = zip(agreements, reference.of_heads(rgb), candidate.of_heads(rgb), strict=True)
        for agreement, expected, got in found:
            agreement.add(expected, got, size)
    figures: dict[str, Figure] = {}
    for name, agreement in zip(manifest.part_names, agreements, strict=True):
        own_figures = agreement.figures()
        if not own_figures:
            who = f"head {name}" if manifest.heads else "the model"
            raise BuildError(f"parity: {who} finds nothing in these images, so nothing is proved")
        lead = f"{name}: " if manifest.heads else ""
        figures |= {f"{lead}{figure}": value for figure, value in own_figures.items()}
    return figures


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
