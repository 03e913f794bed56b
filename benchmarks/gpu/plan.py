"""The plan of ``mirante bench gpu``, filled from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from benchmarks.gpu.job import Job
from benchmarks.gpu.parts import PARTS
from benchmarks.models.plan import precisions_in
from engines.commands import Text, Texts, names_of

MODELS = (
    *("street", "road", "face", "yolox-street", "deimv2-femto"),
    *("test-boxes", "test-lane"),
)


def _parts_in(text: str) -> tuple[str, ...]:
    names = names_of("--parts", "part", text, PARTS)
    if not names:
        raise ValueError(f'--parts: expected some of {", ".join(PARTS)}, got "{text}"')
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured on this machine's GPU, and within how many seconds."""

    models: Annotated[
        tuple[str, ...],
        Argument(metavar="[MODEL]…", help="zoo names or manifests"),
        Texts(tuple),
    ] = MODELS
    parts: Annotated[
        tuple[str, ...], Option(help=f"of {','.join(PARTS)}"), Text(_parts_in, ",".join(PARTS))
    ] = tuple(PARTS)
    precisions: Annotated[
        tuple[str, ...],
        Option("--precision", help="of fp32,fp16,int8, the most important first"),
        Text(precisions_in, "fp16,int8,fp32"),
    ] = ("fp16", "int8", "fp32")
    model: Annotated[
        str, Option(help="the one that batcher and line run; else the first detector")
    ] = ""
    runtime: Annotated[
        str, Option(help="tensorrt or tensorrt-rtx; else tensorrt where it is here")
    ] = ""
    seconds: Annotated[
        float, Option(min=30, max=3600, help="limit of the whole run; what overruns is cut off")
    ] = 480.0
    clips: Annotated[
        Path | None,
        Option(
            exists=True,
            file_okay=False,
            help="folder of 1080p30.h264 and 1080p30.h265, closed GOPs without B-frames, each "
            "frame behind a delimiter; else those that ship",
        ),
    ] = None
    per_worker: Annotated[int, Option(min=1, help="cameras of one worker process")] = 16
    json: Annotated[Path | None, Option(help="write all figures there")] = None

    def __post_init__(self) -> None:
        """Refuse a model that is not among those that are built."""
        if self.model and self.model not in self.models:
            names = ", ".join(self.models)
            raise ValueError(f'--model: expected one of {names}, got "{self.model}"')

    def job(self, seconds: float) -> Job:
        """Return the job of a part with that limit."""
        return Job(
            seconds=seconds,
            models=self.models,
            model=self.model,
            precisions=self.precisions,
            runtime=self.runtime,
            clips="" if self.clips is None else str(self.clips.resolve()),
            per_worker=self.per_worker,
        )
