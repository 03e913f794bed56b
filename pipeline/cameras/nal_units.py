"""The NAL units of H.264 and H.265, in RTP packets (RFC 6184, RFC 7798) and in images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codec:
    """How a codec numbers and carries its NAL units.

    Attributes:
        shift: bits behind the type in a unit's first byte.
        header_bytes: of a unit.
        several, part: types of a packet that holds several units, or a part of one.
        sets: types of the parameter sets without which nothing can be decoded, and the field of a
            description that has them.
        keys: types that begin a key frame.
    """

    shift: int
    header_bytes: int
    several: int
    part: int
    sets: Mapping[int, str]
    keys: frozenset[int]

    def type_of(self, byte: int) -> int:
        """Return the type that a unit's first byte says."""
        return byte >> self.shift & (31 if self.shift == 0 else 63)


_START = b"\0\0\1"

CODECS = {
    "H264": Codec(0, 1, 24, 28, {7: "sprop-parameter-sets"}, frozenset({5})),
    "H265": Codec(
        1,
        2,
        48,
        49,
        {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"},
        frozenset({16, 17, 18, 19, 20, 21}),
    ),
}


def unit_types(packet: bytes, codec: Codec) -> set[int]:
    """Return the types of the units in an RTP packet; empty for a broken one."""
    return set(_types(_payload(packet), codec))


def types_in_image(data: bytes, codec: Codec, has_lengths: bool) -> set[int]:
    """Return the types of the units in an encoded image, or in its beginning.

    Args:
        data: the image.
        codec: of it.
        has_lengths: four bytes before each unit say how long it is; else a start code is there.
    """
    found, at = set(), 4 if has_lengths else data.find(_START) + len(_START)
    while len(_START) <= at < len(data):
        found.add(codec.type_of(data[at]))
        if has_lengths:
            at += int.from_bytes(data[at - 4 : at], "big") + 4
        else:
            at = data.find(_START, at) + len(_START)  # less than that where there is none
    return found


def _types(payload: bytes, codec: Codec) -> Iterator[int]:
    if len(payload) <= codec.header_bytes:
        return
    kind = codec.type_of(payload[0])
    if kind == codec.part:
        yield payload[codec.header_bytes] & (31 if codec.shift == 0 else 63)
    elif kind == codec.several:
        at = codec.header_bytes
        while at + 2 < len(payload):
            yield codec.type_of(payload[at + 2])
            at += 2 + int.from_bytes(payload[at : at + 2], "big")
    else:
        yield kind


def _payload(packet: bytes) -> bytes:
    """What is behind the RTP header (RFC 3550, section 5.1)."""
    if len(packet) < 12:
        return b""
    start = 12 + 4 * (packet[0] & 15)
    if packet[0] & 16:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    return packet[start:]
