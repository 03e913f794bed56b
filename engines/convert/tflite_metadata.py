"""What a TF Lite file carries: a zip of label files behind it, and TFLITE_METADATA within.

The latter is a flatbuffer of its own (metadata_schema.fbs of TensorFlow Lite Support, root type
ModelMetadata, identifier M001), of which a few fields are read here by their numbers.
"""

from __future__ import annotations

import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.convert import library
from engines.convert.metadata import LICENCE, Told, literal, names_of, of_properties

_log = logging.getLogger(__name__)

_METADATA, _TFLITE = "TFLITE_METADATA", b"TFL3"
_NORMALISATION, _IMAGE = 1, 2  # of the unions ProcessUnitOptions and ContentProperties
_LABELS = (2, 3)  # AssociatedFileType: names along an axis, or of a tensor's values
_RGB = 1  # of ColorSpaceType


def told_by_tflite(path: Path) -> Told:
    """Return what a .tflite file says of its own network; nothing where that is damaged.

    Where the network is, too, the runtime refuses it in its own words when it is opened.
    """
    try:
        return _told(path)
    except (struct.error, zipfile.BadZipFile, zlib.error, LookupError, ValueError) as error:
        _log.warning("%s: what it says of itself cannot be read: %s", path, error)
        return Told()


def _told(path: Path) -> Told:
    members = dict(_members(path))
    properties = _properties(members)
    model = _metadata(path)
    texts = {name: text for name, text in members.items() if name.lower().endswith(".txt")}
    named = [] if model is None else [name for name in _label_files(model) if name in texts]
    chosen = next(iter(named), None)
    if chosen is None and len(texts) == 1 and not properties:
        chosen = next(iter(texts))
    lists = Told()
    if chosen is not None and (labels := names_of(texts[chosen].strip("\n"), "labels")):
        lists = Told(labels=labels, labels_key=chosen)
    about = Told() if model is None else _about(model)
    return of_properties(properties) | lists | about


def _members(path: Path) -> Iterator[tuple[str, str]]:
    """Names and texts of the zip behind the file."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.file_size <= 1 << 22 and info.filename.lower().endswith((".txt", ".json")):
                yield info.filename, archive.read(info).decode("utf-8", "replace")


def _properties(members: Mapping[str, str]) -> dict[str, Any]:
    """The properties that a member holds as JSON or a Python dict, as Ultralytics writes them."""
    found = map(literal, members.values())
    return next((each for each in found if isinstance(each, dict) and "names" in each), {})


def _metadata(path: Path) -> _Table | None:
    """The root of TFLITE_METADATA; None where the file has none."""
    schema = library("ai_edge_litert.schema_py_generated", "litert")
    content = path.read_bytes()
    if content[4:8] != _TFLITE:
        return None
    model = schema.Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name().decode() == _METADATA:
            return _Table.root(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    return None


class _Table:
    """A table of a flatbuffer, whose fields are read by their numbers in the schema."""

    def __init__(self, content: bytes, position: int) -> None:
        from flatbuffers.table import Table

        self._content, self._table = content, Table(content, position)

    @classmethod
    def root(cls, content: bytes) -> _Table:
        return cls(content, int.from_bytes(content[:4], "little"))

    def text(self, field: int) -> str:
        at = self._at(field)
        return self._table.String(at + self._table.Pos).decode("utf-8", "replace") if at else ""

    def byte(self, field: int) -> int:
        at = self._at(field)
        return self._content[at + self._table.Pos] if at else 0

    def table(self, field: int) -> _Table | None:
        """A table or union."""
        at = self._at(field)
        return _Table(self._content, self._table.Indirect(at + self._table.Pos)) if at else None

    def tables(self, field: int) -> list[_Table]:
        at = self._at(field)
        if not at:
            return []
        start, count = self._table.Vector(at), self._table.VectorLen(at)
        return [_Table(self._content, self._table.Indirect(start + 4 * i)) for i in range(count)]

    def floats(self, field: int) -> list[float]:
        at = self._at(field)
        if not at:
            return []
        start, count = self._table.Vector(at), self._table.VectorLen(at)
        return [float(each) for each in np.frombuffer(self._content, "<f4", count, start)]

    def _at(self, field: int) -> int:
        """The field's place behind the table's; 0 where it is not set."""
        return int(self._table.Offset(4 + 2 * field))


def _subgraph(model: _Table) -> _Table | None:
    return next(iter(model.tables(3)), None)


def _label_files(model: _Table) -> Iterator[str]:
    """Names of the files that hold the classes of an output, or of the model."""
    graph = _subgraph(model)
    tensors = [] if graph is None else graph.tables(3)
    files = [each for tensor in tensors for each in tensor.tables(6)] + model.tables(6)
    yield from (each.text(0) for each in files if each.byte(2) in _LABELS)


def _about(model: _Table) -> Told:
    """Description, author and licence, and how the first input is normalised and coloured."""
    graph = _subgraph(model)
    image = None if graph is None else next(iter(graph.tables(2)), None)
    licence = LICENCE.match(model.text(5))
    told = Told(
        summary=" ".join((model.text(1) or model.text(0)).split()),
        author=" ".join(model.text(4).split()),
        licence=licence[1] if licence else "",
    )
    if image is None:
        return told
    content = image.table(3)
    if content is not None and content.byte(0) == _IMAGE:
        properties = content.table(1)
        if properties is not None and properties.byte(0) == _RGB:
            told = replace(told, colour="rgb")
    for unit in image.tables(4):
        options = unit.table(1)
        if unit.byte(0) == _NORMALISATION and options is not None:
            told = replace(told, **_normalised(options.floats(0), options.floats(1)))
    return told


def _normalised(mean: list[float], std: list[float]) -> dict[str, Any]:
    """``scale``, ``mean`` and ``std`` of (pixel - mean) / std, as a manifest has them.

    One number holds for all channels.
    """
    if len(mean) not in (1, 3) or len(std) not in (1, 3) or 0 in std:
        return {}
    mean, std = (each * 3 if len(each) == 1 else each for each in (mean, std))
    if len(set(std)) > 1:
        return {"scale": 1.0, "mean": tuple(mean), "std": tuple(std)}
    by = std[0]
    return {"scale": 1 / by, "mean": tuple(each / by for each in mean), "std": (1.0, 1.0, 1.0)}
