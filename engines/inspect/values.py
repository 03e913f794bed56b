"""The values that tensors inside a network have for one image, in any runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.fed import besides
from engines.inspect.graph import Graph
from engines.manifest import Input, Manifest
from engines.names import resolve
from engines.preprocess import Preprocessor
from engines.runtimes import Session, TensorInfo
from engines.runtimes.names import RUNTIMES

BASIC = {"onnxruntime-basic": "engines.inspect.basic:open_session"}
BUILT = (
    "tensorrt",
    "tensorrt-lean",
    "tensorrt-rtx",
)  # which run no ONNX file, but an engine made of it
GROUP = 200  # tensors that are looked at in one run; all at once may not fit into memory

Arrays = dict[str, NDArray[Any]]
Shape = tuple[int, ...]
Profiles = Mapping[str, tuple[Shape, Shape, Shape]]


def feeds_of(manifest: Manifest, graph: Graph, rgb: NDArray[np.uint8] | None) -> Arrays:
    """Return the network's inputs for an image, or for a grey one where there is none.

    Args:
        manifest: the model's.
        graph: its file.
        rgb: (height, width, 3) uint8 RGB.

    Raises:
        ValueError: the manifest's inputs are not the file's.
    """
    spec = manifest.input
    if {spec.name, *spec.extra} != set(graph.inputs):
        raise ValueError(
            f"input: expected {', '.join(graph.inputs)}, as {graph.path.name} has, "
            f"got {', '.join([spec.name, *spec.extra])}"
        )
    if rgb is None:
        rgb = np.full((spec.size[1], spec.size[0], 3), 114, np.uint8)
    return fed(spec, {name: _info(graph, name) for name in graph.inputs}, rgb)


def fed(spec: Input, inputs: Mapping[str, TensorInfo], rgb: NDArray[np.uint8]) -> Arrays:
    """The tensors of one image, in arrays of their own.

    Args:
        spec: the manifest's description of the input.
        inputs: the network's, by name.
        rgb: (height, width, 3) uint8 RGB.
    """
    tensor, at = Preprocessor(spec, inputs[spec.name].dtype).frame(rgb)
    return {spec.name: tensor, **besides(spec.extra, at.size, inputs)}


def _info(graph: Graph, name: str) -> TensorInfo:
    kind, shape = graph.shapes[name]
    axes = shape.split("x") if shape else []
    return TensorInfo(tuple(None if a == "?" else int(a) for a in axes), np.dtype(kind))


def values(
    graph: Graph, runtime: str, feeds: Arrays, names: Sequence[str], threads: int = 1
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Each of these tensors with its value, some of them computed at a time.

    A tensor that is an output too is no longer fused with its neighbours, so values may differ
    from the unchanged network's by what fusing costs. A runtime may give some under another name;
    these are left out.

    Raises:
        ValueError: no such tensor, or no such runtime.
        RuntimeError: the runtime refuses the file, or its library is missing.
    """
    for name in names:
        graph.check(name)
    for name in names:
        if name in feeds or name in graph.weights:
            yield name, feeds[name] if name in feeds else graph.weight(name)
    inner = [name for name in names if name not in feeds and name not in graph.weights]
    for group in groups(inner):
        found = run_exposing(graph, runtime, feeds, group, threads)
        yield from ((name, found[name]) for name in group if name in found)


def groups(names: Sequence[str]) -> list[Sequence[str]]:
    """The names in parts of at most ``GROUP``."""
    return [names[start : start + GROUP] for start in range(0, len(names), GROUP)]


def run_exposing(
    graph: Graph, runtime: str, feeds: Arrays, names: Sequence[str], threads: int
) -> Arrays:
    """All outputs of one run of the network with these further outputs; none leaves it as it is."""
    with tempfile.TemporaryDirectory(prefix="mirante-inside-") as folder:
        path = graph.path
        if names:
            path = Path(folder) / "exposed.onnx"
            graph.write_exposing(names, path)
        session = _opened(runtime, path, Path(folder), feeds, threads)
        return session.run(_cast(feeds, graph))


def built_for(
    runtime: str, path: Path, folder: Path, profiles: Profiles, target: str | None = None
) -> Path:
    """An engine of an ONNX file as it is, for the GPU of this machine or another.

    Args:
        runtime: one of ``BUILT``.
        path: the ONNX file.
        folder: where the engine is written.
        profiles: least, likeliest and largest shape of each input with a dynamic axis.
        target: such as ``sm89``; None for the GPU of this machine.

    Raises:
        ImportError: its library is missing.
        RuntimeError: it cannot be built.
    """
    from engines.builder.builders import Options, builder_of

    builder = builder_of(runtime)
    engine = folder / f"{path.stem}{builder.suffix}"
    options = Options(profiles=profiles, target=target)
    builder.build(path, engine, options, lambda _share, _words: None)
    return engine


def _opened(runtime: str, path: Path, folder: Path, feeds: Arrays, threads: int) -> Session:
    if runtime in BUILT:
        graph = Graph(path)
        dynamic = (name for name in graph.inputs if "?" in graph.shapes[name][1])
        profiles = {name: (feeds[name].shape,) * 3 for name in dynamic}
        path = built_for(runtime, path, folder, profiles)
    session: Session = resolve("runtime", runtime, RUNTIMES | BASIC)(path, threads)
    return session


def _cast(feeds: Arrays, graph: Graph) -> Arrays:
    """The feeds in the file's own types, as a float16 network takes them."""
    return {name: array.astype(graph.shapes[name][0]) for name, array in feeds.items()}
