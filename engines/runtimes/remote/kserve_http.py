"""Models on a server of the Open Inference Protocol (KServe v2) over HTTP: Triton, MLServer, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from engines.runtimes import Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.remote.http import Http
from engines.runtimes.remote.open_inference import declared, decode, encode
from engines.runtimes.remote.remote import Remote
from engines.runtimes.remote.server import Server

_HEAD = "inference-header-content-length"


class KserveHttpSession:
    """A model of a server; safe to run from several threads.

    Tensors are written here: tritonclient's HTTP client is of one thread only, runs on gevent, and
    is no faster.
    """

    def __init__(self, server: Server) -> None:
        self._remote = Remote(server)
        self._http = Http(self._remote)
        self._path = f"/v2/{server.path}"
        try:
            metadata = self._http.get(self._path)
            self.inputs: Mapping[str, TensorInfo] = declared(metadata["inputs"])
            self.outputs: Mapping[str, TensorInfo] = declared(metadata["outputs"])
            extensions = self._http.get("/v2").get("extensions") or ()
            self._binary = "binary_tensor_data" in extensions
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._remote.refuse(f"its metadata cannot be used: {error}") from None

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, in arrays of their own.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
            RemoteError: the server is out of reach, too slow, refuses, or answers other tensors.
        """
        check_feeds(self.inputs, feeds)
        body, head = encode(feeds, self.outputs, self._binary)
        headers = {"Content-Type": "application/json"}
        if self._binary:
            headers = {"Content-Type": "application/octet-stream", _HEAD: str(head)}
        answer = self._http.send("POST", f"{self._path}/infer", body, headers)
        try:
            got = decode(answer.body, int(answer.headers.get(_HEAD, len(answer.body))))
        except (ValueError, KeyError, TypeError) as error:
            raise self._remote.refuse(f"answered with an invalid reply: {error}") from None
        return self._remote.check_answer(self.outputs, got)


def open_session(server: Server) -> Session:
    """The session of a model, after asking the server for the model's inputs and outputs.

    Raises:
        ImportError: httpcore is not installed.
        RemoteError: the server is out of reach or has no such model.
        ValueError: the address names an environment variable that is not set.
    """
    return KserveHttpSession(server)
