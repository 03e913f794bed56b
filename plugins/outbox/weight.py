"""The memory that a stream takes in Redis, followed entry by entry, to keep it below a limit.

Redis keeps a stream in nodes: an entry joins the last one until that has 4096 bytes or 100
entries, and ``MINID ~`` removes whole nodes. What a node takes is what jemalloc, which rounds up,
gives for its bytes, and the tree around it. So this follows nodes, and agrees with
``MEMORY USAGE`` to a few per cent for entries of 100 bytes as of a megabyte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mirante.keys import EntryId

_NODE_BYTES = 4096  # stream-node-max-bytes
_NODE_ENTRIES = 100  # stream-node-max-entries
_AROUND = 600  # of the tree, and of a node's own head
_HEAD = 40  # of a node: the names of fields, which its entries do not repeat
_ENTRY = 12  # flags, the ID, counters
_TEXT = 4  # lengths around a value
_SENT = _TEXT + len("1764374400.123456")
_GRAINS = 256  # in the limit: how finely entries can be cut

Sized = tuple[EntryId, int]

MEASURE = f"""
local before, bytes, reply = ARGV[1], 0, {{}}
while bytes < 1048576 do
  local count = 2
  if bytes > 0 then
    count = math.max(1, math.min(64, math.floor(131072 * #reply / bytes)))
  end
  local found = redis.call('XREVRANGE', KEYS[1], before, '-', 'COUNT', count)
  if #found == 0 then break end
  for _, entry in ipairs(found) do
    local size = {_ENTRY}
    for at = 2, #entry[2], 2 do size = size + {_TEXT} + #entry[2][at] end
    bytes = bytes + size
    reply[#reply + 1] = entry[1]
    reply[#reply + 1] = size
  end
  before = '(' .. found[#found][1]
end
return reply
"""
"""Script: sizes of entries from the newest backwards, about a megabyte of them: ID, size, …"""


def size_of(fields: Mapping[str, bytes]) -> int:
    """Return the bytes that an entry adds to its node, ``sent`` included."""
    return _ENTRY + _SENT + sum(_TEXT + len(value) for value in fields.values())


def sizes_of(reply: Sequence[Any]) -> list[Sized]:
    """Return the entries that ``MEASURE`` found, the oldest first."""
    found = zip(reply[::2], reply[1::2], strict=True)
    return [(EntryId.parse(name), size) for name, size in found][::-1]


def _allocated(size: int) -> int:
    """Return the size class of jemalloc: four of them in each doubling."""
    shift = max(4, (size - 1).bit_length() - 3)
    return ((size - 1 >> shift) + 1) << shift


def _ahead(size: int) -> int:
    """Return what an entry can take at most, whichever node it joins."""
    return _allocated(_HEAD + size) + _AROUND if 2 * size >= _NODE_BYTES else 3 * size // 2


class _Mark(NamedTuple):
    """Whole nodes: the first entry's ID, their bytes, and how many entries they have."""

    first: EntryId
    weight: int
    entries: int


class Weight:
    """One stream's.

    Attributes:
        last: the ID of the newest entry that is counted; None before it is known.
        cut: entries that were removed before their time.
    """

    def __init__(self) -> None:
        self.last: EntryId | None = None
        self.cut = 0
        self._grain = 0
        self._whole = 0
        self._marks: deque[_Mark] = deque()
        self._node: tuple[EntryId, int, int] | None = None  # first entry, bytes, entries

    @property
    def total(self) -> int:
        """Bytes that the stream takes."""
        return self._whole + self._of_node()

    def begin(self, entries: Sequence[Sized], last: EntryId, limit: int) -> None:
        """Take what a stream holds.

        Args:
            entries: the oldest first.
            last: the last ID that it had.
            limit: bytes.
        """
        self._grain = limit // _GRAINS
        self._marks.clear()
        self._whole, self._node = 0, None
        for entry_id, size in entries:
            self.add(entry_id, size)
        self.last = last

    def add(self, entry_id: EntryId, size: int) -> None:
        """Count an entry that was written."""
        if self._node is not None:
            first, held, entries = self._node
            if held + size < _NODE_BYTES and entries < _NODE_ENTRIES:
                self._node = first, held + size, entries + 1
                self.last = entry_id
                return
            self._close()
        self._node = entry_id, _HEAD + size, 1
        self.last = entry_id

    def horizon(self, coming: Sequence[Sized], limit: int) -> EntryId | None:
        """Return the ID below which entries must go so that others may come; None: none must.

        The newest entry stays, whatever its size.

        Args:
            coming: the entries to be written.
            limit: bytes.
        """
        self._grain = limit // _GRAINS
        over = self.total + sum(_ahead(size) for _, size in coming) - limit
        if over <= 0 or not coming:
            return None
        for mark in self._marks:
            if over <= 0:
                return mark.first
            over -= mark.weight
        if self._node is not None:
            if over <= 0:
                return self._node[0]
            over -= self._of_node()
        for entry_id, size in coming:
            if over <= 0:
                return entry_id
            over -= _ahead(size)
        return coming[-1][0]

    def trim(self, horizon: EntryId, due: EntryId) -> int:
        """Discount what Redis removed; return how many entries went before their time.

        Args:
            horizon: the ID below which entries are gone.
            due: the ID below which they were to go by their age.
        """
        early = 0
        while self._marks and self._next() <= horizon:
            after = self._next()
            mark = self._marks.popleft()
            self._whole -= mark.weight
            early += mark.entries if after > due else 0
        if not self._marks and self._node and self.last is not None and self.last < horizon:
            early += self._node[2] if self.last >= due else 0
            self._node = None
        self.cut += early
        return early

    def _next(self) -> EntryId:
        """Return the ID of the first entry behind the oldest mark."""
        if len(self._marks) > 1:
            return self._marks[1].first
        assert self._node is not None  # marks are made when a node begins behind them
        return self._node[0]

    def _of_node(self) -> int:
        """Return the bytes of the node that entries join."""
        return _allocated(max(self._node[1], _NODE_BYTES)) + _AROUND if self._node else 0

    def _close(self) -> None:
        assert self._node is not None
        first, held, entries = self._node
        weight = _allocated(held) + _AROUND
        self._whole += weight
        newest = self._marks[-1] if self._marks else None
        if newest is not None and newest.weight + weight <= self._grain:
            self._marks[-1] = _Mark(newest.first, newest.weight + weight, newest.entries + entries)
        else:
            self._marks.append(_Mark(first, weight, entries))
