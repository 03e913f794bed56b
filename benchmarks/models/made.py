"""Engines for the bench, built where a runtime or a precision asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.inspect.values import BUILT
from engines.manifest import Manifest, read


@dataclass(frozen=True, slots=True)
class Made:
    """An engine.

    Attributes:
        manifest: of the engine; its inputs may differ from the model's.
        path: of its file.
        bytes: size of all its files.
        build_s: seconds that building took, now or when it was built; None for a file as it is.
        parity: what the gate measured, in words; empty for a file as it is.
    """

    manifest: Manifest
    path: Path
    bytes: int
    build_s: float | None = None
    parity: str = ""


def needs_building(runtime: str, precision: str) -> bool:
    """Return whether a runtime needs a file of its own for that precision."""
    return runtime in BUILT or precision != "fp32"


def built(
    model: str,
    runtime: str,
    precision: str,
    batch: int,
    pictures: Path,
) -> Made:
    """An engine from the store, or built now; preprocessing is in the graph for runtimes on GPUs.

    Args:
        model: zoo name, or path of a manifest.
        runtime: what runs it.
        precision: ``fp32``, ``fp16`` or ``int8``.
        batch: most images in one call.
        images: what is calibrated and compared with: a clip, or an ``.npz`` of RGB images.

    Raises:
        ValueError: there are no engines for that runtime.
        BuildError: it cannot be built, or gives something else than the model.
        ImportError: a library is missing; names the extra.
    """
    from engines.builder.build import build
    from engines.builder.request import Request

    request = Request(
        model=model,
        runtime=runtime,
        precision=precision,  # type: ignore[arg-type] # checked there
        calibrate=str(pictures) if precision == "int8" else None,
        frames=str(pictures),
        batch=batch,
    )
    engine = build(request)
    return Made(
        read(engine.manifest),
        engine.file,
        engine.bytes,
        float(engine.about["seconds"]),
        parity_words(engine.about["parity"]),
    )


def parity_words(parity: Mapping[str, Any]) -> str:
    """The figures that were judged: of the engine, or where it cannot run here, of its graph."""
    report = parity["engine"] or parity["graph"]
    figures = ", ".join(f"{name} {report['figures'][name]:.3g}" for name in report["limits"])
    return figures if parity["engine"] else f"its graph: {figures}"
