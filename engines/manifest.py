"""Manifests: what differs between models, as YAML. A model of a known family needs no code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engines.found import KINDS, TASKS, Found
from engines.labels import TABLES
from engines.runtimes.names import BY_SUFFIX, REMOTE, SCHEMES, known_runtime
from engines.runtimes.remote.server import Server
from mirante.nearest import nearest

WEIGHTS = Path(__file__).parent / "weights"  # our own models, their files beside the manifests
ZOO = Path(__file__).parent / "zoo"
Score = Annotated[float, Field(ge=0, le=1)]
Triple = tuple[float, float, float]


class ManifestError(ValueError):
    """A manifest cannot be read; the message names each key, its value and what was expected."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """The way from an image to the input tensor."""

    name: str = Field(description="the input tensor's name")
    size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] = Field(
        description="width and height of the tensor in pixels"
    )
    multiple: int | None = Field(
        None,
        ge=1,
        description="for networks of dynamic size: the tensor holds the image scaled into "
        "`size`, and is no larger than that rounded up to this multiple",
    )
    frame: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = Field(
        None,
        description="width and height of the images that the network itself scales to `size`, "
        "as `resize`, `pad` and `multiple` say: the tensor has this size, other images are "
        "brought to it first, and boxes are in pixels of `size`",
    )
    layout: Literal["nchw", "nhwc"] = Field("nchw", description="order of the tensor's axes")
    colour: Literal["rgb", "bgr"] = Field("rgb", description="order of the channels")
    scale: float = Field(1.0, gt=0, description="tensor = (pixel 0..255 * scale - mean) / std")
    mean: Triple = Field((0, 0, 0), description="in the order of the tensor's channels")
    std: Annotated[Triple, Field(description="in the order of the tensor's channels")] = (1, 1, 1)
    resize: Literal["stretch", "letterbox-top-left", "letterbox-centre"] = Field(
        "stretch", description="stretch to `size`, or keep the aspect and pad the rest"
    )
    pad: int = Field(114, ge=0, le=255, description="pixel value of a letterbox's padding")
    extra: dict[str, Literal["size_wh", "size_hw"]] = Field(
        {}, description="further inputs, fed (1, 2): the tensor's width, height or height, width"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.multiple and self.resize == "stretch":
            raise ValueError("multiple: expected only with a letterbox, got resize stretch")
        if 0 in self.std:
            raise ValueError(f"std: expected no 0, got {list(self.std)}")
        return self


class Crop(_Part):
    """The way from boxes to crops, for a model that runs `on` the boxes of another."""

    margin: float = Field(
        1.0, gt=0, le=10, description="side of the crop as a multiple of the box's longer side"
    )
    aspect: Literal["tensor", "box"] = Field(
        "tensor",
        description="the crop has the shape of the tensor, so that nothing is distorted; or that "
        "of the box, stretched, with `margin` a multiple of each side",
    )


def _known(task: str) -> str:
    if task not in KINDS:
        raise PydanticCustomError("task", "Input should be {tasks}", {"tasks": TASKS})
    return task


class Manifest(_Part):
    """One model.

    Raises:
        ManifestError: from ``read`` and ``find``, naming key, value and what was expected.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="its name")
    summary: str = Field("", description="what it finds, in one line")
    task: Annotated[str, AfterValidator(_known)] = Field(
        description="what it gives, of `engines.found.KINDS`: boxes, masks, or attributes of the "
        "boxes of another"
    )
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
    licence: str = Field(description="SPDX identifier of the weights' licence")
    source: str = Field("", description="where the weights come from: owner/repo@commit:path")
    url: str | None = Field(
        None, pattern=r"^https?://", description="address of the file, pinned to a commit"
    )
    obtain: str = Field("", description="how to get the file where there is no `url`")
    input: Input
    decoder: str = Field(description='name of a decoder, or "package.module:function" of your own')
    options: dict[str, Any] = Field({}, description="keyword arguments of the decoder")
    labels: tuple[str, ...] = Field(
        min_length=1, description="class or plane names, or a named table such as coco80"
    )
    threshold: Score | None = Field(
        None, description="minimum score of a detection or pixel; none for argmax decoders"
    )
    thresholds: dict[str, Score] = Field({}, description="another threshold for some labels")
    iou: Score = Field(0.45, description="boxes of one class that overlap more are one object")
    crop: Crop = Crop()
    _folder: Path | None = PrivateAttr(None)

    @property
    def kind(self) -> type[Found]:
        """The kind of findings that its decoder gives."""
        return KINDS[self.task]

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

    @model_validator(mode="before")
    @classmethod
    def _table(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(name := data.get("labels"), str):
            if name not in TABLES:
                raise ValueError(
                    f'labels: expected a list of names or one of {", ".join(TABLES)}, got "{name}"'
                )
            return {**data, "labels": TABLES[name]}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.url and not self.sha256:
            raise ValueError("sha256: expected with url, got none")
        if len(set(self.labels)) < len(self.labels):
            twice = [
                name for name, times in Counter(self.labels).items() if times > 1 for _ in "12"
            ]
            raise ValueError(f"labels: expected each name once, got {twice[:6]}")
        if self.kind.needs_threshold and self.threshold is None:
            raise ValueError(f"threshold: expected with task {self.task}, got none")
        check_labels("thresholds", self.thresholds, self.labels)
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


def check_labels(key: str, names: Any, labels: tuple[str, ...]) -> None:
    """Raises ValueError, with the nearest label, when one of ``names`` is not in ``labels``."""
    for name in names:
        if name not in labels:
            hint = nearest(name, labels, "there are")
            raise ValueError(f'{key}: no label "{name}"; {hint}')


def zoo_names() -> list[str]:
    """The models whose manifests are shipped: our own by name, then the others by name."""
    return list(_zoo())


def _zoo() -> dict[str, Path]:
    """The shipped manifests by name."""
    folders = [{path.stem: path for path in folder.glob("*.yaml")} for folder in (WEIGHTS, ZOO)]
    return {name: folder[name] for folder in folders for name in sorted(folder)}


def find(name: str) -> Manifest:
    """The manifest of a zoo model, or the one at a path that ends in .yaml or .yml."""
    if name.endswith((".yaml", ".yml")):
        return read(Path(name))
    known = _zoo()
    if name not in known:
        hint = nearest(name, known, "the zoo has")
        raise ManifestError(f'no model "{name}"; {hint}, or the path of a manifest (.yaml)')
    return read(known[name])


def read(path: Path) -> Manifest:
    """Reads and checks one manifest."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: byte {error.start} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{path}: not YAML: {error}") from error
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
            parts: dict[Any, type[BaseModel]] = {"input": Input, "server": Server}
            part = parts.get(item["loc"][0], Crop) if len(item["loc"]) > 1 else Manifest
            known = part.model_fields
            hint = nearest(str(item["loc"][-1]), known, "known:")
            return f"{key}: no such key; {hint}"
        case "missing":
            return f"{key}: missing, and required"
        case "value_error":
            said = str(item["ctx"]["error"])
            return f"{key}.{said}" if key else said
        case _:
            expected = item["msg"].removeprefix("Input should ").removeprefix("be ")
            return f"{key}: expected {expected}, got {value!r}"
