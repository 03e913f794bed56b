"""The newest encoded images of a camera, from a key frame on, bounded in seconds and in bytes."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

LATE_NS = 2_000_000_000  # by which the moment that asks for a clip may lie back


@dataclass(frozen=True, slots=True)
class Stream:
    """The format of a stream: it holds for all images until it changes.

    Attributes:
        caps: their format, as GStreamer writes it.
        orientation: GStreamer's tag of that name; "" for none.
    """

    caps: str
    orientation: str = ""

    @property
    def media(self) -> str:
        """The name of the format, such as ``video/x-h264``."""
        return self.caps.partition(",")[0]


@dataclass(slots=True)
class Packet:
    """One encoded image.

    Attributes:
        data: as it came to the decoder.
        stream: its format.
        is_key: it can be decoded without those before it.
        order: where it is shown among others; falls from one packet to the next where frames are
            not shown in the order in which they come.
        captured_ns: Unix time of capture.
        is_timed: the camera's clock told that time.
    """

    data: bytes
    stream: Stream
    is_key: bool
    order: tuple[int, int]
    captured_ns: int
    is_timed: bool = False


class PacketRing:
    """Keeps groups of images, each from a key frame on. Safe between threads.

    For want of room the oldest images go, the key frame of a group before the others: who has read
    it goes on with these, and who begins does so with the next key frame.

    Args:
        before_s: seconds that must be there, besides the group that they begin in.
        max_bytes: maximum size of all.

    Attributes:
        bytes: the size of all.
    """

    def __init__(self, before_s: float, max_bytes: int) -> None:
        self._span_ns = round(before_s * 1e9) + LATE_NS
        self._max_bytes = max_bytes
        self._groups: deque[list[Packet]] = deque()
        self._first = 0  # the number of the oldest packet; numbers go on for ever
        self._next = 0
        self._lock = threading.Lock()
        self.bytes = 0

    def put(self, packet: Packet) -> None:
        """Add the next packet. What comes before the first key frame is left out."""
        with self._lock:
            if packet.is_key:
                self._groups.append([packet])
            elif self._groups:
                self._groups[-1].append(packet)
            else:
                return
            self._next += 1
            self.bytes += len(packet.data)
            if packet.is_key or self.bytes > self._max_bytes:
                self._trim(packet.captured_ns - self._span_ns)

    def timed(self, order: tuple[int, int], captured_ns: int) -> None:
        """Note when an image was taken that has been decoded since, unless its camera has told."""
        with self._lock:
            for group in reversed(self._groups):
                for packet in reversed(group):
                    if packet.order == order:
                        if not packet.is_timed:
                            packet.captured_ns = captured_ns
                        return
                    if packet.order[0] < order[0]:
                        return

    def since(self, captured_ns: int) -> int:
        """Return the number of the packet that a clip from a moment on begins with: the last key
        frame before it, or the oldest there is. Where there is none, that of the next to come,
        which need not be one.
        """
        with self._lock:
            number, start = self._first, None
            for group in self._groups:
                is_before = group[0].captured_ns <= captured_ns
                if group[0].is_key and (is_before or start is None):
                    start = number
                number += len(group)
            return self._next if start is None else start

    def after(self, number: int) -> tuple[list[Packet], int]:
        """Return the packets from a number on, and the number of the next to come.

        Where those that were next are gone, they begin with the key frame after them.
        """
        with self._lock:
            skipped = number - self._first
            found: list[Packet] = []
            for group in self._groups:
                if skipped < 0 and not group[0].is_key:
                    continue
                if skipped < len(group):
                    found += group[max(0, skipped) :]
                skipped -= len(group)
            return found, self._next

    def is_past(self, captured_ns: int) -> bool:
        """Return whether a moment is so long ago that its images need not be there any more."""
        newest = self.newest
        return newest is not None and captured_ns < newest.captured_ns - self._span_ns

    @property
    def newest(self) -> Packet | None:
        """The newest packet, if there is any."""
        with self._lock:
            return self._groups[-1][-1] if self._groups else None

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._drop(len(self._groups))

    def _trim(self, oldest_ns: int) -> None:
        groups = self._groups
        while len(groups) > 1 and groups[1][0].captured_ns <= oldest_ns:
            self._drop(1)
        while self.bytes > self._max_bytes and groups:
            self._behead()

    def _drop(self, groups: int) -> None:
        for _ in range(groups):
            gone = self._groups.popleft()
            self._first += len(gone)
            self.bytes -= sum(len(packet.data) for packet in gone)

    def _behead(self) -> None:
        """Drop the oldest image."""
        group = self._groups[0]
        self.bytes -= len(group.pop(0).data)
        self._first += 1
        if not group:
            self._groups.popleft()
