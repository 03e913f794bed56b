"""Measure how far a converted model is from its source, in outputs and in findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Limits
from engines.builder.builders import BuildError
from engines.builder.frames import Rgb
from engines.builder.parity import LIMITS, compare, report
from engines.convert import GapError
from engines.convert.network import EXACT, Runs
from engines.convert.shown import NOISE
from engines.fit import thresholds
from engines.manifest import Manifest
from engines.model import Model
from engines.runtimes import Session, Tensors

# Decoders of networks that sort their boxes.
_SORTED = ("end_to_end", "mask_rcnn", "rows", "rows_obb", "rows_pose", "rows_seg", "selected")
_SMALL = 1e-12  # below this a magnitude is none


def limits_of(tolerance: float) -> Limits:
    """Return the limits for findings where outputs may differ by that share of their magnitude."""
    return LIMITS["fp32" if tolerance <= EXACT else "int8"]


def compared(
    gaps: Mapping[str, Gap],
    task: dict[str, Any],
    decoders: Sequence[str],
    pictures: int,
    where: str,
) -> dict[str, Any]:
    """The part of a report that says how far both are apart.

    Rows of boxes that a network sorts by score change places where two scores are next to equal.
    Such outputs are judged by what is found in them, and only told.
    """
    missed = [f"output {name} {gap}" for name, gap in gaps.items() if not gap.is_within]
    if set(decoders) & set(_SORTED) and "figures" in task:
        missed = []
    if (lost := task.pop("missed", None)) is not None:
        task["agrees"] = not lost
        missed += lost
    outputs = {name: {**asdict(gap), "shape": list(gap.shape)} for name, gap in gaps.items()}
    return {
        "frames": where,
        "pictures": pictures,
        "outputs": outputs,
        "task": task,
        "missed": missed,
        "passed": not missed,
    }


def refuse(name: str, than: str, about: Mapping[str, Any]) -> None:
    """Raises GapError where a report says that something was missed."""
    if about["missed"]:
        raise GapError(
            f"{name}: computes something else than {than}, and is not kept: "
            f"{'; '.join(about['missed'])} ({about['pictures']} images of {about['frames']})"
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference of one output over all images.

    Attributes:
        shape: of the last image's.
        absolute: in its own units; for whole numbers the share of those that differ.
        relative: as a share of its largest value; for whole numbers the same as ``absolute``.
        allowed: the largest ``relative``.
    """

    shape: tuple[int, ...]
    absolute: float
    relative: float
    allowed: float

    @property
    def is_within(self) -> bool:
        """True if the gap is allowed; a NaN is not."""
        return self.relative <= self.allowed

    def __str__(self) -> str:
        if np.isinf(self.relative):
            return f"another shape than {self.shape}"
        return (
            f"{self.shape}: {self.absolute:.2g}, which is {self.relative:.2g} of its magnitude; "
            f"{self.allowed:g} is allowed"
        )


def output_gaps(
    source: Runs, converted: Runs, feeds: Sequence[Tensors], allowed: float
) -> dict[str, Gap]:
    """Every output's gap, by name.

    Args:
        source, converted: what is compared.
        feeds: what both are fed, one image each.
        allowed: largest difference, as a share of an output's magnitude.
    """
    worst: dict[str, Gap] = {}
    for each in feeds:
        expected, got = source.run(each), converted.run(each)
        for name, values in got.items():
            gap = _gap(expected[name], values, allowed)
            before = worst.get(name)
            if before is None or not gap.relative <= before.relative:
                worst[name] = gap
    return worst


def _gap(expected: NDArray[Any], got: NDArray[Any], allowed: float) -> Gap:
    if expected.shape != got.shape:
        return Gap(expected.shape, float("inf"), float("inf"), allowed)
    if expected.dtype.kind in "iub":
        share = float(np.mean(expected != got)) if expected.size else 0.0
        return Gap(expected.shape, share, share, allowed)
    a, b = expected.astype(np.float64), got.astype(np.float64)
    absolute = float(np.abs(a - b).max(initial=0))
    return Gap(
        expected.shape, absolute, absolute / max(float(np.abs(a).max(initial=0)), _SMALL), allowed
    )


def task_gaps(
    manifest: Manifest,
    sessions: tuple[Session, Session],
    pictures: Sequence[Rgb],
    where: str,
    limits: Limits,
) -> dict[str, Any]:
    """Compare what a source and its conversion find in images, by one manifest.

    Returns:
        ``figures``, ``limits`` and ``missed`` as of ``engines.builder.parity.Report``; or ``note``,
        where nothing is found, and ``doubt`` where the images were named.
    """
    least = thresholds(manifest, None)
    source, converted = (Model(manifest, session, least) for session in sessions)
    try:
        found = compare(source, converted, pictures, limits, least)
    except BuildError:
        nothing = f"nothing is found in {len(pictures)} images of {where}"
        if where == NOISE:
            return {"note": nothing}
        # Both sides agree on nothing where the input is fed wrongly.
        return {"note": nothing, "doubt": "check --scale, --colour, --resize and --threshold"}
    made = report("onnx", where, pictures, found)
    return {"figures": made.figures, "limits": made.limits, "missed": list(made.missed)}
