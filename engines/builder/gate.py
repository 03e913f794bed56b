"""Runs a candidate and its source side by side and judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.builder.builders import Builder, BuildError, Precision
from engines.builder.frames import Rgb
from engines.builder.parity import LIMITS, ParityError, Report, compare, report
from engines.fit import thresholds
from engines.manifest import Manifest, read
from engines.model import Model, session_of
from engines.runtimes import open_session

_THREADS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of a comparison.

    Attributes:
        source: the manifest of the source, run by ONNX Runtime; its input of the size that the
            candidate's network has.
        path: its file.
        candidate: the path of the candidate's manifest, run by what that says.
    """

    source: Manifest
    path: Path
    candidate: Path


def judge(pair: Pair, precision: Precision, of: str, where: str, pictures: Sequence[Rgb]) -> Report:
    """Compares both on images.

    Args:
        pair: both.
        precision: whose limits hold.
        of: ``graph`` or ``engine``.
        where: the images come from.
        images: they.

    Raises:
        ParityError: the candidate fails; how each figure missed its limit.
        BuildError: nothing is found in the images.
        RuntimeError: the candidate does not run, or its device is not here.
    """
    least = thresholds(pair.source, None)
    reference = Model(pair.source, open_session("onnxruntime", pair.path, _THREADS), least)
    manifest = read(pair.candidate)
    candidate = Model(manifest, session_of(manifest, _THREADS), least)
    try:
        found = compare(reference, candidate, pictures, LIMITS[precision], least)
    except BuildError as error:
        raise BuildError(
            f"{pair.source.name}: {error}: {len(pictures)} images of {where}; name a clip of "
            "what it is for with --frames"
        ) from error
    made = report(of, where, pictures, found)
    if not made.passed:
        raise ParityError(
            f"{pair.source.name} {manifest.runs_on} {precision}: the {of} finds something else "
            f"than its source, and is not used: {'; '.join(made.missed)} ({made})"
        )
    return made


def runs_here(builder: Builder, device: str) -> bool:
    """Return whether an engine for ``device`` can run on this machine."""
    try:
        here = builder.device(None)
    except BuildError:
        return False
    return device in (here, "ampere+") or here.partition(" ")[0] in device.split(",")
