"""Values of RTMP's commands: Action Message Format 0 (Adobe, AMF 0 specification)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = float | bool | str | list["Value"] | dict[str, "Value"] | None
Given = float | str | Mapping[str, float | str | bool] | None

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL = 0, 1, 2, 3, 5
_NAMED_ARRAY, _OBJECT_END, _ARRAY, _DATE, _LONG_STRING, _XML, _TYPED = 8, 9, 10, 11, 12, 15, 16
_EMPTY = {_NULL, 6, 13}  # null, undefined, unsupported
_DEEPEST = 16


def encode(*values: Given) -> bytes:
    """Return values as a command holds them, one behind the other."""
    return b"".join(map(_encoded, values))


def _encoded(value: Given) -> bytes:
    if value is None:
        return bytes([_NULL])
    if isinstance(value, bool):
        return bytes([_BOOLEAN, value])
    if isinstance(value, int | float):
        return struct.pack(">Bd", _NUMBER, value)
    if isinstance(value, str):
        text = value.encode()
        if len(text) > 0xFFFF:
            return struct.pack(">BI", _LONG_STRING, len(text)) + text
        return struct.pack(">BH", _STRING, len(text)) + text
    fields = (_encoded(key)[1:] + _encoded(field) for key, field in value.items())
    return bytes([_OBJECT]) + b"".join(fields) + bytes([0, 0, _OBJECT_END])


def decode(content: bytes) -> list[Value]:
    """Return the values of a command.

    Raises:
        ValueError: it is cut, or holds a type that commands have not.
    """
    reader, values = _Reader(content), list[Value]()
    try:
        while not reader.is_at_end:
            values.append(reader.value())
    except (struct.error, IndexError):
        raise ValueError("a command that is cut") from None
    return values


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._at, self._depth = content, 0, 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._content)

    def value(self) -> Value:
        kind = self._content[self._at]
        self._at += 1
        if kind in _EMPTY:
            return None
        if kind == _NUMBER:
            return self._unpack(">d")
        if kind == _BOOLEAN:
            return bool(self._unpack(">B"))
        if kind in {_STRING, _LONG_STRING, _XML}:
            return self._text(">H" if kind == _STRING else ">I")
        if kind == _DATE:
            moment = self._unpack(">d")
            self._unpack(">h")  # its time zone, which is reserved
            return moment
        return self._nested(kind)

    def _nested(self, kind: int) -> Value:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("a command that is nested too deeply")
        try:
            if kind == _ARRAY:
                return [self.value() for _ in range(int(self._unpack(">I")))]
            if kind == _TYPED:
                self._text(">H")  # the name of its class
            elif kind == _NAMED_ARRAY:
                self._unpack(">I")  # how many there are, perhaps
            elif kind != _OBJECT:
                raise ValueError(f"a value of type {kind} in a command")
            return self._fields()
        finally:
            self._depth -= 1

    def _fields(self) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        while True:
            key = self._text(">H")
            if not key and self._content[self._at] == _OBJECT_END:
                self._at += 1
                return fields
            fields[key] = self.value()

    def _text(self, form: str) -> str:
        size = int(self._unpack(form))
        text = self._content[self._at : self._at + size]
        if len(text) < size:
            raise ValueError("a command that is cut")
        self._at += size
        return text.decode("utf-8", "replace")

    def _unpack(self, form: str) -> float:
        (value,) = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return float(value)
