"""A detector's head on a GPU: of a table only the rows in which something is found are copied."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Self

import numpy as np

from engines.cuda.around import Block, Bytes, Places, Read
from engines.cuda.boxes import Sifted, Table, sift
from engines.cuda.kinds import FLOATS
from engines.cuda.launching import Launch
from engines.decoders import Spec, bind
from engines.decoders.candidates import MAX_CANDIDATES
from engines.decoders.yolox import STRIDES, of_picked
from engines.finite import check_count
from engines.found import Boxes
from engines.head import Head
from engines.placement import Placement
from engines.runtimes import TensorInfo

FIRST_ROWS = 256  # are copied with their number; more of them are rare
_PLACES = 64  # of batches in the memory of lanes, for which launches are kept
_WORD = 4  # bytes of an int32, a float32
_COUNTS = 4 * _WORD  # three, and one for the alignment


class RowReader:
    """Reads the tables of ``yolov5``, ``yolov8`` and ``yolox``.

    A block holds the thresholds, three counts, the numbers of the rows kept, these rows, and what
    the kernels need in between.

    Args:
        model: its name, for errors.
        head: with a decoder of these.
        spec: what that knows.
        output: name of the table.
        table: without its address.
    """

    def __init__(self, model: str, head: Head, spec: Spec, output: str, table: Table) -> None:
        self._model, self._head, self._spec = model, head, spec
        self._output, self._table = output, table
        self._limit = min(MAX_CANDIDATES, table.rows)
        self._counts_at = -(-_WORD * table.classes // 16) * 16
        self._picked_at = self._counts_at + _COUNTS
        self._kept_at = self._picked_at + _WORD * self._limit
        self._row = _WORD * table.columns
        self._keys_at = self._kept_at + self._limit * self._row
        first = self._kept_at + min(FIRST_ROWS, self._limit) * self._row
        size = self._keys_at + _WORD * table.rows
        self.block = Block(self._picked_at, self._counts_at, first, size)
        self.given = np.zeros(self._picked_at, np.uint8)
        self.given[: _WORD * table.classes] = spec.threshold.astype(np.float32).view(np.uint8)
        self.key: Hashable = ("rows", output, table)
        options = {**head.options, "output": output}
        if head.decoder == "yolov8":
            options["channels"] = "last"
        self._decode = bind(head.decoder, options)
        self._at = lru_cache(maxsize=_PLACES)(self._launches)
        self._strides = tuple(options.get("strides", STRIDES))

    @classmethod
    def of(
        cls, model: str, head: Head, spec: Spec, outputs: Mapping[str, TensorInfo]
    ) -> Self | None:
        """Return the reader of a head; None where it does not fit: see ``readers_of``."""
        output = head.options.get("output") or (next(iter(outputs)) if len(outputs) == 1 else "")
        info = outputs.get(output)
        if info is None or info.dtype.name not in FLOATS or len(info.shape) != 3:
            return None
        first = head.decoder == "yolov8" and head.options.get("channels", "first") == "first"
        rows, columns = info.shape[:0:-1] if first else info.shape[1:]
        has_objectness = head.decoder != "yolov8"
        begins = 5 if has_objectness else 4
        if rows is None or columns != begins + len(spec.labels) or (spec.threshold < 0).any():
            return None
        objectness = 4 if has_objectness else None
        classes = len(spec.labels)
        table = Table(0, info.dtype, rows, columns, begins, classes, objectness, first)
        return cls(model, head, spec, output, table)

    def read(self, at: Placement) -> Self:
        """See ``Reader``: it is the same for every image."""
        del at
        return self

    def launches(
        self, images: Sequence[Read], outputs: Mapping[str, Places], blocks: Places
    ) -> tuple[Launch, ...]:
        """See ``Read``: three for all images."""
        return self._at(len(images), outputs[self._output], blocks)

    def _launches(self, images: int, tables: Places, blocks: Places) -> tuple[Launch, ...]:
        start = blocks.address
        to = Sifted(
            thresholds=start,
            keys=start + self._keys_at,
            picked=start + self._picked_at,
            kept=start + self._kept_at,
            counts=start + self._counts_at,
            limit=self._limit,
        )
        table = replace(self._table, address=tables.address)
        return sift(table, to, images, (tables.apart, blocks.apart))

    def rest(self, kept: Bytes) -> int:
        """See ``Read``."""
        return max(self._rows(kept) - FIRST_ROWS, 0) * self._row

    def found(self, kept: Bytes, at: Placement) -> Boxes:
        """See ``Reader``."""
        table = self._table
        bad = int(kept[:_COUNTS].view(np.uint32)[2])
        check_count(self._model, self._output, bad, table.rows * table.columns)
        count, start = self._rows(kept), self._kept_at - self._counts_at
        values = kept[start : start + count * self._row].view(np.float32)
        rows = values.reshape(count, table.columns)
        spec = self._spec if at.size == self._spec.size else replace(self._spec, size=at.size)
        if self._head.decoder == "yolox":  # its rows are cells, which a grid numbers
            picked = kept[_COUNTS : _COUNTS + count * _WORD].view(np.int32)
            return of_picked(rows, picked, table.rows, spec, self._strides)
        found = self._decode({self._output: rows[None]}, spec)
        assert isinstance(found, Boxes)
        return found

    @staticmethod
    def _rows(kept: Bytes) -> int:
        return int(kept[:_COUNTS].view(np.uint32)[0])
