"""By when a frame's result is wanted."""

from __future__ import annotations

import pytest

from plugins.infer.pace import Pace

MS = 1_000_000


def test_before_the_next_frame_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.infer.pace.time.monotonic", lambda: 100.0)
    made, at_ns = Pace(), 1_700_000_000_000 * MS
    found = []
    # The second, one that follows a dropped one, a break, the first after it, a clock set back.
    for apart_ms in (0, 40, 80, 5000, 40, -500, 40):
        at_ns += apart_ms * MS
        found.append(made.by_s(at_ns))
    assert found == [None, 100.04, 100.04, None, 100.04, None, 100.04]
