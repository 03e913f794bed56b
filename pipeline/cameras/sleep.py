"""Decides which images of a quiet camera are decoded: only key frames until something happens.

Pure: ``pipeline/gst/nap.py`` keeps the others and decodes them.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

GROUPS = 3  # in a row that have shown their length
LONGEST_S = 4.5  # of a group: four, and what the times of cameras are out by
LEAST_IMAGES = 4  # of a group, or little is saved
MOST_BYTES = 16 << 20  # of a group
_LEARNT = 50  # sizes until they are known
_RATE = 1 / 50  # at which they are learnt
_TIMES, _SHARE = 4.0, 0.3  # the usual deviation, and of the usual size, up to which one counts
_NEWEST = 8  # images; something happens where their mean is off by half of that


class Way(Enum):
    """What becomes of an encoded image."""

    DECODED = auto()  # as it comes
    HELD = auto()  # kept until the next key frame has been looked at
    KEY = auto()  # kept, and decoded at once to be looked at
    WAKES = auto()  # kept; and all that is kept is decoded now


class Sizes:
    """The sizes that are usual for images that lean on others.

    Mean and mean deviation run on, with each size cut to a limit, so that a few large ones move
    them little and a lasting change moves them soon (Huber, 1964).
    """

    def __init__(self) -> None:
        self._usual = self._off = 0.0
        self._seen = 0
        self._newest: deque[float] = deque(maxlen=_NEWEST)  # more than usual

    def came(self, size: int) -> bool:
        """Return whether something happens, by the size of the next image in bytes."""
        is_known, self._seen = self._seen >= _LEARNT, self._seen + 1
        room = max(_TIMES * self._off, _SHARE * self._usual)
        more = size - self._usual
        if is_known:
            more = min(more, room)
            self._newest.append(more)
        happens = len(self._newest) == _NEWEST and sum(self._newest) > room / 2 * _NEWEST
        if happens:
            self._newest.clear()
        rate = max(_RATE, 1 / self._seen)
        self._off += (abs(more) - self._off) * rate if self._seen > 1 else 0.0
        self._usual += more * rate
        return happens


class Sleep:
    """Follows the encoded images of one session.

    It falls asleep with a key frame, and only where key frames have come at a steady pace and their
    frames left the decoder before the next image came. Streams with B frames, with long groups or
    with none are left alone for that.

    Attributes:
        is_asleep: key frames alone are decoded.
        awaits: the key frame that came last is looked at before anything else comes.
    """

    def __init__(self) -> None:
        self.is_asleep = False
        self.awaits = False
        self._is_drowsy = False  # the key frame that is looked at may be the first asleep
        self._moved = False
        self._sizes = Sizes()
        self._key_s = self._newest_s = float("-inf")
        self._images = self._bytes = self._groups = 0

    def came(self, is_key: bool, size: int, at_s: float, is_calm: bool) -> Way:
        """Return what becomes of the next image.

        Args:
            is_key: it leans on no other.
            size: in bytes.
            at_s: its own time.
            is_calm: nothing has happened for long, and nobody watches.
        """
        is_late, self.awaits = self.awaits, is_key
        is_even = self._follow(is_key, size, at_s)
        happens = is_calm and not is_key and self._sizes.came(size)
        if not self.is_asleep:
            self._is_drowsy = is_key and is_calm and is_even and self._groups >= GROUPS
            return Way.DECODED
        is_full = self._bytes > MOST_BYTES
        if self._moved or is_late or happens or is_full or not (is_calm and is_even):
            self.is_asleep = self._moved = self.awaits = False
            return Way.WAKES
        return Way.KEY if is_key else Way.HELD

    def looked(self, moves: bool) -> bool:
        """Take in that the key frame that came last was looked at, and what was seen; return
        whether it is asleep with it, or goes on to sleep.
        """
        self.awaits = False
        if self.is_asleep:
            self._moved = moves
        else:
            self.is_asleep = self._is_drowsy and not moves
        return self.is_asleep and not moves

    def _follow(self, is_key: bool, size: int, at_s: float) -> bool:
        """Count groups; return whether they are as they were."""
        is_even = at_s - self._newest_s > 0 and at_s - self._key_s <= LONGEST_S
        self._newest_s = at_s
        if is_key:
            is_whole = is_even and self._images >= LEAST_IMAGES
            self._groups = self._groups + 1 if is_whole else 0
            self._key_s, self._images, self._bytes = at_s, 0, 0
        elif not is_even:
            self._groups = 0
        self._images += 1
        self._bytes += size
        return is_even
