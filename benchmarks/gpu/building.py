"""Engines: seconds of building each, and whether it finds what its source finds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.gpu.figures import Figure
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.needs import runtime_of, words_of
from benchmarks.models.made import parity_words
from engines.builder.builders import Precision
from engines.builder.frames import shipped_pictures
from engines.builder.request import Request
from engines.files import write_whole
from engines.store.engines import Engine
from mirante.home import home
from pipeline.cameras.synthetic import picture

NOT_QUANTISED = ("test-boxes", "test-lane")  # which have no layer that int8 is for
DRAWN = 4  # of the images that engines are compared on


def measure(job: Job, here: Here) -> Iterator[Figure]:
    """Build the engine of each precision and model, and tell seconds and parity of each."""
    for request in requests_of(job):
        what = f"{request.model} {request.precision}, to build"
        try:
            engine = here.build(request)
        except (ImportError, ValueError, RuntimeError, OSError) as error:
            yield Figure(what=what, note=words_of(error))
        else:
            yield _figure(what, engine)


def requests_of(job: Job) -> list[Request]:
    """Return what engines are asked for: of the first precision those of all models, and so on."""
    runtime, pictures = runtime_of(job), str(compared_pictures())
    return [
        Request(
            model=model,
            runtime=runtime,
            precision=_precision(precision),
            calibrate=pictures if precision == "int8" else None,
            frames=pictures,
            parity_frames=32,
        )
        for precision in job.precisions
        for model in job.models
        if precision != "int8" or model not in NOT_QUANTISED
    ]


def kept_engines(job: Job, here: Here) -> Iterator[tuple[str, Engine]]:
    """Yield the engines that the part ``engines`` built, with their names.

    Raises:
        RuntimeError: there is none.
    """
    for _, name, engine in _kept(job, here):
        yield name, engine


def chosen_engine(job: Job, here: Here) -> tuple[str, Engine]:
    """Return the engine that callers and cameras run, with its name: the first of the model that
    the job names; where it names none, of a detector, and without a detector of any model.

    Raises:
        RuntimeError: there is none; says which are here.
    """
    from engines.manifest import read

    there = list(_kept(job, here))
    if job.model:
        for model, name, engine in there:
            if model == job.model:
                return name, engine
        names = ", ".join(name for _, name, _ in there)
        raise RuntimeError(f"no engine of {job.model} is here; of others: {names}")
    for _, name, engine in there:
        if any(part.kind.finds_boxes for part in read(engine.manifest).parts):
            return name, engine
    return there[0][1:]


def _kept(job: Job, here: Here) -> Iterator[tuple[str, str, Engine]]:
    """Yield model as the job has it, name and engine of each that was built."""
    found = False
    for request in requests_of(job):
        try:
            engine = here.find(request)
        except (ImportError, ValueError, RuntimeError, OSError):
            continue  # why not is told where it is built
        if engine is not None:
            found = True
            yield request.model, f"{engine.about['model']} {request.precision}", engine
    if not found:
        raise RuntimeError("no engine is here: the part engines built none")


def compared_pictures() -> Path:
    """Return the file of what engines are compared and calibrated on, which names them too.

    The photographs that ship, and images of the synthetic camera, in which test models find
    something; written once.
    """
    path = home("cache") / "bench" / "compared.npz"
    if not path.exists():
        written = io.BytesIO()
        drawn = [picture(10 * n, 640, 360) for n in range(DRAWN)]
        np.savez(written, *shipped_pictures(), *drawn)
        write_whole(path, written.getvalue())
    return path


def _figure(what: str, engine: Engine) -> Figure:
    parity = engine.about["parity"]
    report = parity["engine"] or parity["graph"]
    found = "" if engine.fresh else "found, built before; "
    return Figure(
        what=what,
        value=float(engine.about["seconds"]),
        unit="s",
        note=f"{found}{engine.bytes / 1e6:.1f} MB; {parity_words(parity)}",
        more={"bytes": float(engine.bytes), **report["figures"]},
    )


def _precision(name: str) -> Precision:
    assert name in get_args(Precision)
    return name  # type: ignore[return-value] # the plan has checked it
