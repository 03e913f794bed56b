"""The plan of ``mirante bench engines``, filled from its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, NamedTuple

from typer import Argument, Option

from engines.commands import Text, Texts, names_in
from mirante.nearest import nearest

MODELS = ("street", "road", "face", "yolox-nano", "deimv2-femto")
PRECISIONS = ("fp32", "fp16", "int8")
REFERENCE = "onnxruntime"


def precisions_in(text: str) -> tuple[str, ...]:
    """Return the precisions in ``fp32,int8``."""
    names = names_in(text)
    if unknown := [name for name in names if name not in PRECISIONS]:
        hint = nearest(unknown[0], PRECISIONS)
        raise ValueError(f'--precision: no precision "{unknown[0]}"; {hint}')
    return names


def numbers_reader(option: str) -> Callable[[str], tuple[int, ...]]:
    """Return what reads an option's ``1,2``."""

    def read(text: str) -> tuple[int, ...]:
        names = names_in(text)
        if not names or any(not name.isdecimal() or int(name) < 1 for name in names):
            raise ValueError(f"--{option}: expected whole numbers from 1 such as 1,2, got {text!r}")
        return tuple(map(int, names))

    return read


class Variant(NamedTuple):
    """A variant to time: a model, its runtime and settings; ``batch`` images a call."""

    model: str
    runtime: str
    precision: str
    threads: int
    batch: int

    @property
    def reference(self) -> Variant:
        """The same by ONNX Runtime in float32."""
        return self._replace(runtime=REFERENCE, precision="fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The models to measure, by runtimes, precisions, threads and batches.

    Attributes:
        runtimes, threads: none for those that fit the machine.
    """

    models: Annotated[
        tuple[str, ...], Argument(metavar="[MODEL]…", help="zoo names or manifests"), Texts(tuple)
    ] = MODELS
    runtimes: Annotated[
        tuple[str, ...],
        Option(help="a,b; else onnxruntime,openvino, on a GPU TensorRT and CUDA"),
        Text(names_in),
    ] = ()
    precisions: Annotated[
        tuple[str, ...],
        Option("--precision", help="of fp32,fp16,int8"),
        Text(precisions_in, "fp32"),
    ] = ("fp32",)
    threads: Annotated[
        tuple[int, ...],
        Option(help="inside one inference; else 1,2, on a GPU 1"),
        Text(numbers_reader("threads")),
    ] = ()
    batches: Annotated[
        tuple[int, ...],
        Option("--batch", help="images per call: 1,4"),
        Text(numbers_reader("batch"), "1,4"),
    ] = (1, 4)
    clip: Annotated[
        Path | None, Option(exists=True, help="its first frames; else drawn images")
    ] = None
    rounds: Annotated[int, Option(min=1, help="medians are over these")] = 5
    json: Annotated[Path | None, Option(help="write all figures there")] = None
    on_gpu: Annotated[bool, Option("--gpu", help="measure on this machine's GPU")] = False

    def variants(self) -> Iterator[Variant]:
        """All combinations, those of a model together."""
        axes = (self.models, self.precisions, self.threads, self.batches, self.runtimes)
        for model, precision, threads, batch, runtime in product(*axes):
            yield Variant(model, runtime, precision, threads, batch)
