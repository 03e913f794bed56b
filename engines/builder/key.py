"""The key of an engine: everything that its bytes depend on.

Engines are found by what they were made of and not by their own digest: builds of TensorRT-RTX
repeat byte for byte for some networks only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.builder.builders import Builder, BuildError, builder_of
from engines.builder.frames import identity
from engines.builder.prepare import RECIPE
from engines.builder.request import Request
from engines.made import network_of
from engines.manifest import Manifest, find

_FIRST_FP8 = 89


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, resolved.

    Attributes:
        request: as it was asked.
        manifest: of the source.
        path: the source's file.
        builder: of the runtime.
        facts: all that the engine depends on, as JSON holds it.
        key: the engine's name in the store: model, runtime, precision and a digest of ``facts``.
    """

    request: Request
    manifest: Manifest
    path: Path
    builder: Builder
    facts: dict[str, Any]
    key: str


def wanted(request: Request) -> Wanted:
    """Resolves a request.

    Labels and thresholds are no part of the key: an engine does not depend on them.

    Raises:
        ValueError: there is no such model or builder.
        ModelUnavailableError: its file is not available anywhere.
        ImportError: the runtime's library is missing.
        BuildError: the runtime has no such device, or that no such precision.
        OSError: there are no such images.
    """
    manifest, path = network_of(find(request.model))
    builder = builder_of(request.runtime)
    device = builder.device(request.target)
    if request.precision == "fp8":
        _check_fp8(device)
    role = {
        "model": manifest.name,
        "runtime": request.runtime,
        "device": device,
        "precision": request.precision,
        "batch": request.pictures,
        "frame": request.frame,
        "fold": request.folds,
        "network": {
            "input": manifest.input.model_dump(mode="json"),
            **_read(manifest),
        },
        "calibration": _calibration(request),
        **_more(request),
    }
    with path.open("rb") as file:
        source = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {
        **role,
        "role": _digest(role)[:16],
        "library": builder.library(),
        "source": source,
        "recipe": RECIPE,
    }
    if (driver := builder.driver(request.target)) is not None:
        facts["driver"] = driver
    key = f"{manifest.name}-{request.runtime}-{request.precision}-{_digest(facts)[:16]}"
    return Wanted(request, manifest, path, builder, facts, key)


def _more(request: Request) -> dict[str, Any]:
    """What engines had not at first: named where asked for alone, so that old keys still hold."""
    asked = {"refit": request.refit, "compatible": request.compatible, "dla": request.dla}
    return {name: value for name, value in asked.items() if value not in (False, None)}


def _check_fp8(device: str) -> None:
    """GPUs have fp8 from Ada on.

    Raises:
        BuildError: a GPU that the engine is for has none.
    """
    for each in device.split(","):
        name = each.partition(" ")[0]
        if not name.startswith("sm") or int(name[2:]) < _FIRST_FP8:
            raise BuildError(
                f"precision: fp8 — GPUs have it from sm{_FIRST_FP8} on (Ada, Hopper, Blackwell), "
                f"got {each}; int8 and fp16 run there"
            )


def _read(manifest: Manifest) -> dict[str, Any]:
    """Decoders and their options; of one head as before there were several."""
    read = [{"decoder": part.decoder, "options": part.options} for part in manifest.parts]
    return {"heads": read} if manifest.heads else read[0]


def _calibration(request: Request) -> dict[str, Any] | None:
    if request.calibrate is None:
        return None
    return {"pictures": identity(request.calibrate), "count": request.calibration_frames}


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
