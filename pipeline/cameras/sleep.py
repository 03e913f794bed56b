"""Decides which images of a quiet camera are decoded: only key frames until something happens.

Pure: ``pipeline/gst/nap.py`` keeps the others and decodes them.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from plugins.gate.calm import SIZES

GROUPS = 3  # in a row that have shown their length
LONGEST_S = 4.5  # of a group: four, and what the times of cameras are out by
LEAST_IMAGES = 4  # of a group, or little is saved
MOST_BYTES = 16 << 20  # of a group
# Why a camera wakes, or its stream is left alone; others in ``plugins.gate.calm``.
LATE = "late"  # the next image came before a key frame had left the decoder
UNEVEN = "uneven"  # a key frame did not come in time, or times go back
LARGE = "large"  # more is kept than may be
STREAM = "stream"  # its format changes, or it ends
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
        why: it woke last.
        left_alone: why the stream never lets it sleep, in words; empty where it does, or while that
            is not known.
    """

    def __init__(self) -> None:
        self.is_asleep = False
        self.awaits = False
        self.why = self.left_alone = ""
        self._is_drowsy = False  # the key frame that is looked at may be the first asleep
        self._moved = ""
        self._sizes = Sizes()
        self._key_s = self._newest_s = float("-inf")
        self._images = self._bytes = self._groups = 0
        self._late = 0  # key frames in a row

    def came(self, is_key: bool, size: int, at_s: float, stirs: str) -> Way:
        """Return what becomes of the next image.

        Args:
            is_key: it leans on no other.
            size: in bytes.
            at_s: its own time.
            stirs: why it is not to sleep; empty where nothing has happened for long.
        """
        is_late, self.awaits = self.awaits, is_key
        self._late += is_late
        if self._late >= GROUPS:
            self.left_alone = "its decoder holds frames back"
        is_even = self._follow(is_key, size, at_s)
        happens = not stirs and not is_key and self._sizes.came(size)
        if not self.is_asleep:
            self._is_drowsy = is_key and not stirs and is_even and self._groups >= GROUPS
            return Way.DECODED
        is_full = self._bytes > MOST_BYTES
        self.why = (
            stirs
            or self._moved
            or (SIZES if happens else "")
            or (LATE if is_late else "")
            or (LARGE if is_full else "")
            or ("" if is_even else UNEVEN)
        )
        if self.why:
            self.is_asleep = self.awaits = False
            self._moved = ""
            return Way.WAKES
        return Way.KEY if is_key else Way.HELD

    def looked(self, moves: str) -> bool:
        """Take in that the key frame that came last was looked at, and why that is to wake it, or
        an empty text; return whether it is asleep with it, or goes on to sleep.
        """
        self.awaits = False
        self._late = 0
        if self._groups >= GROUPS:
            self.left_alone = ""
        if self.is_asleep:
            self._moved = moves
        else:
            self.is_asleep = self._is_drowsy and not moves
        return self.is_asleep and not moves

    def _follow(self, is_key: bool, size: int, at_s: float) -> bool:
        """Count groups; return whether they are as they were."""
        is_long = at_s - self._key_s > LONGEST_S
        is_even = at_s - self._newest_s > 0 and not is_long
        if is_long and self._key_s >= 0:
            self.left_alone = f"its key frames are more than {LONGEST_S} s apart"
        self._newest_s = at_s
        if is_key:
            is_whole = is_even and self._images >= LEAST_IMAGES
            if self._key_s >= 0 and self._images < LEAST_IMAGES:
                self.left_alone = (
                    f"fewer than {LEAST_IMAGES} images lie between two of its key frames"
                )
            self._groups = self._groups + 1 if is_whole else 0
            self._key_s, self._images, self._bytes = at_s, 0, 0
        elif not is_even:
            self._groups = 0
        self._images += 1
        self._bytes += size
        return is_even
