"""LiteRT, which was TensorFlow Lite: ``.tflite`` files on the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import FeedError, RefusedError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.pool import Pool
from engines.runtimes.shared import SharedSessions


@dataclass(frozen=True, slots=True)
class _Port:
    """An input or output: what the session declares, and what lies in the file."""

    index: int
    info: TensorInfo
    stored: np.dtype[Any]
    scale: float  # value = (stored - zero) * scale; 0 where what is stored is declared
    zero: int

    def to_stored(self, array: NDArray[Any]) -> NDArray[Any]:
        if not self.scale:
            return array
        limits = np.iinfo(self.stored)
        levels = np.rint(array / np.float32(self.scale)) + self.zero
        stored: NDArray[Any] = np.clip(levels, limits.min, limits.max).astype(self.stored)
        return stored

    def from_stored(self, array: NDArray[Any]) -> NDArray[Any]:
        if not self.scale:
            return array
        return (array.astype(np.float32) - np.float32(self.zero)) * np.float32(self.scale)


class LitertSession:
    """One file, and an interpreter per thread that runs it at the same time.

    An interpreter holds the tensors of one inference, so it serves one thread at a time; a lock
    would let cameras wait for each other, and two interpreters on two cores take half as long.

    **Names** are those of the file's signature where it has exactly one (``image_input``), as
    Keras and TensorFlow write it. Without, they are the tensors' names
    (``TFLite_Detection_PostProcess:1``); of several with one name all but the first get their
    index behind a ``#``.

    **Quantised tensors.** Outputs, and inputs of int8 and int16, are float32 here: the session
    counts in the file's scale and zero point, so decoders see probabilities and logits. An input
    of uint8 is declared uint8 and fed as it is: it is an image's pixels, and its scale and zero
    point are the network's own normalisation. A manifest then says nothing of it (``scale`` 1,
    ``mean`` 0, ``std`` 1), where that of the float file says ``scale: 0.0039``.

    Axes that the file leaves open, of the batch or of the image, are resized when a shape
    differs from the last one.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        interpreter = self._interpreter()
        names = _signature(interpreter)
        self._inputs = _ports(interpreter.get_input_details(), names, "input")
        self._outputs = _ports(interpreter.get_output_details(), names, "output")
        self.inputs: Mapping[str, TensorInfo] = {n: p.info for n, p in self._inputs.items()}
        self.outputs: Mapping[str, TensorInfo] = {n: p.info for n, p in self._outputs.items()}
        self._workers = Pool(lambda: _Worker(self._interpreter()), _Worker(interpreter))

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, in arrays of their own.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type; or
                its shape is one that the network cannot do.
        """
        check_feeds(self.inputs, feeds)
        stored = {port.index: port.to_stored(feeds[n]) for n, port in self._inputs.items()}
        indices = [port.index for port in self._outputs.values()]
        with self._workers.lent() as worker:
            values = worker.run(stored, indices)
        ports = self._outputs.items()
        return {n: port.from_stored(v) for (n, port), v in zip(ports, values, strict=True)}

    def _interpreter(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError('ai_edge_litert is missing; pip install "mirante[litert]"') from error
        try:
            made = Interpreter(str(self._path), num_threads=self._threads)
            made.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise RefusedError(f"litert refuses {self._path}: {error}") from error
        return made


class _Worker:
    """An interpreter and the shapes that it is set up for."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._shapes = {
            int(detail["index"]): tuple(detail["shape"].tolist())
            for detail in interpreter.get_input_details()
        }

    def run(self, feeds: Mapping[int, NDArray[Any]], outputs: list[int]) -> list[NDArray[Any]]:
        """Values of the tensors ``outputs``, given those of the inputs, by tensor index."""
        shapes = {index: array.shape for index, array in feeds.items()}
        if shapes != self._shapes:
            self._resize(shapes)
        for index, array in feeds.items():
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in outputs]

    def _resize(self, shapes: dict[int, tuple[int, ...]]) -> None:
        try:
            for index, shape in shapes.items():
                self._interpreter.resize_tensor_input(index, shape, strict=True)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise FeedError(f"litert cannot run shapes {list(shapes.values())}: {error}") from error
        self._shapes = shapes


def _signature(interpreter: Any) -> dict[int, str]:
    """Names by tensor index, of the inputs and outputs of the file's only signature."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}
    # The runner must not live on: an interpreter that lends tensors cannot be resized.
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    named = [*runner.get_input_details().items(), *runner.get_output_details().items()]
    return {int(detail["index"]): name for name, detail in named}


def _ports(
    details: list[Mapping[str, Any]], names: Mapping[int, str], side: str
) -> dict[str, _Port]:
    chosen = [str(detail["name"]) for detail in details]
    if all(detail["index"] in names for detail in details):
        chosen = [names[detail["index"]] for detail in details]
    seen: Counter[str] = Counter()
    ports = {}
    for name, detail in zip(chosen, details, strict=True):
        unique = f"{name}#{seen[name]}" if seen[name] else name
        seen[name] += 1
        ports[unique] = _port(detail, unique, side)
    return ports


def _port(detail: Mapping[str, Any], name: str, side: str) -> _Port:
    shape = tuple(None if axis < 0 else axis for axis in detail["shape_signature"].tolist())
    stored = np.dtype(detail["dtype"])
    scales = detail["quantization_parameters"]["scales"]
    if len(scales) > 1:
        raise RefusedError(f"litert: {side} {name} has a scale per channel; expected one scale")
    raw = stored.kind not in "iu" or (side == "input" and stored == np.uint8)
    if raw or not len(scales):
        return _Port(int(detail["index"]), TensorInfo(shape, stored), stored, 0.0, 0)
    scale, zero = detail["quantization"]
    declared = TensorInfo(shape, np.dtype(np.float32))
    return _Port(int(detail["index"]), declared, stored, float(scale), int(zero))


_SHARED = SharedSessions(LitertSession)


def open_session(path: Path, threads: int) -> Session:
    """The process's one session for this file (as it is now) and number of threads.

    Raises:
        ImportError: ai_edge_litert is not installed.
        RefusedError: LiteRT refuses the file.
    """
    return _SHARED.open(path, threads)
