"""Read which shared libraries programs and libraries of Linux ask for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_LOAD, _DYNAMIC = 1, 2  # kinds of segments
_END, _NEEDED, _STRINGS = 0, 1, 5  # kinds of dynamic entries


def needed(path: Path) -> tuple[str, ...]:
    """Return the names of the libraries that a file asks the loader for.

    Args:
        path: any file; one that is no 64-bit little-endian ELF file asks for none.

    Raises:
        OSError: it cannot be read.
        ValueError: it begins as an ELF file and is cut short.
    """
    with path.open("rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            return ()
        try:
            return tuple(_names(file))
        except struct.error as error:
            raise ValueError(f"{path}: an ELF file that is cut short: {error}") from error


def _names(file: BinaryIO) -> Iterator[str]:
    """Yield them; layouts are those of ``elf(5)``."""
    (first,) = _at(file, 32, "<Q")
    size, count = _at(file, 54, "<HH")
    loads, entries = [], []
    for index in range(count):
        kind, offset, address, length = _at(file, first + index * size, "<I4xQQ8xQ")
        if kind == _LOAD:
            loads.append((offset, address, length))
        elif kind == _DYNAMIC:
            file.seek(offset)
            entries = list(struct.iter_unpack("<QQ", file.read(length - length % 16)))
    ends = next((at for at, entry in enumerate(entries) if entry[0] == _END), len(entries))
    strings = next((value for kind, value in entries[:ends] if kind == _STRINGS), 0)
    begin = next((o + strings - a for o, a, length in loads if a <= strings < a + length), 0)
    for kind, value in entries[:ends]:
        if kind == _NEEDED:
            file.seek(begin + value)
            yield file.read(256).partition(b"\0")[0].decode()


def _at(file: BinaryIO, offset: int, layout: str) -> tuple[int, ...]:
    file.seek(offset)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
