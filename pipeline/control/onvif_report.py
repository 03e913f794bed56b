"""How a worker receives a camera's own events, in its report."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class OnvifReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a camera's own events are received."""

    state: Annotated[
        Literal["connecting", "subscribed", "failed"],
        Meta(description="subscribed: the camera's own events are published"),
    ] = "connecting"
    reason: Annotated[str, Meta(description="why, in words; empty where it is subscribed")] = ""
    code: Annotated[str | None, Meta(description="why not, as a code of faults")] = None
    since: Annotated[float, Meta(description="Unix seconds at which the state began")] = 0.0
    events: Annotated[int, Meta(description="events since it was started")] = 0
    failures: Annotated[
        int, Meta(description="subscriptions that failed or were lost since it was started")
    ] = 0
    last: Annotated[str, Meta(description="the last one's kind, and the class or the name")] = ""
    last_at: Annotated[float | None, Meta(description="Unix seconds of the last one")] = None
    clock_off_s: Annotated[
        float,
        Meta(description="by how many seconds the camera's clock is ahead, where it is 2 off"),
    ] = 0.0
    unknown: Annotated[
        dict[str, int], Meta(description="messages of topics that are no events of ours, by topic")
    ] = {}
