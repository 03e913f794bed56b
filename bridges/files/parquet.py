"""Parquet: the columns are the fields of the messages, with the types of the wire format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as typed
import pyarrow as pa
import pyarrow.parquet as pq

from bridges.files.spool import Key, sync_folder
from bridges.item_kinds import ItemKind
from mirante.events import Event
from mirante.status import Status
from mirante.wire.messages import DetectionsMessage

ROWS = 10_000  # of a group: what is in memory at once
MESSAGES: dict[ItemKind, type[msgspec.Struct]] = {
    "detections": DetectionsMessage,
    "events": Event,
    "status": Status,
}
_FLAT: dict[Any, pa.DataType] = {
    typed.StrType: pa.string(),
    typed.LiteralType: pa.string(),
    typed.IntType: pa.int64(),
    typed.FloatType: pa.float64(),
    typed.BoolType: pa.bool_(),
}
_read = msgspec.json.Decoder()


class Parquet:
    """A row a message.

    Args:
        kind: of the messages.
    """

    suffix = ".parquet"

    def __init__(self, kind: ItemKind) -> None:
        self._schema = schema_of(kind)

    def finish(self, part: Path, target: Path) -> None:
        """Write the rows beside it, rename that, and remove the part."""
        whole = target.with_suffix(".tmp")
        try:
            with pq.ParquetWriter(whole, self._schema, compression="zstd") as writer:
                for rows in _rows(part):
                    writer.write_table(pa.Table.from_pylist(rows, self._schema))
            with whole.open("rb") as written:
                os.fsync(written.fileno())
            whole.replace(target)
        except BaseException:
            whole.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
        part.unlink()

    def keys(self, path: Path) -> list[Key]:
        """Return the entries of a file, in order."""
        table = pq.read_table(path, columns=["camera", "entry_id"])
        pairs = zip(table["camera"].to_pylist(), table["entry_id"].to_pylist(), strict=True)
        return [Key(*pair) for pair in pairs]


def schema_of(kind: ItemKind) -> pa.Schema:
    """Return the columns of a kind of message, behind the ID of its entry."""
    about: Any = typed.type_info(MESSAGES[kind])
    return pa.schema([("entry_id", pa.string()), *_columns(about.fields)])


def _columns(fields: Any) -> list[tuple[str, pa.DataType]]:
    return [(field.encode_name, _type(field.type)) for field in fields]


def _type(about: Any) -> pa.DataType:
    """Return the type of a column for a type of a message."""
    if isinstance(about, typed.Metadata):
        return _type(about.type)
    if isinstance(about, typed.UnionType):
        return _type(next(t for t in about.types if not isinstance(t, typed.NoneType)))
    if isinstance(about, typed.StructType | typed.DataclassType):
        return pa.struct(_columns(about.fields))
    if isinstance(about, typed.DictType):
        return pa.map_(pa.string(), _type(about.value_type))
    if isinstance(about, typed.ListType | typed.TupleType):
        item = about.item_type if isinstance(about, typed.ListType) else about.item_types[0]
        return pa.list_(_type(item))
    return _FLAT[type(about)]


def _rows(part: Path) -> Iterator[list[Any]]:
    with part.open("rb") as lines:
        while batch := list(islice(lines, ROWS)):
            yield [_read.decode(line) for line in batch]
