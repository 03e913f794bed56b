"""A worker's report of the objects that its cameras count."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mirante.counts import Metric


class CountedReport(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that a camera has counted, of one class.

    Attributes:
        metric: what they did.
        place: name of the zone or line; empty of ``new``.
        label: their class.
        number: of them, since the worker was started.
    """

    metric: Annotated[
        Metric, msgspec.Meta(description="new; entered, left: a zone; in, out: across a line")
    ]
    place: str
    label: str
    number: int
