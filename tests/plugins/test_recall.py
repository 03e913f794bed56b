"""The memory that a camera's last worker left, as it is waited for; no Redis is needed."""

from __future__ import annotations

from typing import Any

import pytest

from mirante.keys import EntryId
from plugins.outbox.lane import EVENT_KINDS, Lane
from plugins.outbox.recall import Recall, answer_recalls
from plugins.outbox.ring import Ring

FLOORS = dict.fromkeys(EVENT_KINDS, EntryId(0, 0))


def says(memory: bytes) -> Any:
    return lambda commands: [memory] * len(commands)


def lost(camera: str, frames: int) -> None:
    raise AssertionError(f"{camera}: {frames} frames lost")


def claimed(ring: Ring) -> Lane:
    (lane,) = ring.of("gate")
    lane.sync(FLOORS)
    return lane


def test_what_was_not_had_before_the_camera_went_on_is_read_again() -> None:
    """Its next worker has written since."""
    ring = Ring(30.0, 1 << 20, 60.0, lost)
    ring.share("gate", is_shared=True, is_held=False)
    early = ring.recall("gate", is_kept=True)
    assert answer_recalls([claimed(ring)], says(b"of a")) == []
    assert ring.recall("gate", is_kept=True) is early
    ring.move("gate", "c")
    ring.resign("gate")
    ring.share("gate", is_shared=True, is_held=True)
    ring.free("gate")
    asked = ring.recall("gate", is_kept=True)
    assert (early.saved, asked.saved) == (b"of a", None)
    answer_recalls([claimed(ring)], says(b"of c"))
    assert asked.saved == b"of c"


def test_who_forgets_an_answer_at_once_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On its own thread, before the sender is done with it."""
    ring = Ring(30.0, 1 << 20, 60.0, lost)
    answer = Recall.answer

    def had(recall: Recall, saved: bytes) -> None:
        answer(recall, saved)
        ring.recalled("gate")

    monkeypatch.setattr(Recall, "answer", had)
    asked = ring.recall("gate", is_kept=True)
    lane = claimed(ring)
    assert answer_recalls([lane], says(b"")) == []
    assert (asked.saved, lane.recall) == (b"", None)
