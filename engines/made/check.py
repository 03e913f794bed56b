"""Proof that a changed network finds what its source finds, before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Limits
from engines.decoders import Decoder, Spec, bind
from engines.fed import besides
from engines.found import Found
from engines.head import Head
from engines.inference import Inference, View
from engines.made.axes import Cut
from engines.made.graph import Feeds, RefusedError, dtype_of, run
from engines.made.proto import declared, input_of
from engines.manifest import Input, Manifest
from engines.placement import Placement, Size
from engines.preprocess import Preprocessor
from engines.runtimes import TensorInfo

TOLERANCE = 1e-4  # of the output's largest value, or of 1
# At another size the surroundings differ, and so do scores; a wrong scale misses by far.
_LIMITS = Limits(0.7, 0.0, 1.0, 1.0, 0.5, 0.1, 0.5, 0.5)
_LARGER = 2
_LARGEST_MULTIPLE = 256


def feeds_of(model: Any, spec: Input, tensor: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the inputs of a network for a tensor of its own layout."""
    height, width = tensor.shape[2:] if spec.layout == "nchw" else tensor.shape[1:3]
    infos = ((name, input_of(model, name)) for name in spec.extra)
    inputs = {name: TensorInfo(declared(info), dtype_of(info)) for name, info in infos}
    return {spec.name: tensor, **besides(spec.extra, (width, height), inputs)}


def noise(model: Any, spec: Input, size: Size) -> dict[str, NDArray[Any]]:
    """Return the inputs for an image of ``size`` that is random, always the same."""
    width, height = size
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return feeds_of(model, spec, tensor_of(model, spec, size, rgb))


def tensor_of(model: Any, spec: Input, size: Size, rgb: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the input tensor of that size for an image."""
    sized = spec.model_copy(update={"size": size, "multiple": None})
    return Preprocessor(sized, dtype_of(input_of(model, spec.name))).frame(rgb)[0]


def check_same(before: Feeds, after: Feeds, cuts: Mapping[str, Cut] = MappingProxyType({})) -> None:
    """Compare all outputs; of those that are cut what stays.

    Raises:
        RefusedError: they differ.
    """
    for name, whole in before.items():
        cut, got = cuts.get(name), after[name]
        expected = whole.take(cut.kept, cut.axis) if cut else whole
        if expected.shape != got.shape:
            raise RefusedError(f"{name} has shape {got.shape}, expected {expected.shape}")
        a, b = expected.astype(np.float64), got.astype(np.float64)
        gap = float(np.abs(a - b).max(initial=0) / max(np.abs(a).max(initial=0), 1.0))
        if not gap <= TOLERANCE:
            raise RefusedError(f"{name} differs by {gap:.2g} of its size, expected {TOLERANCE:g}")


class Reader:
    """What a manifest's decoders find in a network's outputs, at any size of the input.

    Attributes:
        manifest: that fits the network.
        parts: how its outputs are read, a decoder each, and the scores that are enough.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.parts: list[tuple[Head, Decoder, NDArray[np.float32]]] = []
        for part in manifest.parts:
            least = np.nan if part.threshold is None else part.threshold
            scores = np.full(len(part.network_labels), least, np.float32)
            self.parts.append((part, bind(part.decoder, part.options), scores))

    def __call__(self, outputs: Feeds, size: Size) -> list[Found]:
        """Return what each part finds in the tensor.

        Raises:
            RefusedError: the outputs are not what a decoder expects at that size.
        """
        try:
            return [
                decode(outputs, Spec(part.network_labels, least, part.iou, size, part.keypoints))
                for part, decode, least in self.parts
            ]
        except (ValueError, LookupError, TypeError) as error:
            raise RefusedError(str(error)) from error

    def in_source(self, outputs: Feeds, at: Placement) -> list[Inference]:
        """Return what each part finds, in pixels of the image that lies in the tensor so."""
        name, source = self.manifest.name, (at.content[2], at.content[3])
        views = [
            View(part.network_labels, name, at, (1, 1), source, skeleton=part.bones)
            for part, _, _ in self.parts
        ]
        found = self(outputs, at.size)
        return [each.to_source(view) for each, view in zip(found, views, strict=True)]


def check_larger(
    reader: Reader,
    sessions: tuple[Any, Any],
    model: Any,
    size: Size,
    pictures: Iterable[NDArray[np.uint8]],
) -> None:
    """Compare the source at its size with the other network, which sees the image in a corner.

    A constant that stands for the size, as boxes in parts of it need one, would give other boxes.

    Args:
        reader: of the manifest.
        sessions: of the source and of the network whose size is free.
        model: the source.
        size: of the source's input.
        images: real ones; where nothing is found in them nothing is compared.

    Raises:
        RefusedError: they do not find the same.
    """
    spec, larger = reader.manifest.input, (size[0] * _LARGER, size[1] * _LARGER)
    # What is said of a whole image changes with what surrounds it.
    placed = [part.kind.finds_boxes or part.kind.finds_masks for part, _, _ in reader.parts]
    agreements = [part.kind.agreement(least, _LIMITS) for part, _, least in reader.parts]
    for rgb in pictures if any(placed) else ():
        tensor = tensor_of(model, spec, size, rgb)
        found: list[list[Inference]] = []
        for session, area in zip(sessions, (size, larger), strict=True):
            outputs = run(session, feeds_of(model, spec, _in_corner(tensor, spec, area)))
            at = Placement(area, (1, 1), (0, 0), (0, 0, *size))
            found.append(reader.in_source(outputs, at))
        for agreement, expected, got in compress(zip(agreements, *found, strict=True), placed):
            agreement.add(expected, got, size)
    figures = [pair for agreement in agreements for pair in agreement.figures().items()]
    for name, figure in figures:
        if figure.is_missed:
            raise RefusedError(
                f"at another size it finds something else: {name} {figure.value:.2f}, "
                f"expected {figure.bound} {figure.limit}"
            )


def _in_corner(tensor: NDArray[Any], spec: Input, size: Size) -> NDArray[Any]:
    axes = (3, 2) if spec.layout == "nchw" else (2, 1)
    shape = list(tensor.shape)
    for axis, length in zip(axes, size, strict=True):
        shape[axis] = length
    made = np.full(shape, tensor.mean(), tensor.dtype)
    made[tuple(slice(length) for length in tensor.shape)] = tensor
    return made


def check_sizes(reader: Reader, session: Any, model: Any) -> None:
    """Run the network at the sizes that the manifest asks for.

    Raises:
        RefusedError: it takes another multiple; says which.
    """
    spec = reader.manifest.input
    multiple = spec.multiple or 1
    if (wrong := _tried(reader, session, model, multiple)) is None:
        return
    powers = (1 << power for power in range(1, _LARGEST_MULTIPLE.bit_length()))
    able = next((m for m in powers if _tried(reader, session, model, m) is None), None)
    if able is None:
        raise RefusedError(wrong)
    raise RefusedError(f"expected multiples of {able}: {wrong}")


def _tried(reader: Reader, session: Any, model: Any, multiple: int) -> str | None:
    """Return the reason why the network does not run at all sizes of that multiple, else None."""
    spec = reader.manifest.input
    width, height = (-(-length // multiple) * multiple for length in spec.size)
    sizes = [(width, height)]
    if multiple > 1:
        sizes += [(width - multiple, height)] * (width > multiple)
        sizes += [(width, height - multiple)] * (height > multiple)
    for size in sizes:
        try:
            reader(run(session, noise(model, spec, size)), size)
        except RefusedError as error:
            return f"at {size[0]}x{size[1]}: {error}"
    return None
