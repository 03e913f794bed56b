"""The machine that the parts of the bench measure; tests replace it with doubles.

What a part does not use is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu.nvml import Nvml, NvmlError

if TYPE_CHECKING:
    from engines.batcher import Batchers
    from engines.builder.request import Request
    from engines.cuda.launching import Kernels
    from engines.inspect.values import Arrays
    from engines.model import Model
    from engines.runtimes import Session
    from engines.runtimes.tensorrt.cuda import Cuda
    from engines.runtimes.tensorrt.floor import Load
    from engines.store.engines import Engine

PICTURES = 8
SIZE = 640, 360


def _cuda() -> Cuda:
    from engines.runtimes.tensorrt.cuda import Cuda

    return Cuda()


def _kernels(cuda: Cuda) -> Kernels:
    from engines.cuda.launching import Kernels

    return Kernels(cuda)


def _build(request: Request) -> Engine:
    from engines.builder.build import build

    return build(request)


def _find(request: Request) -> Engine | None:
    from engines.builder.build import find

    return find(request)


def _open(runtime: str, path: Path) -> Session:
    from engines.runtimes import open_session

    return open_session(runtime, path, 1)


def _feeds(engine: Engine, session: Session) -> Sequence[Arrays]:
    from engines.inspect.values import fed
    from engines.manifest import read
    from pipeline.cameras.synthetic import picture

    spec = read(engine.manifest).input
    return [fed(spec, session.inputs, picture(10 * n, *SIZE)) for n in range(PICTURES)]


def _floor(runtime: str, path: Path, load: Load) -> float:
    from engines.runtimes.tensorrt.floor import measure_floor

    return measure_floor(path, runtime, load).pictures_per_s


def _load(manifest: Path, batchers: Batchers) -> Model:
    from engines.model import load

    return load(str(manifest), batchers=batchers)


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
        floor: images a second of the bare loop: runtime, engine's file, how it is loaded.
        load: a model by its manifest, which shares its calls with others.
    """

    cuda: Callable[[], Cuda] = _cuda
    kernels: Callable[[Cuda], Kernels] = _kernels
    nvml: Callable[[], Nvml] = Nvml
    build: Callable[[Request], Engine] = _build
    find: Callable[[Request], Engine | None] = _find
    open: Callable[[str, Path], Session] = _open
    feeds: Callable[[Engine, Session], Sequence[Arrays]] = _feeds
    floor: Callable[[str, Path, Load], float] = _floor
    load: Callable[[Path, Batchers], Model] = _load

    def used_bytes(self) -> int | None:
        """Return the bytes of the GPU's memory in use; None where NVML does not tell, which the
        watts say.
        """
        try:
            with self.nvml() as nvml:
                return nvml.used_bytes()
        except NvmlError:
            return None
