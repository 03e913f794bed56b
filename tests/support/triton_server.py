"""A real Triton Inference Server, from the package nvidia-pytriton, on free ports of loopback.

Looked for in the folder that MIRANTE_TRITON names, else in ``.cache/triton``:

    pip install --no-deps --target .cache/triton nvidia-pytriton==0.7.0

Without its dependencies: it wants an older NumPy, and only the server is used. It runs ONNX files
through Triton's Python backend and the ONNX Runtime of the tests' own environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort
import pytest

from tests.support import ROOT
from tests.support.ports import free_port

TYPES = {"tensor(float)": "FP32", "tensor(uint8)": "UINT8", "tensor(int64)": "INT64"}
# NumPy 2's arrays are not those that the backend was built for, so they go through DLPack.
MODEL = """
import sys
sys.path.insert(0, {packages!r})
import numpy
import onnxruntime
import triton_python_backend_utils as triton

class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession({path!r}, options)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        feeds = {{
            node.name: numpy.from_dlpack(triton.get_input_tensor_by_name(request, node.name))
            for node in self.session.get_inputs()
        }}
        names = [node.name for node in self.session.get_outputs()]
        found = self.session.run(names, feeds)
        tensors = [triton.Tensor.from_dlpack(n, v) for n, v in zip(names, found)]
        return triton.InferenceResponse(tensors)
"""


@dataclass
class Triton:
    """Where it listens, and the repository that it serves models of."""

    http_port: int
    grpc_port: int
    repository: Path

    def add(self, name: str, path: Path) -> None:
        """Serves an ONNX file."""
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        lines = ['backend: "python"', "instance_group [{ kind: KIND_CPU }]"]
        for side, nodes in (("input", session.get_inputs()), ("output", session.get_outputs())):
            for node in nodes:
                dims = [axis if isinstance(axis, int) else -1 for axis in node.shape]
                kind = TYPES[node.type]
                lines.append(
                    f'{side} {{ name: "{node.name}" data_type: TYPE_{kind} dims: {dims} }}'
                )
        folder = self.repository / name / "1"
        folder.mkdir(parents=True)
        packages = str(Path(ort.__file__).parents[1])
        (folder / "model.py").write_text(MODEL.format(packages=packages, path=str(path.resolve())))
        (folder.parent / "config.pbtxt").write_text("\n".join(lines))
        _post(f"http://127.0.0.1:{self.http_port}/v2/repository/models/{name}/load")


@contextmanager
def triton(folder: Path) -> Iterator[Triton]:
    """A server that serves nothing yet; skips the test where it is not installed."""
    home = Path(os.environ.get("MIRANTE_TRITON", ROOT / ".cache" / "triton"))
    server = home / "pytriton" / "tritonserver"
    stub = server / "python_backend_stubs" / f"3.{sys.version_info.minor}"
    if not stub.is_dir():
        pytest.skip(f"no Triton for Python 3.{sys.version_info.minor} in {home}: {__doc__}")
    backend, repository = folder / "backends" / "python", folder / "models"
    backend.mkdir(parents=True)
    repository.mkdir()
    for path in [*(server / "backends" / "python").iterdir(), *stub.iterdir()]:
        (backend / path.name).symlink_to(path)
    ports = free_port(), free_port()
    command = [
        str(server / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backend.parent}",
        "--model-control-mode=explicit",
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        f"--http-port={ports[0]}",
        f"--grpc-port={ports[1]}",
        "--allow-metrics=false",
        "--exit-timeout-secs=2",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(process, ports[0], folder / "log")
        yield Triton(ports[0], ports[1], repository)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(repository)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST", data=b""), timeout=30):
        pass
