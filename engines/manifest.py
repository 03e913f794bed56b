"""Manifests: what differs between models, as YAML. A model of a known family needs no code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from engines.fed import Channels, Fed
from engines.found import Found
from engines.head import Head, Part
from engines.quick_yaml import read_quickly
from engines.runtimes.names import BY_SUFFIX, REMOTE, SCHEMES, known_runtime
from engines.runtimes.remote.server import Server
from mirante.nearest import nearest

WEIGHTS = Path(__file__).parent / "weights"  # our own models, their files beside the manifests
Side = Annotated[int, Field(ge=8, le=8192)]
MOST_PX = 1 << 25  # of an input tensor
ZOO = Path(__file__).parent / "zoo"


class ManifestError(ValueError):
    """A manifest cannot be read; the message names each key, its value and what was expected."""


class Input(Part):
    """The way from an image to the input tensor."""

    name: str = Field(description="the input tensor's name")
    size: tuple[Side, Side] = Field(
        description="width and height of the tensor in pixels; where the ONNX file is of another "
        "fixed size, its network is made to take this one"
    )
    multiple: int | None = Field(
        None,
        ge=1,
        le=8192,
        description="the tensor holds the image scaled into `size`, and is no larger than that "
        "rounded up to this multiple; a network of fixed size is made to take any",
    )
    frame: tuple[Side, Side] | None = Field(
        None,
        description="width and height of the images that the network itself scales to `size`, "
        "as `resize`, `pad` and `multiple` say: the tensor has this size, other images are "
        "brought to it first, and boxes are in pixels of `size`",
    )
    layout: Literal["nchw", "nhwc"] = Field("nchw", description="order of the tensor's axes")
    colour: Literal["rgb", "bgr", "grey"] = Field(
        "rgb",
        description="order of the channels; grey for one channel, the luma of Rec. 601: "
        "0.299 red + 0.587 green + 0.114 blue, rounded to 0..255",
    )
    scale: float = Field(1.0, gt=0, description="tensor = (pixel 0..255 * scale - mean) / std")
    mean: Channels = Field(
        (0, 0, 0), description="in the order of the tensor's channels, or one value for all"
    )
    std: Annotated[
        Channels, Field(description="in the order of the tensor's channels, or one value for all")
    ] = (1, 1, 1)
    resize: Literal["stretch", "letterbox-top-left", "letterbox-centre"] = Field(
        "stretch", description="stretch to `size`, or keep the aspect and pad the rest"
    )
    pad: int = Field(114, ge=0, le=255, description="pixel value of a letterbox's padding")
    extra: dict[str, Fed] = Field(
        {},
        description="further inputs: the tensor's width, height or height, width, or numbers that "
        "are the same for every image, in the shape that the input declares",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, size in (("size", self.size), ("frame", self.frame)):
            if size is not None and math.prod(size) > MOST_PX:
                raise ValueError(f"{key}: expected up to {MOST_PX} pixels, got {list(size)}")
        if self.multiple and self.resize == "stretch":
            raise ValueError("multiple: expected only with a letterbox, got resize stretch")
        if 0 in self.std:
            raise ValueError(f"std: expected no 0, got {list(self.std)}")
        if self.colour == "grey":
            for key, values in (("mean", self.mean), ("std", self.std)):
                if len(set(values)) > 1:
                    raise ValueError(
                        f"{key}: expected one value with colour grey, got {list(values)}"
                    )
        return self

    @property
    def channels(self) -> int:
        """The number of the tensor's channels."""
        return 1 if self.colour == "grey" else 3

    def per_channel(self, values: tuple[float, ...]) -> NDArray[np.float64]:
        """``mean`` or ``std`` as (channels,)."""
        return np.resize(np.array(values, np.float64), self.channels)


class Crop(Part):
    """The way from boxes to crops, for a model that runs `on` the boxes of another."""

    margin: float = Field(
        1.0, gt=0, le=10, description="side of the crop as a multiple of the box's longer side"
    )
    aspect: Literal["tensor", "box"] = Field(
        "tensor",
        description="the crop has the shape of the tensor, so that nothing is distorted; or that "
        "of the box, stretched, with `margin` a multiple of each side",
    )


class Manifest(Head):
    """One model.

    Raises:
        ManifestError: from ``read`` and ``find``, naming key, value and what was expected.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="its name")
    summary: str = Field("", description="what it finds, in one line")
    file: str = Field(
        "", description="file name in the store, or path relative to the manifest; or `server`"
    )
    server: Server | None = Field(None, description="where it runs instead, without a file here")
    runtime: str | None = Field(
        None, description="what executes it; by the file's suffix where not said"
    )
    aliases: tuple[str, ...] = Field((), description="other names that a mirror may hold it under")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="checked before use; required with `url`"
    )
    bytes: int | None = Field(None, ge=1, description="size of the file")
    ms: float | None = Field(
        None,
        gt=0,
        description="milliseconds of a call on a 640x352 image with 2 threads, measured as "
        "docs/models.md says; what the dashboard's form tells of its cost",
    )
    licence: str = Field(description="SPDX identifier of the weights' licence")
    source: str = Field("", description="where the weights come from: owner/repo@commit:path")
    url: str | None = Field(
        None, pattern=r"^https?://", description="address of the file, pinned to a commit"
    )
    obtain: str = Field("", description="how to get the file where there is no `url`")
    input: Input
    heads: tuple[Head, ...] = Field(
        (), description="of a network with several tasks: task, decoder, labels, … of each"
    )
    crop: Crop = Crop()
    _folder: Path | None = PrivateAttr(None)

    @property
    def parts(self) -> tuple[Head, ...]:
        """All that is read from the network: its heads, or the one that the manifest itself is."""
        return self.heads or (self,)

    def with_classes_cut(self, cut: Sequence[bool]) -> Manifest:
        """Return the manifest of a network in which these parts have only ``classes`` left."""
        keys = [
            {"network_labels": part.kept_labels} if done else {}
            for part, done in zip(self.parts, cut, strict=True)
        ]
        if not self.heads:
            return self.model_copy(update=keys[0])
        heads = zip(self.heads, keys, strict=True)
        return self.model_copy(update={"heads": tuple(h.model_copy(update=k) for h, k in heads)})

    @property
    def part_names(self) -> tuple[str, ...]:
        """A name for each part, in messages: its task, with a number where that is not enough."""
        tasks = [part.task for part in self.parts]
        return tuple(
            task if tasks.count(task) == 1 else f"{task} {tasks[: i + 1].count(task)}"
            for i, task in enumerate(tasks)
        )

    @property
    def tasks(self) -> str:
        """The tasks of all parts, in words."""
        return ", ".join(dict.fromkeys(part.task for part in self.parts))

    @property
    def decoders(self) -> str:
        """The decoders of all parts, in words."""
        return ", ".join(part.decoder for part in self.parts)

    @property
    def maker(self) -> str:
        """A model that does all that, in words."""
        return " and ".join(dict.fromkeys(part.kind.maker for part in self.parts))

    @property
    def kind(self) -> type[Found]:
        """The kind of findings of a network with one task.

        Raises:
            ManifestError: it has several.
        """
        if self.heads:
            raise ManifestError(f"{self.name}: expected a model of one task, it is {self.maker}")
        return super().kind

    @property
    def every_label(self) -> tuple[str, ...]:
        """The labels of all parts, each once."""
        return tuple(dict.fromkeys(label for part in self.parts for label in part.labels))

    @property
    def box_labels(self) -> tuple[str, ...]:
        """The classes of boxes that it finds, each once."""
        boxes = [part.labels for part in self.parts if part.kind.finds_boxes]
        return tuple(dict.fromkeys(label for labels in boxes for label in labels))

    @property
    def mask_labels(self) -> tuple[str, ...]:
        """The names of the masks that it finds, each once."""
        masks = [part.labels for part in self.parts if part.kind.finds_masks]
        return tuple(dict.fromkeys(label for labels in masks for label in labels))

    @property
    def scored_labels(self) -> tuple[str, ...]:
        """The labels that have a threshold, each once; those of an argmax have none."""
        scored = [part.labels for part in self.parts if part.threshold is not None]
        return tuple(dict.fromkeys(label for labels in scored for label in labels))

    @property
    def about_boxes(self) -> type[Found] | None:
        """The kind of what it says about the boxes of another model; None where it does not."""
        return next((part.kind for part in self.parts if part.kind.needs_boxes), None)

    @property
    def gives_vectors(self) -> bool:
        """True if it gives embeddings."""
        return any(part.kind.gives_vectors for part in self.parts)

    @property
    def is_for_crops(self) -> bool:
        """True if it was made for the boxes of a detector, by its key ``crop``."""
        return "crop" in self.model_fields_set

    @property
    def runs_on(self) -> str:
        """The name of its runtime: what ``runtime`` says, else what the file's suffix does."""
        return self.runtime or BY_SUFFIX[Path(self.file).suffix]

    @property
    def folder(self) -> Path | None:
        """The folder of the manifest's own file."""
        return self._folder

    def check_reading(self) -> None:
        """As of one head, or that a manifest with heads says nothing of them beside them."""
        if not self.heads:
            super().check_reading()
        elif beside := [Head.model_fields[key].alias or key for key in self.head_fields]:
            raise ValueError(f"heads: expected {', '.join(beside)} in each head, got them beside")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.url and not self.sha256:
            raise ValueError("sha256: expected with url, got none")
        self._check_runtime()
        return self

    def _check_runtime(self) -> None:
        if bool(self.file) == bool(self.server):
            got = f"file {self.file} and server" if self.file else "neither"
            raise ValueError(f"file: expected file or server, got {got}")
        if self.runtime is not None:
            known_runtime(self.runtime)
        remote = ", ".join(REMOTE)
        if self.server is not None:
            if self.runtime not in SCHEMES:
                raise ValueError(f"runtime: expected {remote} with server, got {self.runtime}")
            schemes = SCHEMES[self.runtime]
            if urlsplit(self.server.url).scheme not in schemes:
                raise ValueError(f"server.url: expected {' or '.join(schemes)} of {self.runtime}")
            if self.url or self.sha256 or self.bytes or self.aliases:
                raise ValueError("server: expected no url, sha256, bytes or aliases of a file")
        elif self.runtime in REMOTE:
            raise ValueError(f"runtime: expected server with {self.runtime}, got file {self.file}")
        elif self.runtime is None and Path(self.file).suffix not in BY_SUFFIX:
            known = ", ".join(BY_SUFFIX)
            raise ValueError(f"runtime: missing, and {self.file} has none of the suffixes {known}")


def zoo_names() -> list[str]:
    """The models whose manifests are shipped: our own by name, then the others by name."""
    return list(_zoo())


def _zoo() -> dict[str, Path]:
    """The shipped manifests by name."""
    folders = [{path.stem: path for path in folder.glob("*.yaml")} for folder in (WEIGHTS, ZOO)]
    return {name: folder[name] for folder in folders for name in sorted(folder)}


def find(name: str) -> Manifest:
    """The manifest of a zoo model, or the one at a path that ends in .yaml or .yml."""
    return read(path_of(name))


def path_of(name: str) -> Path:
    """Return the path of a manifest, as ``find`` looks for it.

    Raises:
        ManifestError: no such model.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    known = _zoo()
    if name not in known:
        hint = nearest(name, known, "the zoo has")
        raise ManifestError(f'no model "{name}"; {hint}, or the path of a manifest (.yaml)')
    return known[name]


def read(path: Path) -> Manifest:
    """Reads and checks one manifest."""
    try:
        data = read_quickly(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: byte {error.start} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{path}: not YAML: {error}") from error
    except RecursionError:
        raise ManifestError(f"{path}: lists and mappings are nested too deep") from None
    if not isinstance(data, dict):
        raise ManifestError(f"{path}: expected keys and values, got {type(data).__name__}")
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise ManifestError(f"{path}: {explain(error)}") from None
    manifest._folder = path.resolve().parent
    return manifest


def explain(error: ValidationError) -> str:
    """Return a line per mistake: the key, its value, and what was expected."""
    return "; ".join(_explain(item) for item in error.errors())


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    value = item["input"]
    match item["type"]:
        case "extra_forbidden":
            parts: dict[Any, type[BaseModel]] = {"input": Input, "server": Server, "heads": Head}
            part = parts.get(item["loc"][0], Crop) if len(item["loc"]) > 1 else Manifest
            name = str(item["loc"][-1])
            if part is Manifest and name in Input.model_fields:
                return f"{key}: no such key here; it is one of input: input.{name}"
            known = [field.alias or key for key, field in part.model_fields.items()]
            return f"{key}: no such key; {nearest(name, known, 'known:')}"
        case "missing":
            return f"{key}: missing, and required"
        case "value_error":
            said = str(item["ctx"]["error"])
            return f"{key}.{said}" if key else said
        case _:
            expected = item["msg"].removeprefix("Input should ").removeprefix("be ")
            return f"{key}: expected {expected}, got {value!r}"
