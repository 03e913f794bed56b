"""Measurements that need a GPU, run by ``mirante bench engines --gpu``."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.models.peak import write_products
from engines.inspect.values import built_for
from engines.names import UnknownNameError
from engines.runtimes import open_session

CUDA = "engines.inspect.basic:open_cuda_session"  # the stand-in where TensorRT is not installed
RUNTIMES = ("tensorrt", "tensorrt-rtx", CUDA)
PROBED = ("sm80", "ampere+")
QUERY = ("name", "compute_cap", "driver_version", "memory.total")


class NoGpuError(RuntimeError):
    """There is no NVIDIA GPU here that can be used."""


class Gpu(NamedTuple):
    """A GPU as its driver describes it; ``architecture`` is such as ``sm90``."""

    name: str
    architecture: str
    driver: str
    memory: str

    def __str__(self) -> str:
        return f"{self.name} ({self.architecture}), {self.memory}, driver {self.driver}"


def find_gpu() -> Gpu:
    """The first GPU.

    Raises:
        NoGpuError: there is none, or no driver.
    """
    command = ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoGpuError(f"--gpu: expected an NVIDIA GPU and its driver: {error}") from error
    if done.returncode or not done.stdout.strip():
        said = (done.stdout + done.stderr).strip() or "nvidia-smi lists none"
        raise NoGpuError(f"--gpu: expected an NVIDIA GPU: {said:.300}")
    return read_gpu(done.stdout.splitlines()[0])


def read_gpu(line: str) -> Gpu:
    """A line of nvidia-smi: name, compute capability, driver, memory."""
    name, capability, driver, memory = (part.strip() for part in line.rsplit(",", 3))
    return Gpu(name, f"sm{capability.replace('.', '')}", driver, memory)


def probe(folder: Path) -> dict[str, str]:
    """Test, by target, whether TensorRT for RTX runs engines built for other GPUs.

    Its builder knows no target for a GPU outside NVIDIA's RTX line, such as an H100; whether its
    runtime then takes an engine for an A100 or for "Ampere and newer" can only be tried.
    """
    path = folder / "probe.onnx"
    write_products(path, side=64, times=1)
    return {target: _try(path, folder, target) for target in PROBED}


def _try(path: Path, folder: Path, target: str) -> str:
    feeds = {"x": np.ones((1, 1), np.float32)}
    try:
        engine = built_for("tensorrt-rtx", path, folder, {}, target)
    except (ImportError, UnknownNameError, RuntimeError) as error:
        return f"not built: {error}"
    try:
        open_session("tensorrt-rtx", engine, 1).run(feeds)
    except (ImportError, RuntimeError) as error:
        return f"refused: {error}"
    return "runs"
