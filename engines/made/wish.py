"""What a manifest asks of the network in its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engines.made.proto import declared, input_of
from engines.manifest import Input, Manifest

RECIPE = 4  # raised when the same file and manifest would give another network


@dataclass(frozen=True, slots=True)
class Wish:
    """What a manifest asks of a network.

    Attributes:
        classes: of each part the indices of the labels that stay, rising; empty for all.
        frees_size: height and width are to be free.
    """

    classes: tuple[tuple[int, ...], ...]
    frees_size: bool


def wish(manifest: Manifest, model: Any) -> Wish:
    """Return what is to be changed in a network.

    Args:
        manifest: whose ``classes``, ``input.size`` and ``input.multiple`` are asked for.
        model: the ``ModelProto``.
    """
    info = input_of(model, manifest.input.name)
    shape = declared(info) if info is not None else ()
    spec = manifest.input
    channels = 1 if spec.layout == "nchw" else 3
    is_image = len(shape) == 4 and shape[channels] in (spec.channels, None)
    fixed = [shape[axis] for axis in axes_of(spec)] if is_image else []
    width, height = spec.size
    other = any(
        a is not None and (spec.multiple or a != b)
        for a, b in zip(fixed, (height, width), strict=False)
    )
    classes = (
        tuple(sorted(part.cut)) if part.kept_labels != part.network_labels else ()
        for part in manifest.parts
    )
    return Wish(tuple(classes), bool(other))


def axes_of(spec: Input) -> tuple[int, int]:
    """Return the axes of height and width."""
    return (2, 3) if spec.layout == "nchw" else (1, 2)
