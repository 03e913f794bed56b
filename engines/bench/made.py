"""Engines for the bench: the ONNX file itself where a runtime takes it, else what is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.build.builders import BuildError
from engines.inside.values import BUILT
from engines.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Made:
    """An engine's file.

    Attributes:
        path: of the file.
        build_s: seconds that building took; None where nothing was built.
        parity: what the parity gate said; empty where nothing was built.
    """

    path: Path
    build_s: float | None = None
    parity: str = ""

    @property
    def bytes(self) -> int:
        """Size of the file, with that of OpenVINO's weights, which stand beside it."""
        beside = self.path.with_suffix(".bin")
        return self.path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)


def make(
    manifest: Manifest,
    path: Path,
    runtime: str,
    precision: str,
    frames: Sequence[NDArray[np.uint8]],
) -> Made:
    """The engine of a model for a runtime in a precision."""
    if precision == "fp32" and runtime not in BUILT:
        return Made(path)
    raise BuildError(f"{precision} for {runtime}: built engines are not measured yet")
