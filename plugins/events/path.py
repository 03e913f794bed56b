"""The way of an object as a few points."""

from __future__ import annotations

import struct

POINTS = 24  # of a path; as bytes they are part of a memory that has to stay small
_POINT = struct.Struct("<2h")
_STEP = 0.25  # of the height of its box, that an object has to go for another point
_LEAST = 4  # … and pixels


def longer(path: bytes, x: int, y: int, height: int) -> bytes:
    """Return a path with one more point, where that is far enough from its last one.

    Of more than ``POINTS`` the one is left out that changes the way least: the corner of the
    smallest triangle with its neighbours (Visvalingam and Whyatt, 1993).

    Args:
        path: pairs of little-endian int16, x and y in source pixels.
        x, y: the object's anchor, within int16.
        height: of its box.
    """
    if path:
        last_x, last_y = _POINT.unpack_from(path, len(path) - _POINT.size)
        if abs(x - last_x) + abs(y - last_y) < max(_LEAST, _STEP * height):
            return path
    path += _POINT.pack(x, y)
    return path if len(path) <= POINTS * _POINT.size else _thinned(path)


def points_of(path: bytes) -> list[tuple[float, float]]:
    """Return the points of a path, oldest first."""
    return [(float(x), float(y)) for x, y in _POINT.iter_unpack(path)]


def _thinned(path: bytes) -> bytes:
    """Return a path without the corner that matters least; both ends stay."""
    points = list(_POINT.iter_unpack(path))
    corners = zip(points, points[1:], points[2:], strict=False)
    areas = [
        abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) for a, b, c in corners
    ]
    least = (areas.index(min(areas)) + 1) * _POINT.size
    return path[:least] + path[least + _POINT.size :]
