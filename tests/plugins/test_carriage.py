"""What goes to Redis with which frame: events of lost frames, the memory, images and counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mirante.counts import Digits, Series
from mirante.events import Event
from mirante.trails import Trail
from plugins import carriage as module
from plugins.carriage import Carriage
from plugins.ledger import Ledger
from plugins.memory import CAMERA, Memory
from tests.support import walks


class Part:
    """A part of the memory that is a number."""

    def __init__(self, saved: bytes | None) -> None:
        self.number = int(saved or b"0")

    def saved(self) -> bytes:
        return b"%d" % self.number


class Sent:
    """What was handed to the outbox."""

    def __init__(self) -> None:
        self.steps: list[tuple[list[str], dict[str, bytes], Any, list[Digits]]] = []
        self.trails: list[Trail] = []

    def trail(self, camera: str, trail: Trail) -> None:
        assert camera == "gate"
        self.trails.append(trail)

    def events(
        self, camera: str, ms: int, events: Any, images: Any, saved: Any, counts: Any
    ) -> None:
        assert camera == "gate"
        assert abs(ms / 1000 - time.time()) < 600
        self.steps.append(([event.id for event in events], images, saved, list(counts)))


def event(name: str) -> Event:
    return Event(id=name, camera="gate", kind="object-new", ts=time.time())


class Site:
    """A line without its elements."""

    def __init__(self) -> None:
        self.ledger, self.memory, self.sent = Ledger("gate"), Memory(), Sent()
        self.carriage = Carriage(self.ledger, self.memory)
        self.carriage.outbox = self.sent  # type: ignore[assignment]
        self._pts = 0

    def frame(self, *events: str) -> int:
        """A frame in which stages found these events."""
        self._pts += 1
        self.ledger.decoded(self._pts, time.time_ns(), "arrival", (64, 48))
        self.ledger.admitted(self._pts)
        self.ledger.taken(self._pts)
        result = self.ledger.get(self._pts)
        assert result is not None
        self.ledger.put(self._pts, replace(result, events=tuple(map(event, events))))
        return self._pts

    def publish(self, *events: str) -> None:
        result = self.ledger.publish(self.frame(*events))
        assert result is not None
        self.carriage.published(result)

    @property
    def ids(self) -> list[list[str]]:
        return [ids for ids, *_ in self.sent.steps]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(module, "STEP_S", 3600.0)  # not over before a test says so
    return Site()


def test_events_of_frames_that_are_not_published_go_with_the_next(site: Site) -> None:
    site.publish()
    site.ledger.drop(site.frame("dropped"), "stage")
    site.ledger.fail(site.frame("failed", "failed too"))
    site.frame("swallowed")
    site.publish("own")
    site.publish("next")
    assert site.ids == [["dropped", "failed", "failed too", "swallowed", "own"], ["next"]]


@pytest.mark.parametrize("end", ["interrupt", "finish"])
def test_events_of_the_last_frames_go_by_themselves(site: Site, end: str) -> None:
    site.publish("one")
    site.ledger.fail(site.frame("two"))
    site.frame("three")
    site.carriage.rest()
    assert site.ids == [["one"]], "a stage has the frame still, and may find more"
    if end == "interrupt":
        site.ledger.interrupt("reconnect")
    else:
        site.ledger.finish()
    site.carriage.rest()
    site.carriage.rest()
    assert site.ids == [["one"], ["two", "three"]]


def test_a_stage_that_drops_every_frame_keeps_no_event_for_long(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = site.memory.part("zones", Part)
    site.publish()
    for number in range(3):
        part.number = number
        site.ledger.drop(site.frame(f"e{number}"), "stage")
        site.carriage.dropped()
    assert site.ids == [[]], "it is not over"
    monkeypatch.setattr(module, "STEP_S", 0.0)
    site.carriage.dropped()
    assert site.sent.steps[1] == (["e0", "e1", "e2"], {}, {"zones": b"2"}, [])


def test_the_memory_goes_with_each_event_and_once_a_second_without(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = site.memory.part("zones", Part)
    for part.number in range(1, 4):
        site.publish(f"e{part.number}")
    for part.number in range(4, 40):
        site.publish()
    assert [saved for *_, saved, _ in site.sent.steps] == [
        {"zones": b"1"},
        {"zones": b"2"},
        {"zones": b"3"},
    ]
    monkeypatch.setattr(module, "STEP_S", 0.0)
    site.publish()
    assert site.sent.steps[3:] == [([], {}, {"zones": b"39"}, [])]


def test_a_trail_goes_once_a_second_and_the_last_one_at_the_end(site: Site) -> None:
    for number in range(60):
        site.carriage.published(walks.frame(number / 25, {1: (50, 300)}))
    assert len(site.sent.trails) == 2
    site.carriage.rest()
    site.carriage.rest()
    spans_ms = [trail.after_ms[-1] for trail in site.sent.trails]
    assert len(spans_ms) == 3
    assert sum(spans_ms) > 2_000
    for number in range(60, 120):
        site.carriage.published(walks.frame(number / 25, {1: (50, 300)}, tracked=False))
    site.carriage.rest()
    assert len(site.sent.trails) == 3, "nothing tracks"


def test_a_camera_without_such_stages_writes_nothing_but_its_events(site: Site) -> None:
    for _ in range(3):
        site.publish()
    site.carriage.rest()
    assert site.sent.steps == []
    site.publish("of a user's stage")
    assert site.sent.steps == [(["of a user's stage"], {}, None, [])]


def test_what_another_thread_tells_goes_with_its_part_of_the_memory(site: Site) -> None:
    part = site.memory.part(CAMERA, Part)

    def lost() -> Event:
        part.number += 1
        return event("lost")

    site.publish()
    site.carriage.tell(lost)
    site.publish("own")
    assert site.sent.steps[1:] == [(["lost", "own"], {}, {CAMERA: b"1"}, [])]
    site.carriage.tell(lambda: None)
    site.publish()
    assert site.ids[2:] == [[]], "what it changed is written all the same"
    for _ in range(5):
        site.publish()
    assert len(site.sent.steps) == 3


class Numbered:
    """Counts that are a line for each event."""

    totals: Mapping[Series, int] = {}

    def __init__(self) -> None:
        self.digits: list[Digits] = []

    def count(self, events: Sequence[Event]) -> None:
        self.digits += [Digits("k", event.id, 0, "1") for event in events]

    def take(self) -> list[Digits]:
        digits, self.digits = self.digits, []
        return digits


def test_images_and_counts_go_with_their_event(site: Site) -> None:
    site.carriage.tally = Numbered()
    site.carriage.add_image("e1", b"one")
    site.ledger.drop(site.frame("e1"), "stage")
    for number in range(2 * module.IMAGES):
        site.carriage.add_image(f"of no event {number}", b"x")
    site.carriage.add_image("e2", b"two")
    site.publish("e2")
    digits = [Digits("k", event_id, 0, "1") for event_id in ("e1", "e2", "e3")]
    assert site.sent.steps == [(["e1", "e2"], {"e2": b"two"}, None, digits[:2])]
    site.publish("e3")
    assert site.sent.steps[1] == (["e3"], {}, None, digits[2:])
    assert site.carriage.carried == {"object-new": 3}


def test_a_part_that_cannot_be_saved_keeps_no_event_back(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    part = site.memory.part("zones", Part)
    part.number = "no number"  # type: ignore[assignment]
    site.publish("e1")
    assert site.sent.steps == [(["e1"], {}, None, [])]
    assert "camera gate: its memory cannot be saved" in caplog.text


def test_a_memory_is_recalled_once_when_a_part_is_wanted() -> None:
    asked: list[str] = []

    def recall() -> dict[str, bytes]:
        asked.append("asked")
        return {"zones": b"7", "lanes": b"3"}

    memory = Memory(recall=recall)
    assert not asked
    assert memory.part("zones", Part).number == 7
    assert memory.part("track", Part).number == 0
    assert memory.part("zones", Part) is memory.part("zones", Part)
    assert memory.saved() == {"zones": b"7", "track": b"0", "lanes": b"3"}
    assert asked == ["asked"]
