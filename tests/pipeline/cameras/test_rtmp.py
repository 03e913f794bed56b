"""RTMP's values, chunks and login, without a server."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct

import pytest

from pipeline.cameras.amf import Value, decode, encode
from pipeline.cameras.rtmp_chunks import ChunkReader, Kind, Message, chunked, parts_of
from pipeline.cameras.rtmp_login import AdobeLogin
from pipeline.cameras.sources.rtmp import tag
from pipeline.cameras.web import FetchError
from tests.support.rtmp_server import CHALLENGE, SALT


def messages(content: bytes, count: int) -> list[Message]:
    stream = io.BytesIO(content)
    reader = ChunkReader(stream.read)
    found = [reader.next() for _ in range(count)]
    assert not stream.read(), "bytes are left"
    return found


def first(lane: int, ms: int, size: int, kind: int = 9, stream: int = 1) -> bytes:
    return bytes([lane]) + ms.to_bytes(3) + size.to_bytes(3) + bytes([kind, stream, 0, 0, 0])


def test_what_is_written_is_read() -> None:
    fields: dict[str, float | str | bool] = {"app": "live", "capabilities": 15.0, "fpad": False}
    assert decode(encode("connect", 1, None, fields)) == ["connect", 1.0, None, fields]
    assert decode(encode("x" * 70_000)) == ["x" * 70_000]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\x08\0\0\0\x01\0\x01a\x01\x01\0\0\x09", {"a": True}),
        (b"\x0a\0\0\0\x02\x05\x06", [None, None]),
        (b"\x0b" + struct.pack(">dh", 5, 0), 5.0),
        (b"\x10\0\x01C\0\x01a\x02\0\x01b\0\0\x09", {"a": "b"}),
    ],
)
def test_values_of_servers(content: bytes, value: Value) -> None:
    assert decode(content) == [value]


@pytest.mark.parametrize(
    "content",
    [
        b"\x02\0\x05ab",
        b"\x03\0\x01a",
        b"\x00\0",
        b"\x11\x01",
        b"\x0a\xff\xff\xff\xff",
        b"\x0a\0\0\0\x01" * 40,
    ],
)
def test_values_that_are_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="command"):
        decode(content)


def test_headers_leave_out_what_stays() -> None:
    """The time of a fourth form behind a first is the step, too."""
    content = (
        first(4, 40, 2)
        + b"ab"
        + b"\xc4cd"
        + b"\x44\0\0\x05\0\0\x01\x09e"
        + b"\x84\0\0\x07f"
        + b"\xc4g"
    )
    found = messages(content, 5)
    assert [message.time_ms for message in found] == [40, 80, 85, 92, 99]
    assert b"".join(message.content for message in found) == b"abcdefg"


def test_chunks_of_two_lanes_between_each_other() -> None:
    """Lanes are numbered in one, two or three bytes; parts are of 128 bytes until told."""
    video, sound = bytes(range(200)), bytes(150)
    content = (
        first(0, 7, 200).replace(b"\0", b"\0\x0a", 1)
        + video[:128]
        + b"\x01\x05\x01"
        + first(1, 8, 150, 8)[1:]
        + sound[:128]
        + b"\xc0\x0a"
        + video[128:]
        + b"\xc1\x05\x01"
        + sound[128:]
    )
    assert messages(content, 2) == [Message(9, 7, video), Message(8, 8, sound)]


def test_another_size_and_an_abort() -> None:
    content = (
        chunked(Kind.CHUNK_SIZE, (300).to_bytes(4), 2)
        + first(4, 1, 400)
        + bytes(300)
        + chunked(Kind.ABORT, (4).to_bytes(4), 2)
        + first(4, 2, 290)
        + bytes(290)
    )
    assert messages(content, 3)[-1] == Message(9, 2, bytes(290))


@pytest.mark.parametrize("ms", [0xFFFFFF, 0x1000000, 0xFFFFFFF0])
def test_long_times_stand_behind_each_header(ms: int) -> None:
    told = ms.to_bytes(4)
    content = first(4, 0xFFFFFF, 200) + told + b"v" * 128 + b"\xc4" + told + b"v" * 72
    content += b"\x84\0\0\x20" + b"v" * 128 + b"\xc4" + b"v" * 72
    assert [message.time_ms for message in messages(content, 2)] == [ms, (ms + 32) % 2**32]


@pytest.mark.parametrize(
    "content",
    [b"\xc4", b"\x84\0\0\0", chunked(Kind.CHUNK_SIZE, bytes(4), 2), first(2, 0, 1, 1) + b"a"],
)
def test_what_is_no_chunk(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"chunk|control"):
        messages(content, 1)


def test_what_is_sent_is_cut_into_chunks() -> None:
    (message,) = messages(chunked(Kind.COMMAND, bytes(300), 3), 1)
    assert message == Message(20, 0, bytes(300))


def test_an_aggregate_holds_messages_at_its_own_times() -> None:
    tags = b"\x09\0\0\x01\0\0\x64\0\0\0\0a\0\0\0\x0c\x08\0\0\x01\0\0\x6e\0\0\0\0b\0\0\0\x0c"
    assert list(parts_of(Message(22, 1000, tags))) == [
        Message(9, 1000, b"a"),
        Message(8, 1010, b"b"),
    ]
    with pytest.raises(ValueError, match="aggregate"):
        list(parts_of(Message(22, 1000, tags[:11])))


def test_a_challenge_is_answered_once() -> None:
    def digest(words: str) -> str:
        return base64.b64encode(hashlib.md5(words.encode()).digest()).decode()

    login = AdobeLogin("a&b", "secret")
    assert login.challenged("[ code=403 need auth; authmod=adobe ]")
    assert login.query == "?authmod=adobe&user=a%26b"
    words = f"[ authmod=adobe ] : ?reason=needauth&user=a&salt={SALT}&challenge={CHALLENGE}"
    assert login.challenged(words)
    found = re.search(r"&challenge=(\w+)&response=(.+)$", login.query)
    assert found is not None
    assert found[2] == digest(digest(f"a&b{SALT}secret") + CHALLENGE + found[1])
    assert not login.challenged(words)
    assert not AdobeLogin(None, None).challenged(words)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"\x90hvc1", "H.265"), (b"\x1c\0", "H.265"), (b"\x19\0", "an unknown codec")],
)
def test_a_codec_that_flv_has_not(content: bytes, name: str) -> None:

    with pytest.raises(FetchError, match=f"no decoder for this video: {name} over RTMP"):
        tag(0, content)


def test_a_tag_of_flv() -> None:
    """As its specification draws it: kind, size, time with its highest byte last, stream, size."""
    head = b"\x09\0\0\x03\x22\x33\x44\x11\0\0\0"
    assert tag(0x11223344, b"\x17\x01v") == head + b"\x17\x01v" + b"\0\0\0\x0e"
