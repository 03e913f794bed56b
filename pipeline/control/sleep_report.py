"""How a camera sleeps, in its worker's report."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class SleepReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a camera sleeps that may: while nothing happens its key frames alone are decoded."""

    asleep: Annotated[bool, Meta(description="key frames alone are decoded now")] = False
    asleep_s: Annotated[float, Meta(description="seconds asleep since it was started")] = 0.0
    of_s: Annotated[float, Meta(description="seconds since it was started")] = 0.0
    wakes: Annotated[dict[str, int], Meta(description="how often it woke, by reason")] = {}
    unseen: Annotated[
        int,
        Meta(description="images kept asleep, and lost as the connection broke or it was stopped"),
    ] = 0
    left_alone: Annotated[
        str, Meta(description="why its stream never lets it sleep, in words; else empty")
    ] = ""
