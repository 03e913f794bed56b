"""The runtimes that the contract is tested over, and networks that each of them opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from engines.manifest import WEIGHTS, ZOO, find, read
from engines.preprocess import Preprocessor
from engines.runtimes import Session, open_remote_session, open_session
from engines.runtimes.remote.server import Server
from tests.support.grpc_model_server import GrpcServer
from tests.support.model_server import HttpServer, Models
from tests.support.onnx_networks import floats, save
from tests.support.shared_clips import clip_frame
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_tensorrt import Library as SimulatedLibrary
from tests.support.simulated_tensorrt import engine_bytes
from tests.support.tensorrt_sessions import VERSIONS, Bench
from tests.support.triton_server import triton

Feeds = dict[str, NDArray[Any]]
Add = Callable[[str, Path], None]
LOCAL = ("onnxruntime", "openvino", "litert")
DOUBLES = ("kserve-http", "kserve-grpc", "tf-serving")
REAL = ("kserve-http of Triton", "kserve-grpc of Triton")
SIMULATED = ("tensorrt, simulated", "tensorrt-rtx, simulated")
# Least, likeliest and largest shape, of an engine for every network here.
PROFILES = {"images": ((1, 3, 4, 8), (1, 3, 192, 320), (8, 3, 320, 320))}


@dataclass
class Case:
    """One network in one runtime, and the same in ONNX Runtime.

    Attributes:
        feeds: real frames, or what the network is made for.
        batch: the same of another batch or size; None where the network has one only.
        names: of the inputs and outputs in ``session``, by those of ``reference``.
        tolerance: of outputs, of which the largest are about 1 to 500.
    """

    session: Session
    reference: Session
    feeds: Feeds
    batch: Feeds
    names: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 1e-3

    def name(self, name: str) -> str:
        return self.names.get(name, name)


class Opener:
    """Opens ONNX files in each runtime; starts servers when they are first asked for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack, self._served = folder, stack, 0

    def __call__(self, runtime: str, path: Path) -> Session:
        if runtime in LOCAL:
            return open_session(runtime, path, 1)
        if runtime in SIMULATED:
            return self._simulated(runtime, path)
        self._served += 1
        name = f"{path.stem}-{self._served}"
        add, url = self._triton(runtime) if runtime in REAL else self._double(runtime)
        add(name, path)
        server = Server(url=url, model=name, timeout_s=60)
        return open_remote_session(runtime.partition(" ")[0], server)

    def _simulated(self, runtime: str, path: Path) -> Session:
        kind = "rtx" if "rtx" in runtime else "11"
        engine = self._folder / f"{path.stem}-{kind}.engine"
        is_rtx = kind == "rtx"
        engine.write_bytes(engine_bytes(path, VERSIONS[kind], PROFILES, is_rtx=is_rtx))
        cuda = SimulatedCuda()
        library = SimulatedLibrary(cuda, VERSIONS[kind], is_rtx=is_rtx)
        return Bench(kind, path, engine, cuda, library).open()

    def _double(self, runtime: str) -> tuple[Add, str]:
        models, http, grpc = self._doubles()
        port = grpc.port if runtime == "kserve-grpc" else http.port
        return models.add, f"{'grpc' if runtime == 'kserve-grpc' else 'http'}://127.0.0.1:{port}"

    def _triton(self, runtime: str) -> tuple[Add, str]:
        server = self._real()
        if runtime.startswith("kserve-grpc"):
            return server.add, f"grpc://127.0.0.1:{server.grpc_port}"
        return server.add, f"http://127.0.0.1:{server.http_port}"

    @lru_cache(maxsize=1)  # noqa: B019 - lives as long as the test module
    def _doubles(self) -> tuple[Models, HttpServer, GrpcServer]:
        models = Models()
        http, grpc = HttpServer(models), GrpcServer(models)
        self._stack.callback(http.stop)
        self._stack.callback(grpc.stop)
        return models, http, grpc

    @lru_cache(maxsize=1)  # noqa: B019
    def _real(self) -> Any:
        return self._stack.enter_context(triton(self._folder))


def tiny(path: Path) -> Path:
    """A network of any batch and size, two outputs, and a name that few would choose.

    1 / mean of each channel, infinite where an image is black, and the brightest channel.
    """
    node = helper.make_node
    nodes = [
        node("GlobalAveragePool", ["images"], ["mean"]),
        node("Flatten", ["mean"], ["flat"]),
        node("Reciprocal", ["flat"], ["one, by/mean:0"]),
        node("ArgMax", ["flat"], ["brightest"], axis=1, keepdims=0),
    ]
    brightest = helper.make_tensor_value_info("brightest", TensorProto.INT64, ["n"])
    outputs = [floats("one, by/mean:0", ["n", 3]), brightest]
    return save(path, nodes, {}, [floats("images", ["n", 3, "h", "w"])], outputs)


def tiny_case(runtime: str, folder: Path, opener: Opener) -> Case:
    path = tiny(folder / "tiny.onnx")
    noise = np.random.default_rng(0).random((2, 3, 8, 12), np.float32)
    reference = open_session("onnxruntime", path, 1)
    return Case(opener(runtime, path), reference, {"images": noise}, {"images": noise[:1, :, :4]})


def street_case(runtime: str, folder: Path, opener: Opener) -> Case:
    path = WEIGHTS / "street.onnx"
    spec = find("street").input
    preprocess = Preprocessor(spec, np.dtype(np.float32))
    tensor = preprocess.frame(clip_frame("highway.mp4", 40))[0].copy()
    reference = open_session("onnxruntime", path, 1)
    smaller = {"images": np.ascontiguousarray(tensor[:, :, :64, 96:192])}
    return Case(opener(runtime, path), reference, {"images": tensor}, smaller, tolerance=2e-2)


def unet_face_case(weights: Path, runtime: str) -> Case:
    """The U-Net's own TF Lite file against the ONNX file that was made of it."""
    manifest = read(ZOO / "unet-face.yaml")
    preprocess = Preprocessor(manifest.input, np.dtype(np.float32))
    frames = [preprocess.frame(clip_frame("carphone.mp4", i))[0].copy() for i in (0, 30)]
    session = open_session(runtime, weights / "unet_face_fp32.tflite", 1)
    reference = open_session("onnxruntime", weights / "unet_face_seg_256.onnx", 1)
    source = manifest.input.name
    output = next(iter(reference.outputs))
    names = {source: "image_input", output: "output_0"}
    both = {"image_input": np.concatenate(frames)}
    return Case(session, reference, {"image_input": frames[0]}, both, names, 1e-2)


def opened(tmp: Path) -> Iterator[Opener]:
    with ExitStack() as stack:
        yield Opener(tmp, stack)


def need(runtime: str) -> None:
    """Skips the test where the runtime's library is not installed."""
    libraries = {"openvino": "openvino", "litert": "ai_edge_litert", "tf-serving": "httpcore"}
    libraries |= {"kserve-http": "httpcore", "kserve-grpc": "tritonclient.grpc"}
    if library := libraries.get(runtime.partition(" ")[0]):
        pytest.importorskip(library, reason=f"{library} is not installed")
