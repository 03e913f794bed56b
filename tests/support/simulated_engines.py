"""TensorRT as a whole on a simulated GPU: ``engines.builder`` builds by it, sessions run on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engines.builder.builders import BUILDERS
from engines.builder.tensorrt import TensorrtBuilder
from engines.runtimes import Session
from engines.runtimes.names import RUNTIMES
from engines.runtimes.tensorrt.cuda import Cuda, Gpu
from engines.runtimes.tensorrt.library import Library
from engines.runtimes.tensorrt.session import TensorrtSession
from tests.support.simulated_builder import BuildingLibrary
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_driver import SimulatedDriver
from tests.support.simulated_tensorrt import Library as SimulatedLibrary

_SUFFIX = ".plan"


@dataclass
class Machine:
    """A machine with a GPU and TensorRT.

    Attributes:
        driver: of the GPU.
        version: of TensorRT.
        cuda: the GPU.
        trt: TensorRT's module.
        sessions: those that were opened.
        kernels: CUDA's driver, with which sessions load our kernels; None for that of the machine.
    """

    driver: str = "580.95.05"
    version: str = "11.4.0.106"
    cuda: SimulatedCuda = field(default_factory=SimulatedCuda)
    sessions: list[TensorrtSession] = field(default_factory=list)
    kernels: SimulatedDriver | None = None

    def __post_init__(self) -> None:
        self.trt = BuildingLibrary(self.cuda, self.version)

    def gpu(self) -> Gpu:
        found = Cuda(self.cuda).gpu()
        return Gpu(found.name, found.architecture, self.driver)

    def builder(self, runtime: str = "tensorrt") -> TensorrtBuilder:
        return TensorrtBuilder(runtime, _SUFFIX, lambda _: Library("tensorrt", self.trt), self.gpu)

    def open(self, path: Path, threads: int) -> Session:
        return self._open("tensorrt", self.trt, path)

    def open_lean(self, path: Path, threads: int) -> Session:
        lean = SimulatedLibrary(self.cuda, self.version, is_lean=True)
        return self._open("tensorrt-lean", lean, path)

    def _open(self, runtime: str, trt: SimulatedLibrary, path: Path) -> Session:
        session = TensorrtSession(Library(runtime, trt), Cuda(self.cuda), path, self.kernels)
        self.sessions.append(session)
        return session

    def close(self) -> None:
        for session in self.sessions:
            session.close()
        self.sessions.clear()
        assert self.cuda.faults == []
        assert self.cuda.open() == {}


here: Machine | None = None
BUILDER: TensorrtBuilder | None = None
LEAN_BUILDER: TensorrtBuilder | None = None


def open_session(path: Path, threads: int) -> Session:
    """What ``RUNTIMES`` names while a machine is simulated."""
    assert here is not None
    return here.open(path, threads)


def open_lean_session(path: Path, threads: int) -> Session:
    """The same for the lean runtime."""
    assert here is not None
    return here.open_lean(path, threads)


def be(machine: Machine, patch: pytest.MonkeyPatch) -> Machine:
    """Let this process be on that machine, until the patch is undone."""
    module = __name__
    patch.setitem(BUILDERS, "tensorrt", f"{module}:BUILDER")
    patch.setitem(BUILDERS, "tensorrt-lean", f"{module}:LEAN_BUILDER")
    patch.setitem(RUNTIMES, "tensorrt", f"{module}:open_session")
    patch.setitem(RUNTIMES, "tensorrt-lean", f"{module}:open_lean_session")
    patch.setattr(f"{module}.here", machine)
    patch.setattr(f"{module}.BUILDER", machine.builder())
    patch.setattr(f"{module}.LEAN_BUILDER", machine.builder("tensorrt-lean"))
    return machine
