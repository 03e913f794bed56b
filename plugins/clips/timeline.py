"""Times of a clip's images: when each is shown, which is when it was taken, and when decoded."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import NamedTuple

from plugins.clips.ring import Packet

DEPTH = 17  # images between which a decoder of H.264 or H.265 changes the order, and one more
Order = tuple[int, int, int]  # that of the packet, and its number
_STEP_NS = 1_000_000  # between two images that were taken at one time


class Placed(NamedTuple):
    """A packet with its times.

    Attributes:
        packet: the packet.
        pts_ns: nanoseconds of the clip at which it is shown.
        dts_ns: and at which it is decoded.
    """

    packet: Packet
    pts_ns: int
    dts_ns: int


class Timeline:
    """Gives packets in the order of decoding their times; holds the last ``DEPTH`` back.

    Images are shown at the times at which they were taken, in the order that their stream says.
    The i-th packet is decoded when the i-th image is shown, less what the first images need for
    none to be decoded later than it is shown.

    Attributes:
        began_ns: Unix time in ns of the clip's time 0; 0 before the first packet has its times.
        shown_ns: Unix time in ns at which the newest image that has its time is shown.
    """

    def __init__(self) -> None:
        self.began_ns = 0
        self.shown_ns = 0
        self._numbers = count()
        self._waiting: deque[tuple[Order, Packet]] = deque()
        self._times: dict[Order, int] = {}  # of those that wait
        self._shown: deque[int] = deque()  # times of images, sorted, of packets that wait
        self._first: tuple[int, int] | None = None
        self._delay_ns: int | None = None
        self._decoded_ns = -1

    def put(self, packet: Packet) -> list[Placed]:
        """Take the next packet; return those whose times are certain now.

        Images that are shown before the first, and so lean on some before it, are left out.
        """
        self._first = self._first or packet.order
        if packet.order < self._first:
            return []
        self._waiting.append(((*packet.order, next(self._numbers)), packet))
        return [self._place()] if len(self._waiting) > DEPTH else []

    def end(self) -> list[Placed]:
        """Return the packets that are left."""
        return [self._place() for _ in range(len(self._waiting))]

    def _place(self) -> Placed:
        if self._delay_ns is None:
            self._begin()
        order, packet = self._waiting[0]
        self._fix(order)
        self._waiting.popleft()
        shown_ns = self._times.pop(order) - self.began_ns
        due_ns = self._shown.popleft() - (self._delay_ns or 0) - self.began_ns
        self._decoded_ns = max(self._decoded_ns + 1, min(due_ns, shown_ns))
        return Placed(packet, max(shown_ns, self._decoded_ns), self._decoded_ns)

    def _fix(self, last: Order) -> None:
        """Give the images up to one their times, each later than the one shown before it."""
        for order, packet in sorted(self._waiting, key=_order):
            if order > last:
                return
            if order not in self._times:
                self.shown_ns = max(packet.captured_ns, self.shown_ns + _STEP_NS)
                self._times[order] = self.shown_ns
                self._shown.append(self.shown_ns)

    def _begin(self) -> None:
        """Find how much later than decoded the first images are shown."""
        shown = sorted(self._waiting, key=_order)
        late_ns = (
            of.captured_ns - each.captured_ns
            for (_, of), (_, each) in zip(shown, self._waiting, strict=True)
        )
        self._delay_ns = max(0, *late_ns)
        self.began_ns = shown[0][1].captured_ns - self._delay_ns


def _order(waiting: tuple[Order, Packet]) -> Order:
    return waiting[0]
