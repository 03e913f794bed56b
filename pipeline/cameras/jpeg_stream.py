"""JPEG images in a stream of bytes, whatever stands between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_BYTES = 64 << 20  # of one image
_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,9})\b", re.IGNORECASE)
_NEXT = re.compile(rb"\s*(?:--|content-)|\xff\xd8\xff", re.IGNORECASE)  # behind an image
_HEAD_BYTES = 512  # in front of an image, in which its length may be told
_SCAN, _FILL, _FIRST_BARE, _LAST_BARE = 0xDA, 0xFF, 0xD0, 0xD9  # bare: without a length


class ImageSplitter:
    """Finds images by their own markers.

    Segments in front of the first scan are stepped over by their lengths, so that a thumbnail in
    them counts as no image. Inside a scan nothing but an end or a beginning looks like one. Where
    the length that was told of the image before was right, the next is not searched either, which
    takes longer than all else. Some cameras never send an end: as long as none was seen, an image
    that breaks off just where its length told is whole, and gets one.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0  # how far the image at the front is read; 0: none has begun
        self._in_scan = False
        self._told = 0  # bytes that the image should have; 0 where none, or a wrong one, was told
        self._length = 0  # as it was told, right or wrong
        self._tells_truth = False
        self._ends = False  # an image that had its end was seen

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield each image that they complete, b"" for one that broke off."""
        self._held += block
        while (image := self._next()) is not None:
            yield image

    def _next(self) -> bytes | None:
        """Return the next image, b"" for a broken one; None until more has come."""
        if not self._at and not self._find():
            return None
        if not self._told or (image := self._by_length()) is None:
            return self._by_markers()
        return image or None

    def _by_length(self) -> bytes | None:
        """Return the image by the length that was told, b"" until it has come; None where that is
        wrong, or may be.
        """
        held, end = self._held, self._told
        if len(held) < end:
            return b"" if self._tells_truth else None
        self._told, self._tells_truth = 0, held[end - len(_END) : end] == _END
        self._ends |= self._tells_truth
        return self._take(end) if self._tells_truth else None

    def _by_markers(self) -> bytes | None:
        held = self._held
        if not self._in_scan and not self._walk():
            return self._drop(2)
        if not self._in_scan:
            return None
        end = held.find(_END, self._at)
        again = held.find(_BEGIN, self._at, len(held) if end < 0 else end)
        if self._lacks_end(min((at for at in (end, again) if at >= 0), default=len(held))):
            return self._take(self._length) + _END
        if again >= 0:
            return self._drop(again)
        if end >= 0:
            self._ends = True
            return self._take(end + len(_END))
        self._at = max(self._at, len(held) - len(_BEGIN) + 1)
        return None if len(held) <= MOST_BYTES else self._drop(len(held))

    def _lacks_end(self, seen: int) -> bool:
        """Return whether the image breaks off where it should end, and ``seen`` bytes hold no
        other end.
        """
        length = 0 if self._ends else self._length
        return bool(length) and seen >= length and bool(_NEXT.match(self._held, length))

    def _find(self) -> bool:
        """Bring the next beginning to the front."""
        begin = self._held.find(_BEGIN)
        if begin >= 0:
            head = self._held[max(0, begin - _HEAD_BYTES) : begin]
            told = [int(length) for length in _LENGTH.findall(head)]
            self._told = told[-1] if told and told[-1] <= MOST_BYTES else 0
            self._length = self._told
        del self._held[: begin if begin >= 0 else max(0, len(self._held) - _HEAD_BYTES)]
        self._at, self._in_scan = (2 if begin >= 0 else 0), False
        return begin >= 0

    def _walk(self) -> bool:
        """Step over segments, up to the scan or as far as they came; False where none can be."""
        held = self._held
        while len(held) >= self._at + 4:
            marker = held[self._at + 1]
            if held[self._at] != _FILL or not marker or _FIRST_BARE <= marker <= _LAST_BARE:
                return False
            if marker == _FILL:
                self._at += 1
                continue
            self._at += 2 + int.from_bytes(held[self._at + 2 : self._at + 4], "big")
            if marker == _SCAN:
                self._in_scan = True
                return True
        return True

    def _take(self, length: int) -> bytes:
        with memoryview(self._held) as held:
            image = bytes(held[:length])
        self._drop(length)
        return image

    def _drop(self, length: int) -> bytes:
        """Remove what stands at the front, and return what stands for a broken image."""
        del self._held[:length]
        self._at, self._in_scan = 0, False
        return b""
