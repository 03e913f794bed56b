"""A part of ``mirante bench gpu`` in a process of its own: it may hang, crash or lose its GPU.

python -m benchmarks.gpu.child benchmarks.gpu.kernels:measure gpu,nvrtc '{"seconds": …}' writes a
line of JSON for each figure as soon as it is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec

from benchmarks.gpu.figures import Figure, Said
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.needs import lacks, words_of
from engines.commands import names_in
from engines.names import resolve

Measure = Callable[[Job, Here], Iterator[Figure]]


def said_by(measure: Measure, needs: Sequence[str], job: Job, here: Here) -> Iterator[Said]:
    """Yield what a part says: all that it lacks, or its figures, and how it ended."""
    if missing := [words for need in needs if (words := lacks(need, job, here))]:
        yield Said(why="; ".join(missing))
        return
    try:
        for figure in measure(job, here):
            yield Said(figure=figure)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        yield Said(why=words_of(error))
    else:
        yield Said(done=True)


def main() -> None:
    """Run one part."""
    target, needs, text = sys.argv[1:]
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print what they like
        measure: Measure = resolve("part", target, {})
        for said in said_by(measure, names_in(needs), Job.read(text), Here()):
            out.write(msgspec.json.encode(said) + b"\n")
            out.flush()


if __name__ == "__main__":
    main()
