"""The request for an import: the source, and what no file says about a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from engines.found import kind_of

Dynamic = Literal["batch", "size", "none"]
Size = tuple[int, int]
Triple = tuple[float, float, float]

UNKNOWN_LICENCE = "LicenseRef-unknown"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One import. What is None is found out, or the manifest's own default.

    Attributes:
        source: a file or folder of a framework, or ``package.module:function`` that makes a
            PyTorch module with its weights.
        name: of the model.
        out: folder for the ONNX file, the manifest and the report.
        labels: class or plane names.
        task: as in a manifest.
        decoder: name of a decoder, or ``auto`` to find out.
        options: of the decoder.
        size: width and height of the input tensor in pixels.
        input: further keys of the manifest's ``input``: ``name``, ``layout``, ``colour``,
            ``scale``, ``mean``, ``std``, ``resize``, ``pad``, ``multiple``, ``extra``.
        threshold, iou: as in a manifest.
        licence: of the weights.
        summary: what it finds, in one line.
        network: ``package.module:function`` that makes the PyTorch module of a state dict.
        legacy: PyTorch's older exporter, by TorchScript, instead of dynamo.
        dynamic: what stays open: the number of pictures in a call; their size too; nothing.
        inputs, outputs: tensors of a frozen TensorFlow graph.
        frames: pictures to compare on, as ``engines.builder.frames.read_pictures`` takes them; None
            for noise.

    Raises:
        ValueError: naming key, value and what was expected.
    """

    source: str
    name: str
    out: Path
    labels: tuple[str, ...] | None = None
    task: str | None = None
    decoder: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    size: Size | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    iou: float | None = None
    licence: str = UNKNOWN_LICENCE
    summary: str = ""
    network: str | None = None
    legacy: bool = False
    dynamic: Dynamic = "batch"
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    frames: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name: expected letters, digits, . _ and -, got {self.name!r}")
        if self.dynamic not in get_args(Dynamic):
            raise ValueError(
                f"dynamic: expected {', '.join(get_args(Dynamic))}, got {self.dynamic}"
            )
        if self.size is not None and min(self.size) < 8:
            raise ValueError(f"size: expected at least 8x8, got {self.size[0]}x{self.size[1]}")
        if self.task is not None:
            kind_of(self.task)
        if self.input.get("multiple") and self.dynamic != "size":
            raise ValueError(f"multiple: expected with dynamic size, got dynamic {self.dynamic}")
        if self.options and self.decoder == "auto":
            raise ValueError("options: expected with a decoder that is named, got decoder auto")

    @property
    def layout(self) -> str | None:
        """Order of the input's axes, where it is said."""
        return self.input.get("layout")
