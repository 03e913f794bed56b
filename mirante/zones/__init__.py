"""Zones and lines over time: who is in an area, who crossed a line, counted once.

The counting needs tracked objects and nothing else, so that a consumer or the dashboard can count
kept results again (``mirante.zones.counter``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from mirante.terms import Count

Seconds = Annotated[float, Meta(ge=0)]


class ZoneCount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The objects in a zone as of a frame.

    Attributes:
        inside: how many are in it.
        entered, left: how many have entered and left it since counting began.
        dwell_s: seconds for which the one that came first has been in it.
        queue: how many of those in it stand; None where nothing says which do.
        crowded: there have been more in it than ``crowded`` for ``crowded_s``.
    """

    inside: Annotated[int, Meta(ge=0, description="objects in it")]
    entered: Annotated[int, Meta(ge=0, description="objects that entered, since counting began")]
    left: Annotated[int, Meta(ge=0, description="objects that left, since counting began")]
    dwell_s: Annotated[
        Seconds, Meta(description="seconds that the object which came first has been in it")
    ] = 0.0
    queue: Annotated[
        Count | None, Meta(description="objects in it that stand; absent where that is unknown")
    ] = None
    crowded: Annotated[
        bool, Meta(description="more objects than its limit have been in it for its time")
    ] = False


class LineCount(msgspec.Struct, frozen=True, kw_only=True, rename={"in_": "in"}):
    """The crossings of a line since counting began.

    Attributes:
        in_: from the left of the line to its right, as seen from its start towards its end.
        out: the other way.
    """

    in_: Annotated[int, Meta(ge=0, description="crossings from the line's left to its right")]
    out: Annotated[int, Meta(ge=0, description="crossings from the line's right to its left")]


class ZoneCounts(NamedTuple):
    """All of a camera's, as of a frame.

    Attributes:
        zones, lines: by name.
    """

    zones: Mapping[str, ZoneCount]
    lines: Mapping[str, LineCount]
