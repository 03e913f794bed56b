"""A trained network as an ONNX file, from which training can also continue."""

from __future__ import annotations

import copy
import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from engines.manifest import read

INPUT, OUTPUT = "images", "output"
OPSET = 17
HALF = ".float16"  # behind the name of a kernel that is stored so
TOLERANCE = 1e-4  # of the largest value of the same channel


class ExportError(RuntimeError):
    """The file does not say what the network says."""


def export(network: nn.Module, size: tuple[int, int], path: Path, half: bool = True) -> None:
    """Writes ``network`` with input ``images`` (1, 3, h, w) RGB in 0..1 and output ``output``.

    Batch norms stay nodes of their own, and every weight keeps its name, so that ``stored_weights``
    can read them back; runtimes fold the norms when they load the file.

    Args:
        network: on any device; one output. It is not changed.
        size: width and height that the file is made and tried with. Other sizes work too.
        path: of the file.
        half: store kernels as float16, half the size; they are float32 again once loaded.

    Raises:
        ExportError: ONNX Runtime's answer differs from PyTorch's by more than ``TOLERANCE``.
    """
    network = copy.deepcopy(network).cpu().eval()
    if half:
        _round(network)
    noise = torch.rand(1, 3, size[1], size[0], generator=torch.Generator().manual_seed(0))
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            network,
            (noise,),
            str(path),
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamic_axes={INPUT: {2: "height", 3: "width"}},
        )
    model = onnx.load(path)
    if half:
        _store_half(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    _compare(network, path, noise)


def stored_weights(path: Path) -> dict[str, Tensor]:
    """The weights in an exported file, float32, by their names in the network that was trained."""
    return {
        tensor.name.removesuffix(HALF).removeprefix("network."): torch.from_numpy(
            numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in onnx.load(path).graph.initializer
    }


def _round(network: nn.Module) -> None:
    """Round weights to float16 in PyTorch too, so that both sides can be compared."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half().float())


def _store_half(model: onnx.ModelProto) -> None:
    """Kernels as float16 with a cast behind each; norms and biases are few and stay exact."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        name = tensor.name
        value = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(value, name + HALF))
        casts.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _compare(network: nn.Module, path: Path, noise: Tensor) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = session.run([OUTPUT], {INPUT: noise.numpy()})[0]
    with torch.no_grad():
        expected = network(noise).numpy()
    others = (0, *range(2, expected.ndim))
    gaps = np.abs(got - expected).max(axis=others) / np.abs(expected).max(axis=others)
    gap = float(gaps.max())
    if not gap <= TOLERANCE:
        raise ExportError(f"{path}: differs from PyTorch by {gap:.2g}, expected {TOLERANCE:g}")


def write_manifest(weights: Path, name: str, **keys: Any) -> Path:
    """Writes ``name``.yaml beside an exported file; ``mirante up`` runs it by that path.

    Args:
        weights: the ONNX file.
        name: the model's.
        keys: all else that a ``Manifest`` holds, but for what the file itself tells.

    Raises:
        ManifestError: a key is missing or wrong.
    """
    data = weights.read_bytes()
    manifest = {
        "name": name,
        "file": weights.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        **keys,
    }
    path = weights.with_name(f"{name}.yaml")
    path.write_text(yaml.safe_dump(manifest, sort_keys=False, width=100), encoding="utf-8")
    read(path)
    return path
