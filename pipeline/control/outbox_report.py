"""The part of a worker's report about its way to Redis."""

from __future__ import annotations

import msgspec


class CutReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the limit of a stream (``max_mib``) has cost.

    Attributes:
        entries: removed before their time since the worker began.
        kept_s: the age at which the last of them went, seconds.
        max_mib: the limit.
    """

    entries: int
    kept_s: float
    max_mib: int


class OutboxReport(msgspec.Struct, frozen=True, kw_only=True):
    """The way to Redis.

    Attributes:
        connected: Redis takes entries.
        words: why not, without credentials.
        depth: entries held that Redis has not confirmed.
        sent: frames that Redis took.
        lost: frames that Redis never got, per camera; ``refused`` is part of it.
        refused: frames refused because another publisher writes the camera's streams.
        lost_events: events that Redis never got, per camera.
        cut: what left Redis before its time as ``max_mib`` was full, by camera and kind.
    """

    connected: bool
    words: str
    depth: int
    sent: int
    lost: dict[str, int]
    refused: int
    lost_events: dict[str, int] = {}
    cut: dict[str, dict[str, CutReport]] = {}
