"""The first layer at which two runtimes, or two files, give different values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.inspect.graph import Graph, Layer
from engines.inspect.values import Arrays, groups, run_exposing

TOLERANCE = 1e-3  # of a tensor's largest magnitude


class Side(NamedTuple):
    """One of the two that are compared: a file and what runs it."""

    graph: Graph
    runtime: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two values of one tensor.

    Attributes:
        name: the tensor's.
        relative: largest difference as a share of the expected value's largest magnitude; infinite
            where they cannot be compared or are finite in different places.
        words: the same for people.
    """

    name: str
    relative: float
    words: str


@dataclass(frozen=True, slots=True)
class Parting:
    """The place where two sides part.

    Attributes:
        layer: the first that gives different values.
        before: differences of its inputs.
        after: differences of its outputs.
        fused: whether it shows only in a network whose other layers are left as they are.
    """

    layer: Layer
    before: tuple[Difference, ...]
    after: tuple[Difference, ...]
    fused: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        outputs: differences of the outputs of both networks as they are.
        layers: how many layers were compared.
        unseen: tensors that one of the sides does not give by that name.
        worst: the layer's output with the largest difference, None when nothing was compared.
        parting: None when no layer differs by more than the tolerance.
    """

    outputs: tuple[Difference, ...]
    layers: int
    unseen: tuple[str, ...]
    worst: Difference | None
    parting: Parting | None

    def parts(self, tolerance: float) -> bool:
        """True if a layer or an output differs by more than allowed."""
        return self.parting is not None or any(o.relative > tolerance for o in self.outputs)


def difference(name: str, expected: NDArray[Any], got: NDArray[Any]) -> Difference:
    """Compares two values of a tensor, of any numeric types."""
    if expected.shape != got.shape:
        return Difference(name, np.inf, f"shape {expected.shape} against {got.shape}")
    a, b = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    if not finite.all():
        unlike = int((~finite & ~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
        if unlike:
            return Difference(name, np.inf, f"{unlike} of {a.size} values are finite in one alone")
        a, b = a[finite], b[finite]
    if not a.size:
        return Difference(name, 0.0, "no finite value")
    gap = float(np.abs(a - b).max())
    magnitude = float(np.abs(a).max())
    relative = gap / magnitude if magnitude else (np.inf if gap else 0.0)
    return Difference(name, relative, f"{relative:.2g} ({gap:.3g} of {magnitude:.3g})")


def compare(
    expected: Side, got: Side, feeds: Arrays, tolerance: float = TOLERANCE, threads: int = 1
) -> Comparison:
    """Runs both sides with every layer's tensors as outputs, and finds where they part.

    Where only the unchanged networks part, which is the work of fusing, one tensor at a time is
    exposed and halving finds the layer.

    Args:
        expected: the reference; its layers are those that are named.
        got: what is compared with it; tensors are matched by name.
        feeds: inputs by name, in the types of ``expected``.
        tolerance: largest difference that counts as equal, as a share of a tensor's magnitude.
        threads: inside one inference.

    Raises:
        ValueError, RuntimeError: as ``engines.inspect.values.values``, or the inputs differ.
    """
    if set(expected.graph.inputs) != set(got.graph.inputs):
        one, other = (", ".join(side.graph.inputs) for side in (expected, got))
        raise ValueError(f"inputs: expected those of both files equal, got {one} and {other}")
    layers = expected.graph.layers
    there = set(got.graph.tensors)
    names = [name for layer in layers for name in layer.outputs if name in there]
    found = _differences(expected, got, feeds, names, threads)
    whole = [run_exposing(s.graph, s.runtime, feeds, (), threads) for s in (expected, got)]
    common = [name for name in expected.graph.outputs if name in whole[0] and name in whole[1]]
    outputs = tuple(difference(name, whole[0][name], whole[1][name]) for name in common)
    parting = _first(layers, found, tolerance)
    seen = [layer for layer in layers if any(name in found for name in layer.outputs)]
    if parting is None and seen and any(o.relative > tolerance for o in outputs):

        def alone(layer: Layer) -> dict[str, Difference]:
            return _differences(expected, got, feeds, layer.outputs, threads)

        parting = _halved(seen, alone, tolerance)
    made = [name for layer in layers for name in layer.outputs]
    return Comparison(
        outputs,
        len(seen),
        tuple(name for name in made if name not in found),
        max(found.values(), key=lambda each: each.relative, default=None),
        parting,
    )


def _differences(
    expected: Side, got: Side, feeds: Arrays, names: Sequence[str], threads: int
) -> dict[str, Difference]:
    """Of each tensor that both give."""
    found: dict[str, Difference] = {}
    for group in groups(names):
        a, b = (run_exposing(*side, feeds, group, threads) for side in (expected, got))
        both = (name for name in group if name in a and name in b)
        found |= {name: difference(name, a[name], b[name]) for name in both}
    return found


def _first(
    layers: Sequence[Layer], found: dict[str, Difference], tolerance: float
) -> Parting | None:
    for layer in layers:
        after = tuple(found[name] for name in layer.outputs if name in found)
        if any(each.relative > tolerance for each in after):
            return Parting(layer, tuple(_before(name, found) for name in layer.inputs), after)
    return None


def _before(name: str, found: dict[str, Difference]) -> Difference:
    """Of an input of the layer that parts; those of the network are fed to both alike."""
    return found.get(name, Difference(name, 0.0, "the same for both, or not seen"))


def _halved(
    layers: Sequence[Layer], probe: Callable[[Layer], dict[str, Difference]], tolerance: float
) -> Parting | None:
    """The first layer that parts when each is looked at alone; None when not even the last does.

    Halving takes it that what has parted stays apart.
    """
    low, high = 0, len(layers) - 1
    found = probe(layers[high])
    while low < high:
        middle = (low + high) // 2
        at = probe(layers[middle])
        if any(each.relative > tolerance for each in at.values()):
            high, found = middle, found | at
        else:
            low, found = middle + 1, found | at
    layer = layers[high]
    after = tuple(found[name] for name in layer.outputs if name in found)
    if all(each.relative <= tolerance for each in after):
        return None
    return Parting(layer, tuple(_before(name, found) for name in layer.inputs), after, fused=True)
