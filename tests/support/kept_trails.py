"""Trails of walks, as a worker keeps them in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mirante.frame import FrameResult
from plugins.trails import Trails
from tests.support.api_server import Bench


def keep_trails(bench: Bench, frames: Sequence[FrameResult], begun_ns: int) -> None:
    """Write the trails of the camera gate; its first frame is moved to ``begun_ns``."""
    trails = Trails()
    for each in frames:
        at_ns = begun_ns + each.captured_ns - frames[0].captured_ns
        for trail in (trails.add(replace(each, captured_ns=at_ns)), trails.take()):
            if trail is not None:
                bench.outbox.trail("gate", trail)
    bench.until(lambda: bench.outbox.state.depth == 0)
