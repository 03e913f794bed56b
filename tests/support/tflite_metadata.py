"""A TF Lite file with TFLITE_METADATA, written field by field."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tests.support.tflite_files import classifier

_AXIS_LABELS, _NORMALISATION, _IMAGE, _RGB = 2, 1, 2, 1  # numbers of metadata_schema.fbs


def with_metadata(
    path: Path,
    mean: Sequence[float],
    std: Sequence[float],
    labels: Mapping[str, str] | None = None,
    named: str = "",
) -> Path:
    """A classifier whose metadata has these, and a file of labels that an output names."""
    files = dict(labels or {})
    model = schema.ModelT.InitFromPackedBuf(
        classifier(path, schema.TensorType.FLOAT32).read_bytes(), 0
    )
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(_metadata(mean, std, named))
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    if files:
        with zipfile.ZipFile(path, "a") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    return path


def _metadata(mean: Sequence[float], std: Sequence[float], named: str) -> bytes:
    b = flatbuffers.Builder(256)
    texts = {text: b.CreateString(text) for text in (named, "tells kinds", "a maker")}
    numbers = [_floats(b, values) for values in (mean, std)]
    normalisation = _table(b, 2, {0: numbers[0], 1: numbers[1]})
    unit = _table(b, 2, {1: normalisation}, {0: _NORMALISATION})
    image = _table(b, 2, {}, {0: _RGB})
    content = _table(b, 3, {1: image}, {0: _IMAGE})
    taken = _table(b, 7, {3: content, 4: _tables(b, [unit])})
    given = _table(b, 7, {})
    if named:
        file = _table(b, 5, {0: texts[named]}, {2: _AXIS_LABELS})
        given = _table(b, 7, {6: _tables(b, [file])})
    graph = _table(b, 10, {2: _tables(b, [taken]), 3: _tables(b, [given])})
    root = _table(b, 8, {1: texts["tells kinds"], 3: _tables(b, [graph]), 4: texts["a maker"]})
    b.Finish(root, b"M001")
    return bytes(b.Output())


def _table(
    b: flatbuffers.Builder, fields: int, offsets: Mapping[int, int], bytes_: Mapping[int, int] = {}
) -> int:
    b.StartObject(fields)
    for field, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, value in bytes_.items():
        b.PrependUint8Slot(field, value, 0)
    return int(b.EndObject())


def _tables(b: flatbuffers.Builder, tables: Sequence[int]) -> int:
    b.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        b.PrependUOffsetTRelative(table)
    return int(b.EndVector())


def _floats(b: flatbuffers.Builder, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())
