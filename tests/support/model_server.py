"""A server of models for the tests, over HTTP; it can be told to fail.

The Open Inference Protocol and TensorFlow Serving's REST API, as their specifications say, executed
by ONNX Runtime.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from tests.support.onnx_networks import run_by
from tests.support.ports import free_port

# ONNX Runtime's name, version 2's, TensorFlow's, NumPy's.
TYPES = [
    ("tensor(float)", "FP32", "DT_FLOAT", np.float32),
    ("tensor(float16)", "FP16", "DT_HALF", np.float16),
    ("tensor(uint8)", "UINT8", "DT_UINT8", np.uint8),
    ("tensor(int64)", "INT64", "DT_INT64", np.int64),
    ("tensor(bool)", "BOOL", "DT_BOOL", np.bool_),
    ("tensor(string)", "BYTES", "DT_STRING", np.object_),
]
V2 = {row[0]: row[1] for row in TYPES}
TENSORFLOW = {row[0]: row[2] for row in TYPES}
OF_V2 = {row[1]: row[3] for row in TYPES}
TO_V2 = {np.dtype(row[3]): row[1] for row in TYPES}
FAULTS = (
    "hang",
    "error",
    "drop",
    "drip",
    "creep",
    "shape",
    "nan",
    "gone",
    "garbage",
    "nameless",
    "short",
)


class NoSuchModelError(LookupError):
    pass


@dataclass
class Models:
    """What is served, and what is to go wrong.

    Attributes:
        fault: one of ``FAULTS``, for the next ``times`` inferences.
        asked: how many inferences were asked for.
    """

    sessions: dict[str, ort.InferenceSession] = field(default_factory=dict)
    fault: str = ""
    times: int = 0
    asked: int = 0
    credentials: str | None = None
    extensions: tuple[str, ...] = ("binary_tensor_data",)
    release: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, path: Path) -> None:
        self.sessions[name] = run_by(str(path))

    def fail(self, fault: str, times: int = 1) -> None:
        assert fault in FAULTS
        self.fault, self.times, self.asked = fault, times, 0
        self.release.clear()

    def take_fault(self) -> str:
        self.asked += 1
        self.times -= 1
        fault = self.fault if self.times >= 0 else ""
        if fault == "hang":
            self.release.wait(30)
        return fault

    def session(self, name: str) -> ort.InferenceSession:
        if name not in self.sessions:
            raise NoSuchModelError(name)
        return self.sessions[name]

    def run(
        self, name: str, feeds: Mapping[str, NDArray[Any]], fault: str
    ) -> dict[str, NDArray[Any]]:
        session = self.session(name)
        names = [node.name for node in session.get_outputs()]
        found = dict(zip(names, session.run(names, dict(feeds)), strict=True))
        if fault == "shape":
            return {name: value[..., :-1] for name, value in found.items()}
        if fault == "nan":
            return {name: np.full_like(value, np.nan) for name, value in found.items()}
        if fault == "nameless":
            return {f"{name}_2": value for name, value in found.items()}
        return found

    def allows(self, authorization: str | None) -> bool:
        wanted = base64.b64encode((self.credentials or "").encode()).decode()
        return self.credentials is None or authorization == f"Basic {wanted}"


def axes(node: Any) -> list[int]:
    return [axis if isinstance(axis, int) else -1 for axis in node.shape]


class Handler(BaseHTTPRequestHandler):
    """Version 2 below ``/v2``, TensorFlow Serving below ``/v1``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    models: Models

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if not self.models.allows(self.headers.get("Authorization")):
            return self.say({"error": "who are you?"}, 401)
        match self.path.strip("/").split("/"):
            case ["v2"]:
                extensions = list(self.models.extensions)
                return self.say({"name": "double", "version": "1", "extensions": extensions})
            case ["v2", "models", name] | ["v2", "models", name, "versions", "1"]:
                return self.guarded(lambda: self.say(self.metadata_v2(name)))
            case ["v1", "models", name, "metadata"] | [
                "v1",
                "models",
                name,
                "versions",
                "1",
                "metadata",
            ]:
                return self.guarded(lambda: self.say(self.metadata_v1(name)))
        return self.say({"error": f"no such path: {self.path}"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.models.allows(self.headers.get("Authorization")):
            return self.say({"error": "who are you?"}, 401)
        fault = self.models.take_fault()
        if fault in ("drop", "hang"):
            self.close_connection = True
        elif fault in ("error", "gone"):
            self.say({"error": "out of\nmemory"}, 500 if fault == "error" else 400)
        elif fault == "creep":
            self.creep(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 4096)
        elif fault == "garbage":
            self.send(b"<html>a proxy's page</html>", {})
        else:
            self.infer(body, fault)
        return None

    def infer(self, body: bytes, fault: str) -> None:
        match self.path.strip("/").split("/"):
            case ["v2", "models", name, "infer"] | ["v2", "models", name, _, "1", "infer"]:
                return self.guarded(lambda: self.infer_v2(name, body, fault))
            case ["v1", "models", name, *_] if self.path.endswith(":predict"):
                name = name.removesuffix(":predict")
                return self.guarded(lambda: self.predict_v1(name, json.loads(body), fault))
        return self.say({"error": f"no such path: {self.path}"}, 404)

    def guarded(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except NoSuchModelError as error:
            self.say({"error": f"Request for unknown model: {error}"}, 404)

    def metadata_v2(self, name: str) -> dict[str, Any]:
        session = self.models.session(name)

        def tensors(nodes: Any) -> list[dict[str, Any]]:
            return [{"name": n.name, "datatype": V2[n.type], "shape": axes(n)} for n in nodes]

        return {
            "name": name,
            "versions": ["1"],
            "platform": "onnxruntime",
            "inputs": tensors(session.get_inputs()),
            "outputs": tensors(session.get_outputs()),
        }

    def metadata_v1(self, name: str) -> dict[str, Any]:
        session = self.models.session(name)

        def tensors(nodes: Any) -> dict[str, Any]:
            return {
                n.name: {
                    "dtype": TENSORFLOW[n.type],
                    "tensor_shape": {
                        "dim": [{"size": str(a), "name": ""} for a in axes(n)],
                        "unknown_rank": False,
                    },
                    "name": f"{n.name}:0",
                }
                for n in nodes
            }

        signature = {
            "inputs": tensors(session.get_inputs()),
            "outputs": tensors(session.get_outputs()),
            "method_name": "tensorflow/serving/predict",
        }
        return {
            "model_spec": {"name": name, "signature_name": "", "version": "1"},
            "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
        }

    def infer_v2(self, name: str, body: bytes, fault: str) -> None:
        length = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        request, at = json.loads(body[:length]), length
        feeds: dict[str, NDArray[Any]] = {}
        for tensor in request["inputs"]:
            dtype = OF_V2[tensor["datatype"]]
            if size := tensor.get("parameters", {}).get("binary_data_size"):
                array: NDArray[Any] = np.frombuffer(body[at : at + size], dtype)
                at += size
            else:
                array = np.array(tensor["data"], dtype)
            feeds[tensor["name"]] = array.reshape(tensor["shape"])
        assert at == len(body)
        binary = request["outputs"][0]["parameters"]["binary_data"]
        outputs, blobs = [], []
        for output, value in self.models.run(name, feeds, fault).items():
            shape = list(value.shape)
            entry: dict[str, Any] = {"name": output, "datatype": TO_V2[value.dtype], "shape": shape}
            if binary:
                entry["parameters"] = {"binary_data_size": value.nbytes}
                blobs.append(value.tobytes())
            else:
                entry["data"] = value.ravel().tolist()
            outputs.append(entry)
        head = json.dumps({"model_name": name, "model_version": "1", "outputs": outputs}).encode()
        content = b"".join([head, *blobs])
        headers = {"Inference-Header-Content-Length": str(len(head))} if binary else {}
        self.send(content[:-8] if fault == "short" else content, headers, fault)

    def predict_v1(self, name: str, request: dict[str, Any], fault: str) -> None:
        nodes = {n.name: n for n in self.models.session(name).get_inputs()}
        kinds = {row[0]: row[3] for row in TYPES}
        assert request["signature_name"] == "serving_default"
        feeds: dict[str, NDArray[Any]] = {
            k: np.array(v, kinds[nodes[k].type]) for k, v in request["inputs"].items()
        }
        found = {k: v.tolist() for k, v in self.models.run(name, feeds, fault).items()}
        sole = fault != "nameless" and len(found) == 1
        content = json.dumps({"outputs": next(iter(found.values())) if sole else found}).encode()
        self.send(content[:-8] if fault == "short" else content, {}, fault)

    def say(self, answer: Any, status: int = 200) -> None:
        self.send(json.dumps(answer).encode(), {"Content-Type": "application/json"}, "", status)

    def send(
        self, content: bytes, headers: Mapping[str, str], fault: str = "", status: int = 200
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if fault == "drip":
            self.creep(content)
        else:
            self.wfile.write(content)

    def creep(self, content: bytes) -> None:
        """A byte now and then, for longer than anybody waits."""
        for at in range(len(content)):
            if self.models.release.wait(0.05):
                break
            self.wfile.write(content[at : at + 1])
        self.close_connection = True


class HttpServer:
    """The double over HTTP, at a port that stays its own over ``stop`` and ``start``."""

    def __init__(self, models: Models, tls: tuple[Path, Path] | None = None) -> None:
        self.models, self._tls, self.port = models, tls, free_port()
        self.start()

    def start(self) -> None:
        handler = type("Bound", (Handler,), {"models": self.models})
        self._server = _Server(("127.0.0.1", self.port), handler)
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Ends the server and its connections."""
        self.models.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """One that ends its open connections when it is closed, as a server's process does."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away

    def server_close(self) -> None:
        super().server_close()
        for request in list(self._open):
            self.shutdown_request(request)
