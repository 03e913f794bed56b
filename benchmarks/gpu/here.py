"""What the parts measure with; tests put doubles in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.nvml import Nvml
from engines.builder.build import build, find
from engines.builder.request import Request
from engines.cuda.launching import Kernels
from engines.inspect.values import Arrays, fed
from engines.manifest import read
from engines.runtimes import Session, open_session
from engines.runtimes.tensorrt.cuda import Cuda
from engines.store.engines import Engine
from pipeline.cameras.synthetic import picture

PICTURES = 8
SIZE = 640, 360


def _open(runtime: str, path: Path) -> Session:
    return open_session(runtime, path, 1)


def _feeds(engine: Engine, session: Session) -> Sequence[Arrays]:
    spec = read(engine.manifest).input
    return [fed(spec, session.inputs, picture(10 * n, *SIZE)) for n in range(PICTURES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine.

    Attributes:
        cuda: CUDA's runtime.
        kernels: ours, loaded.
        nvml: NVIDIA's management library.
        build, find: an engine, and the one that was built before.
        open: a session of a runtime.
        feeds: what such a session is fed for each of some images.
    """

    cuda: Callable[[], Cuda] = Cuda
    kernels: Callable[[Cuda], Kernels] = Kernels
    nvml: Callable[[], Nvml] = Nvml
    build: Callable[[Request], Engine] = build
    find: Callable[[Request], Engine | None] = find
    open: Callable[[str, Path], Session] = _open
    feeds: Callable[[Engine, Session], Sequence[Arrays]] = _feeds
