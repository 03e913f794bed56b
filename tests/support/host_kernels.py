"""The kernels of ``engines.cuda`` compiled as C++ for the processor here, and what stands for a GPU
that runs them: ``engines.cuda.launching`` runs on it unchanged.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engines.cuda.compiling import FOLDER, KERNELS
from engines.cuda.launching import Launch

BARRIERS = {"pick_rows"}
_SHIM = str(Path(__file__).parent / "kernels" / "host.cpp")
_FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")


class Host:
    """The kernels of this machine's processor."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._numbers = {name: number for number, name in enumerate(KERNELS)}
        self._one_at_a_time = threading.Lock()
        self._library.float_of.restype = ctypes.c_float

    def run(self, work: Launch, backwards: bool = False, barriers: bool | None = None) -> None:
        """Run every thread, in one order or the other.

        Args:
            work: with addresses of host memory.
            backwards: begins with the last block, and in each with the last thread.
            barriers: whether threads wait for each other; None for what the kernel does.
        """
        waits = work.kernel in BARRIERS if barriers is None else barriers
        extents = (np.array(extent, np.uint32) for extent in (work.grid, work.block))
        grid, block = (each.ctypes.data_as(ctypes.c_void_p) for each in extents)
        parameters = ctypes.c_void_p(work.parameters.ctypes.data)
        number = self._numbers[work.kernel]
        how = int(waits), int(backwards)
        with self._one_at_a_time:  # where a thread is, it knows by variables of the whole process
            failed = self._library.launch(number, grid, block, parameters, *how)
        assert failed == 0, f"{work.kernel}: barriers are misused ({failed})"

    def size_of(self, structure: int) -> int:
        """Return the bytes of Fill, Pack or Sift."""
        return int(self._library.size_of(structure))

    def half_of(self, value: float) -> int:
        """Return the bits of a float16."""
        return int(self._library.half_of(ctypes.c_float(value))) & 0xFFFF

    def float_of(self, bits: int) -> float:
        """Return the value of the bits of a float16."""
        return float(self._library.float_of(bits))


@cache
def built() -> Host:
    """Return the kernels, built once in a process; skips where there is no compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ here, which compiles the kernels for the processor (apt: g++)")
    with tempfile.TemporaryDirectory() as folder:  # what is loaded stays when its file is gone
        library = Path(folder) / "kernels.so"
        command = [compiler, *_FLAGS, "-shared", "-fPIC", f"-I{FOLDER}", "-o", str(library), _SHIM]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Host(library)
