"""The progress of an engine's build, for Redis, the API and pages."""

from __future__ import annotations

from typing import Literal

import msgspec


class BuildReport(msgspec.Struct, frozen=True):
    """The way of a model to the engine that is configured for it.

    Attributes:
        state: how far it is.
        words: what it does, or why it failed; empty where the state says all.
        share: done, 0 to 1, of frames while it collects them, of all while it builds; None where
            nothing tells how far it is.
        since: Unix seconds at which it began with that.
    """

    state: Literal["waiting", "collecting", "building", "ready", "failed"]
    words: str = ""
    share: float | None = None
    since: float | None = None
