"""The request for an import: the source, and what no file says about a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from typer import Argument, Option

from engines.commands import Text, Texts, names_in, size_reader
from engines.convert.typed import (
    edges_in,
    extra_in,
    heads_in,
    keypoints_in,
    labels_in,
    options_in,
    scale_in,
    triple_reader,
)

Dynamic = Literal["batch", "size", "none"]
Size = tuple[int, int]
Triple = tuple[float, float, float]

UNKNOWN_LICENCE = "LicenseRef-unknown"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKeys:
    """Further keys of the manifest's ``input``. What is None is the manifest's own default.

    Attributes:
        name: of the tensor that takes images; None for the only one.
    """

    name: str | None = None
    layout: Annotated[str | None, Option(help="nchw or nhwc, where it is open.")] = None
    colour: Annotated[
        str | None, Option(help="rgb or bgr [as the file or its family]; grey of one channel.")
    ] = None
    scale: Annotated[
        float | None,
        Option(help="tensor = (pixel * scale - mean) / std [1/255]."),
        Text(scale_in),
    ] = None
    mean: Annotated[
        Triple | None, Option(help="a,b,c or one for all [0]."), Text(triple_reader("mean"))
    ] = None
    std: Annotated[
        Triple | None, Option(help="a,b,c or one for all [1]."), Text(triple_reader("std"))
    ] = None
    resize: Annotated[
        str | None, Option(help="stretch, letterbox-top-left or letterbox-centre [as its family].")
    ] = None
    pad: Annotated[int | None, Option(help="Of a letterbox [114].")] = None
    multiple: Annotated[
        int | None, Option(help="Sides of a network of open size are multiples of this.")
    ] = None
    extra: Annotated[
        Mapping[str, Any] | None,
        Option(help="Further input: NAME=size_wh, NAME=size_hw, or numbers: NAME=0.5, NAME=1,1."),
        Texts(extra_in),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the keys that are not None."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One import, as ``mirante models import`` fills it. What is None is found out, or the
    manifest's own default.

    Attributes:
        hinted_size: what the file's metadata says of a size that its input leaves open.

    Raises:
        ValueError: naming key, value and what was expected.
    """

    source: Annotated[
        str,
        Argument(
            help="PyTorch .pth .pt .pt2 or module:function; .keras .h5 .pb, a SavedModel folder; "
            ".tflite; .onnx."
        ),
    ]
    name: Annotated[str, Option(help="Of the model.")]
    out: Annotated[Path, Option(help="Folder for it.", metavar="DIR")]
    labels: Annotated[
        tuple[str, ...] | None,
        Option(help="a,b,c, a file with one per line, or a table such as coco80."),
        Text(labels_in),
    ] = None
    task: Annotated[str | None, Option(help="What the model does: `task` in docs/models.md.")] = (
        None
    )
    decoder: Annotated[str, Option(help="Its name, or auto to find out.")] = "auto"
    options: Annotated[
        Mapping[str, Any],
        Option("--option", help="KEY=VALUE of the decoder; may be repeated."),
        Texts(options_in),
    ] = field(default_factory=dict)
    heads: Annotated[
        tuple[Mapping[str, Any], ...] | None,
        Option(
            help="YAML file with a list of heads, each as in a manifest, of a network with several "
            "tasks; what it leaves out is found out.",
            metavar="FILE",
        ),
        Text(heads_in),
    ] = None
    size: Annotated[
        Size | None,
        Option(help="WIDTHxHEIGHT of the input, where the file does not say."),
        Text(size_reader("size", "640x640")),
    ] = None
    hinted_size: Size | None = None
    input: InputKeys = InputKeys()
    keypoints: Annotated[
        tuple[str, ...] | str | None,
        Option(help="a,b,c, a file with one per line, or a table: coco17, face5."),
        Text(keypoints_in),
    ] = None
    skeleton: Annotated[
        tuple[tuple[int, int], ...] | None,
        Option(help="Key points that lines join, by their places: 0-1,1-2."),
        Text(edges_in),
    ] = None
    keypoint_threshold: Annotated[float | None, Option(help="Minimum score of a key point.")] = None
    threshold: Annotated[float | None, Option(help="Minimum score.")] = None
    iou: Annotated[float | None, Option(help="Boxes that overlap more are one.")] = None
    licence: Annotated[str, Option(help="SPDX identifier, of the weights.")] = UNKNOWN_LICENCE
    summary: Annotated[str, Option(help="What it finds, in one line.")] = ""
    network: Annotated[
        str | None, Option(help="PyTorch: module:function that makes the weights' module.")
    ] = None
    legacy: Annotated[
        bool, Option("--legacy", help="PyTorch: the older exporter instead of dynamo.")
    ] = False
    dynamic: Annotated[
        Dynamic,
        Option(help="Which dimensions stay dynamic: batch, size (and batch), or none."),
        Text(str, "batch"),
    ] = "batch"
    batch: Annotated[
        int | None, Option(help="1: one image per call [any number, where the graph allows].")
    ] = None
    inputs: Annotated[tuple[str, ...], Option(help="Of a frozen graph: a,b."), Text(names_in)] = ()
    outputs: Annotated[tuple[str, ...], Option(help="Of a frozen graph: a,b."), Text(names_in)] = ()
    frames: Annotated[
        str | None,
        Option(
            help="Clip or images to compare and to try ways of feeding on [noise].", metavar="CLIP"
        ),
    ] = None
    time_limit: Annotated[float, Option(help="Seconds after which it gives up.", metavar="S")] = (
        120.0
    )
    why: Annotated[bool, Option("--why", help="If no decoder fits, say of every one why not.")] = (
        False
    )

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name: expected letters, digits, . _ and -, got {self.name!r}")
        if self.dynamic not in get_args(Dynamic):
            raise ValueError(
                f"dynamic: expected {', '.join(get_args(Dynamic))}, got {self.dynamic}"
            )
        if self.batch not in (None, 1):
            raise ValueError(f"batch: expected 1, got {self.batch}")
        if not self.time_limit > 0:
            raise ValueError(f"time_limit: expected more than 0 s, got {self.time_limit:g}")
        if self.size is not None and min(self.size) < 8:
            raise ValueError(f"size: expected at least 8x8, got {self.size[0]}x{self.size[1]}")
        if self.task is not None:
            from engines.found import kind_of

            kind_of(self.task)
        if self.input.multiple and self.dynamic != "size":
            raise ValueError(f"multiple: expected with dynamic size, got dynamic {self.dynamic}")
        beside = ("task", "labels", "keypoints")
        if self.heads is not None and (
            said := [key for key in beside if getattr(self, key) is not None]
        ):
            raise ValueError(f"{said[0]}: expected in each head, got it beside heads")
        if self.options and self.decoder == "auto":
            raise ValueError("options: expected with a decoder that is named, got decoder auto")

    @property
    def is_of_one(self) -> bool:
        """True if the network shall take one image per call."""
        return self.batch == 1 or self.dynamic == "none"

    @property
    def keypoint_names(self) -> tuple[str, ...] | None:
        """Names of the key points, where they are said."""
        from engines.labels import SKELETONS

        named = self.keypoints
        return SKELETONS[named].names if isinstance(named, str) else named

    @property
    def layout(self) -> str | None:
        """Order of the input's axes, where it is said."""
        return self.input.layout
