"""``mirante models inspect``: tensors inside a network, and where two runtimes part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.commands import command
from engines.console import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engines.inspect.graph import Graph, Layer
    from engines.inspect.parting import Comparison, Difference
    from engines.inspect.values import Arrays

MEANS = "onnxruntime-basic fuses nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The options of ``mirante models inspect``.

    Raises:
        ValueError: an image cannot be written, or of no tensor.
    """

    model: Annotated[str, typer.Argument(help="Zoo name, or path of a manifest.")]
    frame: Annotated[
        str | None, typer.Option(help="CLIP:N or an image; else a grey image is fed.")
    ] = None
    tensor: Annotated[str | None, typer.Option(help="Figures of this tensor.")] = None
    every: Annotated[
        bool, typer.Option("--list", help="Only name the layers and their tensors; run nothing.")
    ] = False
    picture: Annotated[
        Path | None, typer.Option(help="Write it to this .png or .jpg file, one tile per channel.")
    ] = None
    against: Annotated[
        str | None, typer.Option(help=f"Find where this runtime diverges from --runtime; {MEANS}.")
    ] = None
    against_file: Annotated[
        Path | None, typer.Option(help="Find where this ONNX file, of like names, parts from it.")
    ] = None
    tolerance: Annotated[
        float, typer.Option(help="Counts as equal, as a share of a tensor's magnitude.", min=0)
    ] = 1e-3
    runtime: Annotated[str, typer.Option(help=f"What runs it; {MEANS}.")] = "onnxruntime"
    threads: Annotated[int, typer.Option(help="Inside one inference.", min=1)] = 1

    def __post_init__(self) -> None:
        from engines.files import check_picture

        if self.picture is not None:
            if self.tensor is None:
                raise ValueError("--picture: expected with --tensor")
            check_picture("picture", self.picture)


@command
def inspect(asked: Inspection) -> None:
    """Show figures of each tensor inside a network, one as an image, or where runtimes diverge."""
    from engines.inspect.graph import Graph
    from engines.inspect.values import feeds_of
    from engines.made import network_of
    from engines.manifest import find
    from engines.store.models import use_default_mirror

    use_default_mirror()
    manifest, path = network_of(find(asked.model))
    graph = Graph(path)
    if asked.every:
        _print_layers(graph)
        return
    feeds = feeds_of(manifest, graph, _frame(asked.frame))
    if asked.against is not None or asked.against_file is not None:
        _compare(graph, feeds, asked)
    elif asked.tensor is not None:
        _print_tensor(graph, feeds, asked.tensor, asked)
    else:
        _print_figures(graph, asked.runtime, feeds, asked.threads)


def _compare(graph: Graph, feeds: Arrays, asked: Inspection) -> None:
    """Print where two runtimes or files part; exit with 1 when they do."""
    from engines.inspect.graph import Graph
    from engines.inspect.parting import Side, compare

    other = Graph(asked.against_file) if asked.against_file else graph
    sides = (Side(graph, asked.runtime), Side(other, asked.against or asked.runtime))
    comparison = compare(*sides, feeds, asked.tolerance, asked.threads)
    _print_comparison(comparison, asked.tolerance)
    if comparison.parts(asked.tolerance):
        raise typer.Exit(1)


def _frame(name: str | None) -> NDArray[np.uint8] | None:
    from engines.pictures import named_frame

    if name is None:
        typer.echo("no --frame: a grey image is fed", err=True)
        return None
    return named_frame(name)


def _print_layers(graph: Graph) -> None:
    rows = []
    for layer in graph.layers:
        for name in layer.outputs:
            dtype, shape = graph.shapes.get(name, ("?", "?"))
            rows.append([str(layer.number), layer.op, layer.name, name, dtype, shape])
    print_table(["node", "op", "name", "tensor", "dtype", "shape"], rows)


def _print_tensor(graph: Graph, feeds: Arrays, name: str, asked: Inspection) -> None:
    from engines.files import write_picture
    from engines.inspect.figures import figures
    from engines.inspect.picture import TILES, draw_tensor, planes_of
    from engines.inspect.values import values

    found = dict(values(graph, asked.runtime, feeds, [name]))
    if name not in found:
        raise RuntimeError(f"{asked.runtime} does not give {name} by that name")
    for key, words in figures(found[name]).rows().items():
        typer.echo(f"{key:<6} {words}")
    if asked.picture is not None:
        write_picture(asked.picture, draw_tensor(found[name]))
        channels = len(planes_of(found[name]))
        only = f" the first {TILES} of" if channels > TILES else ""
        typer.echo(
            f"{asked.picture}:{only} {channels} channels, each from its minimum to its maximum"
        )


def _print_figures(graph: Graph, runtime: str, feeds: Arrays, threads: int) -> None:
    """A row a layer's output, and the first at which a value is no longer finite."""
    from engines.inspect.figures import figures
    from engines.inspect.values import values

    names = [name for layer in graph.layers for name in layer.outputs]
    found = {n: figures(a) for n, a in values(graph, runtime, feeds, names, threads)}
    rows = [
        [str(layer.number), layer.op, name, *found[name].rows().values()]
        for layer in graph.layers
        for name in layer.outputs
        if name in found
    ]
    headings = ["shape", "dtype", "min", "max", "mean", "std", "zeros", "NaN", "inf"]
    print_table(["node", "op", "tensor", *headings], rows)
    unsound = {name for name, figure in found.items() if not figure.is_sound}
    if first := next((each for each in graph.layers if unsound & set(each.outputs)), None):
        _print_unsound(first, [found[n].rows() for n in first.outputs if n in unsound])


def _print_unsound(layer: Layer, rows: Sequence[dict[str, str]]) -> None:
    words = ", ".join(f"{row['NaN']} NaN and {row['inf']} infinite" for row in rows)
    typer.echo(f"\nfirst value that is not finite: {layer} makes {words}")


def _print_comparison(comparison: Comparison, tolerance: float) -> None:
    typer.echo(f"{comparison.layers} layers compared, largest difference / largest magnitude")
    if comparison.unseen:
        names = ", ".join(comparison.unseen[:5]) + (", …" if len(comparison.unseen) > 5 else "")
        typer.echo(f"{len(comparison.unseen)} tensors are not given by both: {names}")
    _print_differences("output", comparison.outputs)
    if comparison.worst is not None:
        _print_differences("largest inside", [comparison.worst])
    parting = comparison.parting
    if parting is None:
        also = ", but the outputs do" if comparison.parts(tolerance) else ""
        typer.echo(f"no layer differs by more than {tolerance:g}{also}")
        return
    typer.echo(f"first layer that differs by more than {tolerance:g}: {parting.layer}")
    if parting.fused:
        typer.echo("only while other layers are fused; each was looked at alone, by halving")
    _print_differences("  before", parting.before)
    _print_differences("  after", parting.after)


def _print_differences(heading: str, differences: Sequence[Difference]) -> None:
    for each in differences:
        typer.echo(f"{heading}: {each.name} {each.words}")
