"""Requests for engines, from the command line or as JSON for a child process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, get_args

from typer import Argument, Option

from engines.builder import gpu_options
from engines.builder.builders import BUILDERS, Precision
from engines.builder.gpu_options import CALIBRATED, ON_GPU
from engines.commands import Text, size_reader
from mirante.nearest import nearest

_BATCH_ON_GPU = 8
_LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One engine.

    Attributes:
        model: zoo name, or path of a manifest.
        runtime: what shall run it, a name of ``BUILDERS``.
        precision: ``fp32``, ``fp16``, ``int8`` or ``fp8``.
        target: the GPU architecture, such as ``sm89``; None for the one here.
        calibrate: for int8 and fp8, images that set the scales: a clip, a folder, an ``.npz`` of
            uint8 RGB, or a camera's URL that OpenCV reads.
        frames: images on which parity is measured; None for those of ``calibrate``, or where
            there are none, those that ship with the project.
        batch: most images in one call; None for 8 on a GPU and 1 elsewhere.
        frame: width and height of the images that will come; None where they are not known.
        fold: preprocessing in the graph; None for on GPUs only.
        refit: the engine can take other weights of the same network, as after training on; where
            such an engine is here, it is given the weights instead of being built again.
        compatible: later versions of TensorRT run it too.
        dla: the core of a Jetson's accelerator that runs what it can.
        store: folder that machines share, where finished engines are looked for and left.
        calibration_frames: how many of ``calibrate``.
        parity_frames: how many of ``frames``.

    Raises:
        ValueError: naming key, value and what was expected.
    """

    model: Annotated[str, Argument(metavar="MODEL", help="Zoo name, or path of a manifest.")]
    runtime: Annotated[
        str,
        Option(
            metavar="RUNTIME",
            help="tensorrt, tensorrt-lean, tensorrt-rtx, openvino or onnxruntime.",
        ),
    ]
    precision: Annotated[
        Precision, Option(metavar="PRECISION", help="fp32, fp16, int8 or fp8."), Text(str, "fp32")
    ] = "fp32"
    target: Annotated[
        str | None,
        Option(metavar="SM,…", help="GPU architecture, such as sm89; by default the one here."),
    ] = None
    calibrate: Annotated[
        str | None,
        Option(
            metavar="CLIP",
            help="For int8, fp8: clip, folder, .npz or camera URL with what the cameras see.",
        ),
    ] = None
    frames: Annotated[
        str | None,
        Option(metavar="CLIP", help="Real images to compare on; by default the calibration's."),
    ] = None
    batch: Annotated[
        int | None,
        Option(metavar="N", help="Maximum number of images per call; 8 on a GPU, else 1."),
    ] = None
    frame: Annotated[
        tuple[int, int] | None,
        Option(metavar="WxH", help="Size of the images that will come, such as 640x360."),
        Text(size_reader("frame", "640x360")),
    ] = None
    fold: Annotated[
        bool | None,
        Option("--fold/--no-fold", help="Preprocessing in the graph; on GPUs by default."),
    ] = None
    refit: Annotated[
        bool,
        Option("--refit", help="Takes other weights later, without being built again."),
    ] = False
    compatible: Annotated[
        bool,
        Option("--compatible", help="Runs on later versions of TensorRT too."),
    ] = False
    dla: Annotated[
        int | None, Option(metavar="CORE", help="Runs on this DLA core of a Jetson what it can.")
    ] = None
    store: Annotated[
        str | None,
        Option(metavar="FOLDER", help="Shared folder to take finished engines from and leave in."),
    ] = None
    calibration_frames: int = 64
    parity_frames: int = 16

    def __post_init__(self) -> None:
        if self.runtime not in BUILDERS and ":" not in self.runtime:
            hint = nearest(self.runtime, BUILDERS, "expected")
            raise ValueError(f'runtime: no engines for "{self.runtime}"; {hint}')
        if self.precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise ValueError(f'precision: expected {known}, got "{self.precision}"')
        if self.precision in CALIBRATED and self.calibrate is None:
            raise ValueError(
                f"calibrate: missing, and required by precision {self.precision}: images of what "
                "the cameras see (a clip, a folder, an .npz or a camera's URL) set its scales"
            )
        if self.precision not in CALIBRATED and self.calibrate is not None:
            raise ValueError(
                f"calibrate: expected with {' or '.join(CALIBRATED)} only, "
                f"got precision {self.precision}"
            )
        gpu_options.check(self)
        _within("batch", self.batch, 1, _LARGEST_BATCH)
        _within("calibration_frames", self.calibration_frames, 1, 10_000)
        _within("parity_frames", self.parity_frames, 1, 10_000)
        if self.frame is not None:
            # A list where it came from JSON.
            object.__setattr__(self, "frame", tuple(self.frame))
            if len(self.frame) != 2:
                raise ValueError(f"frame: expected width and height, got {list(self.frame)}")
            for length in self.frame:
                _within("frame", length, 16, 16_384)

    @property
    def is_for_gpu(self) -> bool:
        """True if the runtime is one of TensorRT's."""
        return self.runtime in ON_GPU

    @property
    def folds(self) -> bool:
        """True if preprocessing is part of the graph."""
        return self.is_for_gpu if self.fold is None else self.fold

    @property
    def pictures(self) -> int:
        """Most images in one call."""
        return self.batch or (_BATCH_ON_GPU if self.is_for_gpu and self.dla is None else 1)

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Reads what ``to_json`` wrote; keys may be left out.

        Raises:
            ValueError: it is no such thing; names the key.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"request: not JSON: {error}") from error
        if not isinstance(data, Mapping):
            raise ValueError(f"request: expected an object, got {type(data).__name__}")
        known = [each.name for each in fields(cls)]
        for key in data:
            if key not in known:
                raise ValueError(f"request: no such key {key}; known: {', '.join(known)}")
        for key in ("model", "runtime"):
            if key not in data:
                raise ValueError(f"request: {key}: missing, and required")
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """The search for a model's fastest engine.

    Attributes:
        model: zoo name, or path of a manifest.
        frames: images on which engines are proved and measured, as in ``Request``.
        threads: of the sessions that will run it.
        calibrate: images that set the scales of int8, as in ``Request``; None tries no int8.
        by_cameras: those are frames of the cameras; a verdict does not depend on which.
    """

    model: Annotated[str, Argument(metavar="MODEL", help="Zoo name, or path of a manifest.")]
    frames: Annotated[
        str | None,
        Option(metavar="CLIP", help="Real images to compare and measure on; else shipped ones."),
    ] = None
    threads: Annotated[
        int, Option(help="Of a worker's session; the verdict holds for that.", min=1)
    ] = 1
    calibrate: Annotated[
        str | None,
        Option(metavar="CLIP", help="Tries int8 too: clip or folder with what the cameras see."),
    ] = None
    by_cameras: bool = False

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Contest:
        """Read what ``to_json`` wrote."""
        return cls(**json.loads(text))


def _within(key: str, value: Any, least: int, most: int) -> None:
    if value is not None and not (isinstance(value, int) and least <= value <= most):
        raise ValueError(f"{key}: expected {least} to {most}, got {value}")
