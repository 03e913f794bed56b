"""Tensors in the Open Inference Protocol, version 2, over HTTP: JSON, with tensors in binary behind
it where the server knows that extension.

Source: the protocol's specification (open-inference-protocol) and Triton's extension
``binary_tensor_data``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.runtimes import TensorInfo, Tensors

DTYPES: Mapping[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


def declared(tensors: Iterable[Mapping[str, Any]]) -> dict[str, TensorInfo]:
    """Inputs or outputs out of a model's metadata.

    Raises:
        ValueError: they are of a type that is no number, such as BYTES.
        KeyError, TypeError: they are no metadata.
    """
    infos = {}
    for tensor in tensors:
        name, kind = str(tensor["name"]), tensor["datatype"]
        if kind not in DTYPES:
            raise ValueError(f"{name} is {kind}; expected one of {', '.join(DTYPES)}")
        axes = tuple(int(axis) for axis in tensor["shape"])
        shape = tuple(None if axis < 0 else axis for axis in axes)
        infos[name] = TensorInfo(shape, np.dtype(DTYPES[kind]))
    return infos


def encode(feeds: Tensors, outputs: Iterable[str], binary: bool) -> tuple[bytes, int]:
    """The body of a request and how much of it is JSON; the tensors lie behind that in ``binary``.

    Without ``binary`` they are in the JSON, which takes some ten times as long.
    """
    inputs, blobs = [], []
    for name, array in feeds.items():
        tensor: dict[str, Any] = {
            "name": name,
            "shape": list(array.shape),
            "datatype": NAMES[array.dtype],
        }
        if binary:
            blobs.append(array.tobytes())
            tensor["parameters"] = {"binary_data_size": array.nbytes}
        else:
            tensor["data"] = array.ravel().tolist()
        inputs.append(tensor)
    wanted = [{"name": name, "parameters": {"binary_data": binary}} for name in outputs]
    head = msgspec.json.encode({"inputs": inputs, "outputs": wanted})
    return b"".join([head, *blobs]), len(head)


def decode(body: bytes, head_bytes: int) -> dict[str, NDArray[Any]]:
    """The outputs in a reply of which the first ``head_bytes`` are JSON, in arrays of their own.

    Raises:
        ValueError, KeyError, TypeError: it is no such reply.
    """
    at, found = head_bytes, {}
    for tensor in json.loads(body[:head_bytes])["outputs"]:
        dtype, shape = np.dtype(DTYPES[tensor["datatype"]]), tensor["shape"]
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            array = np.array(tensor["data"], dtype)
        else:
            # Copied: what lies behind JSON is aligned to nothing.
            array = np.frombuffer(body[at : at + size], dtype).copy()
            at += size
        found[str(tensor["name"])] = array.reshape(shape)
    return found
