"""JPEG images in a stream of bytes, whatever stands between them."""

from __future__ import annotations

from collections.abc import Iterator

MOST_BYTES = 64 << 20  # of one image
_BEGIN, _END = b"\xff\xd8\xff", b"\xff\xd9"
_SCAN, _FILL, _FIRST_BARE, _LAST_BARE = 0xDA, 0xFF, 0xD0, 0xD9  # bare: without a length


class ImageSplitter:
    """Finds images by their own markers.

    Segments in front of the first scan are stepped over by their lengths, so that a thumbnail in
    them counts as no image. Inside a scan nothing but an end or a beginning looks like one.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0  # how far the image at the front is read; 0: none has begun
        self._in_scan = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield each image that they complete, b"" for one that broke off."""
        self._held += block
        while (image := self._next()) is not None:
            yield image

    def _next(self) -> bytes | None:
        held = self._held
        if not self._at and not self._find():
            return None
        if not self._in_scan and not self._walk():
            return self._drop(2)
        if not self._in_scan:
            return None
        end = held.find(_END, self._at)
        again = held.find(_BEGIN, self._at, len(held) if end < 0 else end)
        if again >= 0:
            return self._drop(again)
        if end >= 0:
            image = bytes(held[: end + len(_END)])
            self._drop(end + len(_END))
            return image
        self._at = max(self._at, len(held) - len(_BEGIN) + 1)
        return None if len(held) <= MOST_BYTES else self._drop(len(held))

    def _find(self) -> bool:
        """Bring the next beginning to the front."""
        begin = self._held.find(_BEGIN)
        kept = len(_BEGIN) - 1  # bytes that may be half of one
        del self._held[: begin if begin >= 0 else max(0, len(self._held) - kept)]
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

    def _drop(self, length: int) -> bytes:
        """Remove what stands at the front, and return what stands for a broken image."""
        del self._held[:length]
        self._at, self._in_scan = 0, False
        return b""
