"""Models on TensorFlow Serving, by its REST API: ``/metadata`` and ``:predict``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.runtimes import Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.remote.http import Http
from engines.runtimes.remote.remote import Remote
from engines.runtimes.remote.server import Server

SIGNATURE = "serving_default"
_DTYPES: Mapping[str, Any] = {
    "DT_BOOL": np.bool_,
    "DT_UINT8": np.uint8,
    "DT_UINT16": np.uint16,
    "DT_UINT32": np.uint32,
    "DT_UINT64": np.uint64,
    "DT_INT8": np.int8,
    "DT_INT16": np.int16,
    "DT_INT32": np.int32,
    "DT_INT64": np.int64,
    "DT_HALF": np.float16,
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
}


class TfServingSession:
    """The signature ``serving_default`` of a model of a server; safe to run from several threads.

    The API has JSON only: an image of 320x320 is 6 MB of text. Send uint8 where the model takes
    it, or use ``kserve-grpc`` on a server that knows it.
    """

    def __init__(self, server: Server) -> None:
        self._remote = Remote(server)
        self._http = Http(self._remote)
        self._path = f"/v1/{server.path}"
        metadata = self._http.get(f"{self._path}/metadata")
        try:
            signatures = metadata["metadata"]["signature_def"]["signature_def"]
            if SIGNATURE not in signatures:
                raise ValueError(f"no signature {SIGNATURE}, but {', '.join(signatures)}")
            signature = signatures[SIGNATURE]
            self.inputs: Mapping[str, TensorInfo] = _declared(signature["inputs"])
            self.outputs: Mapping[str, TensorInfo] = _declared(signature["outputs"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._remote.refuse(f"its metadata cannot be used: {error}") from None

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
            RemoteError: the server is out of reach, too slow, refuses, or answers other tensors.
        """
        check_feeds(self.inputs, feeds)
        inputs = {name: array.tolist() for name, array in feeds.items()}
        body = msgspec.json.encode({"signature_name": SIGNATURE, "inputs": inputs})
        headers = {"Content-Type": "application/json"}
        answer = self._http.send("POST", f"{self._path}:predict", body, headers)
        try:
            values = self._http.parse(answer.body)["outputs"]
            if len(self.outputs) == 1:  # whose name is then left out
                values = {next(iter(self.outputs)): values}
            infos = self.outputs.items()
            got = {n: np.array(values[n], info.dtype) for n, info in infos if n in values}
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise self._remote.refuse(f"answered with an invalid reply: {error}") from None
        return self._remote.check_answer(self.outputs, got)


def _declared(tensors: Mapping[str, Any]) -> dict[str, TensorInfo]:
    infos = {}
    for name, tensor in tensors.items():
        kind, form = tensor["dtype"], tensor["tensor_shape"]
        if kind not in _DTYPES:
            raise ValueError(f"{name} is {kind}; expected one of {', '.join(_DTYPES)}")
        if form.get("unknown_rank"):
            raise ValueError(f"{name} has any number of axes; expected a fixed one")
        axes = (int(axis["size"]) for axis in form.get("dim", ()))
        shape = tuple(None if axis < 0 else axis for axis in axes)
        infos[name] = TensorInfo(shape, np.dtype(_DTYPES[kind]))
    return infos


def open_session(server: Server) -> Session:
    """The session of a model, after asking the server for the model's inputs and outputs.

    Raises:
        ImportError: httpcore is not installed.
        RemoteError: the server is out of reach or has no such model.
        ValueError: the address names an environment variable that is not set.
    """
    return TfServingSession(server)
