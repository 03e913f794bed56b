"""PyTorch: a module with its weights, a program of torch.export, or TorchScript."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert import ConvertError, first_lines, library
from engines.convert.asked import Asked
from engines.convert.network import EXACT, IMAGES, OUTPUT
from engines.convert.weights import code_in, fit_weights, kind_of, make
from engines.runtimes import Tensors

OPSET = 18  # of the legacy exporter; dynamo has its own


class TorchNetwork:
    """A module that takes one tensor of images, or a program of ``torch.export``.

    Args:
        module: what computes.
        asked: the import.
        kind: ``module``, ``exported`` or ``script``.
        program: the ``ExportedProgram`` of which ``module`` was made.
    """

    framework = "PyTorch"
    tolerance = EXACT

    def __init__(
        self, module: Any, asked: Asked, kind: str = "module", program: Any = None
    ) -> None:
        self._torch = library("torch", "train")
        self.library = f"torch {self._torch.__version__}"
        self.module, self._asked, self._kind, self._program = module, asked, kind, program
        self._legacy = asked.legacy or kind == "script"
        self.how = "torch.onnx, legacy exporter" if self._legacy else "torch.onnx, dynamo"
        self.input = asked.input.name or IMAGES
        self.shape = self._declared() or self._wanted()
        with self._torch.no_grad():
            self.outputs = list(flat(self._call(self.example(1))))

    def example(self, pictures: int) -> Any:
        """Noise in 0..1 of the input's shape, the same each time."""
        shape = tuple(axis or 1 for axis in self.shape)
        noise = np.random.default_rng(0).random((pictures, *shape[1:]), dtype=np.float32)
        return self._torch.from_numpy(noise)

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by PyTorch."""
        tensor = self._torch.from_numpy(np.ascontiguousarray(feeds[self.input]))
        with self._torch.no_grad():
            found = flat(self._call(tensor))
        return {name: value.numpy() for name, value in found.items()}

    def write(self, path: Path) -> None:
        """Writes the ONNX file by ``torch.onnx``.

        Raises:
            ConvertError: the exporter refuses; with what it says.
        """
        exporter = self._torch.onnx
        if not self._legacy:
            library("onnxscript", "convert")
        given: dict[str, Any] = {"input_names": [self.input], "output_names": self.outputs}
        # Two images: an axis of one would be taken for one that is always so.
        example = self.example(1 if self._asked.dynamic == "none" or self._legacy else 2)
        # Of a network that it refuses, torch.export prints the whole graph.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # of the exporter, about itself
            try:
                if self._legacy:
                    given |= {"dynamo": False, "opset_version": OPSET}
                    exporter.export(
                        self.flat_module(),
                        (example,),
                        str(path),
                        dynamic_axes=self._axes(),
                        **given,
                    )
                else:
                    given |= {"dynamo": True, "external_data": False, "verbose": False}
                    exporter.export(*self._for_dynamo(example), str(path), **given)
            except Exception as error:  # every layer of the exporter has its own
                raise ConvertError(self._refusal(error)) from error

    def _for_dynamo(self, example: Any) -> tuple[Any, tuple[Any, ...]]:
        if self._program is not None:
            return self._program, (example,)
        dim = self._torch.export.Dim.DYNAMIC
        shapes = (dict.fromkeys(self._open(), dim),)
        program = self._torch.export.export(
            self.flat_module(),
            (example,),
            dynamic_shapes=shapes if shapes[0] else None,
            strict=False,
        )
        return program, ()

    def _open(self) -> list[int]:
        """Axes of the input that stay open."""
        axes = [2, 3] if self.shape[1] in (1, 3) else [1, 2]
        return {"none": [], "batch": [0], "size": [0, *axes]}[self._asked.dynamic]

    def _axes(self) -> dict[str, dict[int, str]]:
        names = {0: "batch", **dict(zip(self._open()[1:], ("height", "width"), strict=False))}
        axes = {axis: names[axis] for axis in self._open()}
        batch = {0: "batch"} if axes else {}
        return {self.input: axes, **{name: batch for name in self.outputs if batch}}

    def _call(self, tensor: Any) -> Any:
        try:
            return self.module(tensor)
        except Exception as error:  # the network's own
            raise ConvertError(
                f"{self._asked.source}: the network does not take {tuple(tensor.shape)} float32 "
                f"(see size, layout, colour grey): {first_lines(error)}"
            ) from error

    def flat_module(self) -> Any:
        """The module, which gives a row of its outputs."""
        torch = self._torch
        module = self.module
        if self._kind == "script" and len(self.outputs) == 1:
            return module

        class Flat(torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, pictures: Any) -> Any:
                return tuple(flat(self.module(pictures)).values())

        return Flat().eval()

    def _wanted(self) -> tuple[int | None, ...]:
        size = self._asked.size
        if size is None:
            raise ValueError("size: missing, and required for PyTorch, such as 640x640")
        sides = (size[1], size[0])
        channels = 1 if self._asked.input.colour == "grey" else 3
        is_last = self._asked.layout == "nhwc"
        return (None, *sides, channels) if is_last else (None, channels, *sides)

    def _declared(self) -> tuple[int | None, ...] | None:
        """The input's shape in an exported program."""
        if self._program is None:
            return None
        user = set(self._program.graph_signature.user_inputs)
        found = [n.meta["val"] for n in self._program.graph.nodes if n.name in user]
        shapes = [
            tuple(axis if isinstance(axis, int) else None for axis in value.shape)
            for value in found
        ]
        if len(shapes) != 1 or len(shapes[0]) != 4:
            raise ConvertError(
                f"{self._asked.source}: expected a program of one input of 4 axes, got {shapes}"
            )
        if None not in shapes[0][1:]:
            return shapes[0]
        wanted = self._wanted()
        return tuple(
            axis if axis is not None else other
            for axis, other in zip(shapes[0], wanted, strict=True)
        )

    def _refusal(self, error: Exception) -> str:
        advice = ""
        if not self._legacy:
            advice = "; try --legacy, the older exporter"
            if self._asked.dynamic != "none":
                advice += ", or --dynamic none"
        return (
            f"{self._asked.source}: {self.library} cannot export it ({self.how}): "
            f"{first_lines(_innermost(error))}{advice}"
        )


def _innermost(error: BaseException) -> BaseException:
    """Return the innermost cause of an exporter's error."""
    while error.__cause__ is not None and str(error.__cause__).strip():
        error = error.__cause__
    return error


def flat(outputs: Any) -> dict[str, Any]:
    """The tensors in what a module returns, by name: the keys of mappings, else by number."""
    found = dict(_leaves(outputs, ""))
    if list(found) == [""]:
        return {OUTPUT: found[""]}
    return {name if not name.isdecimal() else f"{OUTPUT}_{name}": v for name, v in found.items()}


def _leaves(outputs: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(outputs, Mapping):
        parts: list[tuple[str, Any]] = [(str(key), value) for key, value in outputs.items()]
    elif isinstance(outputs, Sequence) and len(outputs) == 1:
        return _leaves(outputs[0], name)
    elif isinstance(outputs, Sequence):
        parts = [(str(index), value) for index, value in enumerate(outputs)]
    elif hasattr(outputs, "shape"):
        return [(name, outputs)]
    else:
        return []  # None, or a number that is no output
    return [
        leaf for key, value in parts for leaf in _leaves(value, f"{name}_{key}" if name else key)
    ]


def open_torch(asked: Asked) -> TorchNetwork:
    """The network that a source says: a file, or ``package.module:function``.

    Raises:
        ImportError: PyTorch is missing.
        ValueError: there is no such thing, or no network for a state dict.
        ConvertError: the file cannot be read, or its weights do not fit the network.
    """
    torch = library("torch", "train")
    path = Path(asked.source)
    if not path.exists():
        return TorchNetwork(make(asked.source), asked)
    kind = kind_of(path)
    if kind == "weights":
        if code := code_in(path):
            raise ConvertError(
                f"{path}: it holds code ({code}), which would run if it were read; expected "
                "weights alone, as torch.save(model.state_dict(), …) writes them, with --network; "
                "or export it to ONNX where it was made (yolo export model=… format=onnx)"
            )
        if asked.network is None:
            raise ValueError(
                f"network: missing, and required: {path.name} holds weights alone; name what makes "
                "their module, as --network package.module:function"
            )
        module = make(asked.network)
        fit_weights(module, path)
        return TorchNetwork(module, asked)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, of which it tells
            if kind == "script":
                return TorchNetwork(torch.jit.load(str(path), "cpu").eval(), asked, kind)
            program = torch.export.load(str(path))
    except (RuntimeError, ValueError, OSError, KeyError) as error:
        raise ConvertError(f"{path}: torch refuses it: {first_lines(error)}") from error
    return TorchNetwork(program.module(), asked, kind, program)
