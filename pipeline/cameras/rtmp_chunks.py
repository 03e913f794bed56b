"""Messages in the chunks of RTMP (Adobe, RTMP specification 1.0, sections 5.3 to 5.4 and 7.1)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

_FIRST_SIZE = 128  # of a chunk, until another is told
_EXTENDED = 0xFFFFFF  # a time that stands behind the header
_TIME_MASK = 0xFFFFFFFF
_HEADER_SIZES = (11, 7, 3, 0)


class Kind(IntEnum):
    """What a message is."""

    CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    CONTROL = 4
    WINDOW = 5
    PEER_WINDOW = 6
    AUDIO = 8
    VIDEO = 9
    COMMAND_3 = 17
    DATA = 18
    COMMAND = 20
    AGGREGATE = 22


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message.

    Attributes:
        kind: a ``Kind``, or a number that is none.
        time_ms: modulo 2**32.
        content: what it carries.
    """

    kind: int
    time_ms: int
    content: bytes


@dataclass(slots=True)
class _Lane:
    """A chunk stream: what the next header in it may leave out."""

    time_ms: int = 0
    step_ms: int = 0
    size: int = 0
    kind: int = 0
    is_extended: bool = False
    held: bytearray = field(default_factory=bytearray)


class ChunkReader:
    """Puts messages together.

    Args:
        read: returns exactly so many bytes, or raises.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._size = _FIRST_SIZE
        self._lanes: dict[int, _Lane] = {}

    def next(self) -> Message:
        """Return the next message; the size of chunks and aborts are acted on besides.

        Raises:
            ValueError: these are no chunks of RTMP.
        """
        while True:
            if (message := self._chunk()) is None:
                continue
            if message.kind == Kind.CHUNK_SIZE:
                self._size = _number(message.content) & 0x7FFFFFFF
                if not self._size:
                    raise ValueError("chunks of no size")
            elif message.kind == Kind.ABORT:
                self._lane(_number(message.content)).held.clear()
            return message

    def _chunk(self) -> Message | None:
        """Read one chunk; return the message that it completes."""
        read = self._read
        first = read(1)[0]
        form, number = first >> 6, first & 0x3F
        if number == 0:
            number = 64 + read(1)[0]
        elif number == 1:
            low, high = read(2)
            number = 64 + low + 256 * high
        if form > 1 and number not in self._lanes:
            raise ValueError("a chunk without a beginning")
        lane = self._lane(number)
        self._header(lane, form)
        held = lane.held
        held += read(min(self._size, lane.size - len(held)))
        if len(held) < lane.size:
            return None
        message = Message(lane.kind, lane.time_ms, bytes(held))
        held.clear()
        return message

    def _lane(self, number: int) -> _Lane:
        return self._lanes.setdefault(number, _Lane())

    def _header(self, lane: _Lane, form: int) -> None:
        """Read what is in front of a chunk's part, and count the time on where a message begins.

        A header of the last form repeats the step; behind one that told a time, that time is it.
        """
        goes_on = form == 3 and bool(lane.held)
        if form < 3:
            lane.held.clear()
            header = self._read(_HEADER_SIZES[form])
            lane.step_ms = int.from_bytes(header[:3], "big")
            lane.is_extended = lane.step_ms == _EXTENDED
            if form < 2:
                lane.size, lane.kind = int.from_bytes(header[3:6], "big"), header[6]
        if lane.is_extended:
            told_ms = _number(self._read(4))
            lane.step_ms = lane.step_ms if goes_on else told_ms
        if form == 0:
            lane.time_ms = lane.step_ms
        elif not goes_on:
            lane.time_ms = (lane.time_ms + lane.step_ms) & _TIME_MASK


def chunked(kind: Kind, content: bytes, lane: int, stream: int = 0) -> bytes:
    """Return a message as chunks of the first size, which is what is sent here.

    Args:
        kind: of the message.
        content: what it carries.
        lane: the number of its chunk stream, 2 to 63.
        stream: the number of its message stream.
    """
    sizes = len(content).to_bytes(3, "big") + bytes([kind]) + struct.pack("<I", stream)
    parts = [content[at : at + _FIRST_SIZE] for at in range(0, len(content), _FIRST_SIZE)]
    return bytes([lane, 0, 0, 0]) + sizes + bytes([0xC0 | lane]).join(parts)


def parts_of(message: Message) -> Iterator[Message]:
    """Yield a message, or those that an aggregate holds, at the times that it gives them.

    Raises:
        ValueError: an aggregate that is cut.
    """
    if message.kind != Kind.AGGREGATE:
        yield message
        return
    content, at, first_ms = message.content, 0, None
    while at < len(content):
        if len(content) < at + 11:
            raise ValueError("an aggregate that is cut")
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        told_ms = int.from_bytes(content[at + 7 : at + 8] + content[at + 4 : at + 7], "big")
        first_ms = told_ms if first_ms is None else first_ms
        time_ms = (message.time_ms + told_ms - first_ms) & _TIME_MASK
        begin = at + 11
        at = begin + size + 4  # which repeats the size
        if len(content) < begin + size:
            raise ValueError("an aggregate that is cut")
        yield Message(content[begin - 11], time_ms, content[begin : begin + size])


def _number(content: bytes) -> int:
    if len(content) < 4:
        raise ValueError("a control message that is cut")
    return int.from_bytes(content[:4], "big")
