"""The tracks of one camera as arrays, and as bytes for whoever continues from them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from plugins.track.motion import AT, SPEED, WIDTH, Rows

# Columns behind those of motion.
MISSED = WIDTH  # seconds of watching since it was last found
EVIDENCE = WIDTH + 1  # the squared scores of its boxes, summed
STOOD = slice(WIDTH + 2, WIDTH + 6)  # where it stood when it last moved: centre, width, height
STOOD_SINCE_S = WIDTH + 6  # Unix time of capture
PACE = slice(WIDTH + 7, WIDTH + 10)  # the way right and down in some seconds, and the seconds
COLUMNS = WIDTH + 10
_PACE_S = 3.0  # in which a way is forgotten to a third
KNOWN = 1.0  # evidence from which a track has a number
NO_ID = 0  # of an object that has not been seen well enough for a number


@dataclass(slots=True)
class Tracks:
    """Objects that are followed; place ``i`` of each array belongs to track ``i``.

    Attributes:
        states: (n, COLUMNS) float64.
        ids: (n,) int64, ``NO_ID`` or the number that others see.
        classes: (n,) int32, places in a tracker's list of labels.
    """

    states: Rows
    ids: NDArray[np.int64]
    classes: NDArray[np.int32]

    @classmethod
    def none(cls) -> Tracks:
        """Return no tracks."""
        return cls(np.empty((0, COLUMNS)), np.empty(0, np.int64), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.ids)

    def copied(self) -> Tracks:
        """Return tracks that may be changed."""
        return Tracks(self.states.copy(), self.ids.copy(), self.classes.copy())

    def kept(self, where: NDArray[np.bool_]) -> Tracks:
        """Return those tracks."""
        if where.all():
            return self
        return Tracks(self.states[where], self.ids[where], self.classes[where])

    def joined(self, others: Tracks) -> Tracks:
        """Return these tracks, and behind them others."""
        return Tracks(
            np.concatenate([self.states, others.states]),
            np.concatenate([self.ids, others.ids]),
            np.concatenate([self.classes, others.classes]),
        )

    def move(self, shift: NDArray[np.float64]) -> None:
        """Move all with the image: (2,) pixels right and down."""
        self.states[:, :2] += shift
        self.states[:, STOOD.start : STOOD.start + 2] += shift

    def learn_pace(self, before: Rows, elapsed_s: float) -> None:
        """Take the way since the last frame into the pace over some seconds.

        Args:
            before: (m, 2), where the first of the tracks were then; others are new.
            elapsed_s: seconds since.
        """
        walked = self.states[: len(before)]
        pace = walked[:, PACE]
        pace *= np.exp(-elapsed_s / _PACE_S)
        pace[:, :2] += walked[:, :2] - before
        pace[:, 2] += elapsed_s

    def walk_on(self) -> None:
        """Take the pace over some seconds for the speed of now: what wavers less leads farther."""
        pace = self.states[:, PACE]
        known = np.flatnonzero(pace[:, 2])
        self.states[known, SPEED.start : SPEED.start + 2] = pace[known, :2] / pace[known, 2:]

    def stand(self, now_s: float, moved: float) -> Rows:
        """Note which have moved from where they stood; return for how long each stands: (n,).

        Args:
            now_s: Unix time of capture.
            moved: share of its size by which an edge has moved then.
        """
        at, stood = self.states[:, AT], self.states[:, STOOD]
        size = np.minimum(at[:, 2:], stood[:, 2:])
        off = np.abs(at - stood)
        far = off[:, :2] + off[:, 2:] * 0.5 > moved * size
        gone = np.flatnonzero(far[:, 0] | far[:, 1])
        if len(gone):
            self.states[gone, STOOD] = at[gone]
            self.states[gone, STOOD_SINCE_S] = now_s
        return now_s - self.states[:, STOOD_SINCE_S]


class Saved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A tracker's memory: 138 bytes a track, and its labels.

    Attributes:
        captured_ns: of the last frame.
        ts_source: whose clock said so.
        next_id: the number of the next object.
        period_s: usual time between two frames.
        labels: names that ``classes`` point into.
        states: (n, COLUMNS) little-endian float32.
        stood_since_s: (n,) little-endian float64, as float32 is too coarse for a date.
        ids: (n,) little-endian int64.
        classes: (n,) little-endian uint16.
        here_ns: Unix time of the machine at the last frame.
    """

    captured_ns: int
    ts_source: str
    next_id: int
    period_s: float
    labels: list[str]
    states: bytes
    stood_since_s: bytes
    ids: bytes
    classes: bytes
    here_ns: int = 0

    def tracks(self) -> Tracks:
        """Return the tracks.

        Raises:
            ValueError: the arrays are not of one length.
        """
        ids = np.frombuffer(self.ids, "<i8").astype(np.int64)
        states = np.frombuffer(self.states, "<f4").astype(np.float64).reshape(len(ids), COLUMNS)
        states[:, STOOD_SINCE_S] = np.frombuffer(self.stood_since_s, "<f8")
        classes = np.frombuffer(self.classes, "<u2").astype(np.int32)
        if len(classes) != len(ids) or (classes >= len(self.labels)).any():
            raise ValueError(f"{len(ids)} tracks with {len(classes)} classes")
        return Tracks(states, ids, classes)
