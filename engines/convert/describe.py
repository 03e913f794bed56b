"""The manifest of a converted model: what is asked, what the file says, what its outputs tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.builder.derived import as_text
from engines.convert.asked import Asked
from engines.convert.network import read_onnx
from engines.convert.recognise import last_ops, recognise
from engines.convert.tidy import Picture
from engines.decoders import DECODERS
from engines.files import digest_of
from engines.found import kind_of
from engines.manifest import Manifest, read
from engines.runtimes import Tensors, open_session

_COMPETING = ("argmax", "class_ids")  # decoders that need no threshold


@dataclass(frozen=True, slots=True)
class Reading:
    """The decoder chosen for a network's outputs, and why.

    Attributes:
        task, decoder, options, labels: as in a manifest.
        reasons: why, in words.
    """

    task: str
    decoder: str
    options: dict[str, Any]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]


def reading(onnx: Path, picture: Picture, asked: Asked, feeds: Tensors) -> Reading:
    """The one decoder that fits the outputs of one run; or what is asked, where that is all of it.

    Of a decoder that is named the options are found out, unless they are given or it is a user's
    own.

    Raises:
        RecogniseError: none fits, or several; what was considered.
        ValueError: there is no telling how many labels there are, or what the task is.
    """
    named = None if asked.decoder == "auto" else asked.decoder
    if named is not None and (asked.options or named not in DECODERS):
        return _as_asked(asked)
    session = open_session("onnxruntime", onnx, 1)
    found = recognise(
        session,
        picture.size,
        asked.labels,
        asked.task,
        session.run(feeds),
        last_ops(read_onnx(onnx)),
        named,
        asked.options,
    )
    labels = asked.labels
    if labels is None:
        if found.labels is None:
            raise ValueError(
                f"labels: missing, and the outputs of decoder {found.decoder} do not tell how many"
            )
        labels = tuple(f"class_{i}" for i in range(found.labels))
    return Reading(found.task, found.decoder, found.options, labels, found.reasons)


def _as_asked(asked: Asked) -> Reading:
    for key, value in (("task", asked.task), ("labels", asked.labels)):
        if value is None:
            raise ValueError(f"{key}: missing, and required with the options of a decoder")
    assert asked.task is not None
    assert asked.labels is not None
    options = dict(asked.options)
    return Reading(asked.task, asked.decoder, options, asked.labels, ("as asked",))


def input_keys(picture: Picture, asked: Asked) -> dict[str, Any]:
    """The manifest's ``input``. Floats are images of 0..1 where nothing else is asked."""
    keys: dict[str, Any] = {"name": picture.name, "size": list(picture.size)}
    keys["layout"] = picture.layout
    if picture.dtype != np.uint8:
        keys["scale"] = 1 / 255
    for key, value in asked.input.given().items():
        if key not in ("name", "layout"):
            keys[key] = list(value) if isinstance(value, tuple) else value
    return keys


def write_manifest(
    onnx: Path, asked: Asked, fed: Mapping[str, Any], how: Reading, source: str
) -> Manifest:
    """Writes NAME.yaml beside the ONNX file, and reads it back.

    Raises:
        ManifestError: a key is wrong.
    """
    keys: dict[str, Any] = {"name": asked.name}
    if asked.summary:
        keys["summary"] = asked.summary
    keys |= {
        "task": how.task,
        "file": onnx.name,
        "sha256": digest_of(onnx),
        "bytes": onnx.stat().st_size,
        "licence": asked.licence,
        "source": source,
        "input": dict(fed),
        "decoder": how.decoder,
    }
    if how.options:
        keys["options"] = how.options
    keys["labels"] = list(how.labels)
    threshold = asked.threshold
    if threshold is None and how.decoder not in _COMPETING:
        threshold = kind_of(how.task).usual_threshold
    if threshold is not None:
        keys["threshold"] = threshold
    if asked.iou is not None:
        keys["iou"] = asked.iou
    path = onnx.with_name(f"{asked.name}.yaml")
    path.write_text(as_text(keys), encoding="utf-8")
    return read(path)
