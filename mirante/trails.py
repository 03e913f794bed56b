"""Trails: where the tracked objects of a camera were, a second of it in about a kilobyte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.detections import Detections
from mirante.frame import FrameResult
from mirante.terms import Size
from mirante.wire.errors import UNREADABLE, WireError

_PLACES = 2**14  # of the frame's width and height; boxes may lie outside by as much again
_SCORES = 255
_WIDE = 256  # more than so many tracks, or classes, take two bytes


class Moment(NamedTuple):
    """The objects of one frame, without what a trail leaves out: masks above all."""

    at_ms: int
    size: Size
    tracks: NDArray[np.int64]
    names: Sequence[str]
    class_id: NDArray[np.int32]
    score: NDArray[np.float32]
    still: NDArray[np.bool_]
    xyxy: NDArray[np.float32]

    @classmethod
    def of(cls, result: FrameResult, tracks: NDArray[np.int64]) -> Moment:
        """Return the moment that a frame shows, whose objects have these tracks."""
        found = result.detections
        still = np.zeros(len(found), np.bool_) if found.still is None else found.still
        size = result.width, result.height
        facts = (tracks, found.labels, found.class_id, found.score, still, found.xyxy)
        return cls(result.captured_ns // 1_000_000, size, *facts)


class Trail(msgspec.Struct, frozen=True, array_like=True):
    """Field ``msgpack`` of an entry of ``mirante:{camera}:tracks``.

    The columns have a value for each object of the first moment, then of the next. All is
    little-endian; what indexes a table of more than 256 takes two bytes, else one.

    Attributes:
        begun_ms: Unix ms of capture of the first moment.
        size: width and height of the frames, in source pixels.
        after_ms: of each moment, ms since the first.
        objects: of each moment, how many there were.
        tracks: the numbers of tracks that occur.
        labels: the names of classes that occur.
        track, label: columns of indices into these.
        score: column, one byte, 255 for 1.
        still: column of bits, the first the highest of its byte.
        boxes: column of left, top, right, bottom: int16, 2^14 for the frame's width or height.
    """

    begun_ms: int
    size: Size
    after_ms: list[int]
    objects: list[int]
    tracks: list[int]
    labels: list[str]
    track: bytes
    label: bytes
    score: bytes
    still: bytes
    boxes: bytes

    @property
    def ended_ms(self) -> int:
        """Unix ms of capture of the last moment."""
        return self.begun_ms + self.after_ms[-1]

    @classmethod
    def of(cls, moments: Sequence[Moment]) -> Trail:
        """Return the trail of one moment or more, all of one size."""
        (begun_ms, size, *_), columns = moments[0], list(zip(*moments, strict=True))
        tracks, labels = dict[int, int](), dict[str, int]()
        track, label = list[int](), list[int]()
        for each in moments:
            names = [each.names[number] for number in each.class_id.tolist()]
            label += [labels.setdefault(name, len(labels)) for name in names]
            track += [tracks.setdefault(it, len(tracks)) for it in each.tracks.tolist()]
        score, still, xyxy = (np.concatenate(column) for column in columns[-3:])
        scores = np.rint(score * _SCORES).clip(0, _SCORES)
        places = np.rint(xyxy * (_PLACES / np.array([*size, *size])))
        return cls(
            begun_ms,
            size,
            [each.at_ms - begun_ms for each in moments],
            [len(each.tracks) for each in moments],
            list(tracks),
            list(labels),
            np.array(track, _index(tracks)).tobytes(),
            np.array(label, _index(labels)).tobytes(),
            scores.astype(np.uint8).tobytes(),
            np.packbits(still).tobytes(),
            places.clip(-2 * _PLACES, 2 * _PLACES - 1).astype("<i2").tobytes(),
        )

    def results(self, camera: str) -> Iterator[FrameResult]:
        """Yield its moments as results of a camera, which have no other facts than these.

        Raises:
            WireError: its columns do not fit together.
        """
        try:
            yield from self._results(camera)
        except (ValueError, IndexError) as error:
            raise WireError(f"not a trail: {error}") from error

    def _results(self, camera: str) -> Iterator[FrameResult]:
        tracks, labels = np.array(self.tracks, np.int64), tuple(self.labels)
        track = tracks[np.frombuffer(self.track, _index(tracks))]
        label = np.frombuffer(self.label, _index(labels)).astype(np.int32)
        score = np.frombuffer(self.score, np.uint8).astype(np.float32) / np.float32(_SCORES)
        places = np.frombuffer(self.boxes, "<i2").reshape(-1, 4)
        boxes = (places * (np.array([*self.size, *self.size]) / _PLACES)).astype(np.float32)
        count, bits = len(boxes), np.unpackbits(np.frombuffer(self.still, np.uint8))
        if sum(self.objects) != count or len(bits) != -(-count // 8) * 8:
            raise ValueError(f"{sum(self.objects)} objects, {count} boxes, {len(bits)} bits")
        still = bits[:count].astype(np.bool_)
        start = 0
        for after_ms, many in zip(self.after_ms, self.objects, strict=True):
            rows = slice(start, start + many)
            start += many
            objects = Detections(
                boxes[rows], score[rows], label[rows], labels, track[rows], still=still[rows]
            )
            at_ns = (self.begun_ms + after_ms) * 1_000_000
            yield FrameResult(camera, 0, 0, at_ns, "arrival", *self.size, detections=objects)


def _index(table: Sized) -> str:
    """Return the dtype of what indexes a table."""
    return "<u1" if len(table) <= _WIDE else "<u2"


_read = msgspec.msgpack.Decoder(Trail)
write_trail = msgspec.msgpack.encode


def read_trail(data: bytes) -> Trail:
    """Return a trail as it stands in Redis.

    Raises:
        WireError: it is none.
    """
    try:
        return _read.decode(data)
    except UNREADABLE as error:
        raise WireError(f"not a trail: {error}") from error
