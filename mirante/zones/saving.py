"""The memory of a counter as bytes: totals by name, and each track in about 150 bytes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from mirante.wire.errors import UNREADABLE
from mirante.zones import ZoneCount
from mirante.zones.rules import Line
from mirante.zones.tracks import COLUMNS, MOMENTS, Tracks

SHORT: dict[str, type] = {  # dtypes to which columns are cut; moments become ages in seconds
    "missed": np.uint8,
    "label": np.uint16,
    "side": np.int8,
    "crossed": np.int8,
    "fits": np.int8,
    "box": np.float32,
    "anchor": np.float32,
    "walked": np.float32,
    "level": np.float32,
    "walked_before": np.float32,
    "since": np.float32,
    "entered": np.float32,
    "far": np.float32,
}
NEVER = -1.0  # the age of a moment that has not been
GEOMETRY = {"distance"}  # made again


class Totals(msgspec.Struct):
    """The totals of a zone or line.

    Attributes:
        up, down: entered and left; in and out.
        level: seconds of too many in a zone, or of enough room while it is crowded.
        is_crowded: it is.
        was_over: the frame before showed too many.
    """

    up: int = 0
    down: int = 0
    level: float = 0.0
    is_crowded: bool = False
    was_over: bool = False

    def zone(self, inside: int, dwell_s: float, queue: int | None) -> ZoneCount:
        """Return those of a zone, with who is in it."""
        return ZoneCount(
            inside=inside,
            entered=self.up,
            left=self.down,
            dwell_s=round(dwell_s, 1) if inside else 0.0,
            queue=queue,
            crowded=self.is_crowded,
        )


class Saved(msgspec.Struct, kw_only=True):
    """All that is kept.

    Attributes:
        serial: number of the last event.
        now_ns: capture time of the last frame.
        zones, lines: what each has counted, by name, in the order of the columns.
        ends: those of each line, of which the sides of tracks hold.
        labels: class names that the column ``label`` counts through.
        count: of tracks.
        columns: those of the tracks.
    """

    serial: int
    now_ns: int
    zones: dict[str, Totals]
    lines: dict[str, Totals]
    ends: dict[str, list[float]]
    labels: list[str]
    count: int
    columns: dict[str, bytes]
    version: Literal[1] = 1


_writer = msgspec.msgpack.Encoder()
_reader = msgspec.msgpack.Decoder(Saved)


def ends_of(line: Line) -> list[float]:
    """Return what the sides of a line depend on."""
    return [*line.from_, *line.to, float(line.anchor == "centre")]


def write(saved: Saved) -> bytes:
    """Return the bytes."""
    return _writer.encode(saved)


def read(data: bytes) -> Saved:
    """Return what was saved.

    Raises:
        ValueError: the bytes are of no counter.
    """
    try:
        return _reader.decode(data)
    except UNREADABLE as error:
        raise ValueError(f"the memory of zones cannot be read: {error}") from None


def columns_of(tracks: Tracks, now_ns: int, has_ground: bool) -> dict[str, bytes]:
    """Return the columns as bytes, without those that follow from others."""
    left_out = GEOMETRY if has_ground else {*GEOMETRY, "marks", "walked", "walked_before"}
    columns = {}
    for name, column in tracks.columns.items():
        if name in left_out:
            continue
        values: Any = column
        if name in MOMENTS and name != "seen":
            values = np.where(column == 0, NEVER, (now_ns - column) / 1e9)
        if name in SHORT:
            values = values.astype(SHORT[name])
        columns[name] = values.tobytes()
    return columns


def tracks_of(saved: Saved) -> Tracks:
    """Return the tracks that were saved.

    Raises:
        ValueError: a column has another length than its tracks.
    """
    tracks = Tracks(len(saved.zones), len(saved.lines))
    columns: dict[str, Any] = {}
    for name, data in saved.columns.items():
        if name not in COLUMNS:
            continue
        shape = (saved.count, *tracks[name].shape[1:])
        values: Any = np.frombuffer(data, SHORT.get(name, COLUMNS[name][0])).reshape(shape)
        if name in MOMENTS and name != "seen":
            ages = values.astype(np.float64)
            values = np.where(ages < 0, 0, saved.now_ns - (ages * 1e9).astype(np.int64))
        columns[name] = values
    if saved.count:
        tracks.append(columns)
    return tracks
