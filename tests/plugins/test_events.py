"""What is told of tracked objects: once each, across restarts, with images, and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from mirante.counts import Digits, Series
from mirante.detections import Detections
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.zones.counter import UntrackedError
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from plugins.carriage import Carriage
from plugins.events.options import EventsOptions, read_options
from plugins.events.path import POINTS, longer, points_of
from plugins.events.stage import COUNTS, EVENTS, EventsStage
from plugins.frame import Frame
from plugins.ledger import Ledger
from plugins.memory import Memory
from tests.support.images import decode_image
from tests.support.walks import START_NS, frame

RANDOM = np.random.default_rng(7)
NOISE = RANDOM.integers(0, 256, (360, 640, 3)).astype(np.uint8)
IMAGE = Frame(NOISE)
START_S = START_NS // 1_000_000_000


class Site:
    """A stage with a memory, and what it hands over."""

    def __init__(self, saved: dict[str, bytes] | None = None, **options: Any) -> None:
        self.now_s = 0.0
        self.memory = Memory(saved)
        self.carriage = Carriage(Ledger("gate"), self.memory)
        self.stage = EventsStage(
            EventsOptions(**options), self.memory, self.carriage, lambda: self.now_s
        )
        self.events: list[Event] = []

    def __call__(self, *results: FrameResult, image: Frame = IMAGE) -> list[Event]:
        """What these frames tell."""
        made = [event for each in results for event in self.stage(image, each).events]
        self.events += made
        return made

    def again(self, **options: Any) -> Site:
        """The successor of a worker that was killed now."""
        return Site(self.memory.saved(), **options)

    @property
    def images(self) -> dict[str, bytes]:
        return self.carriage._images

    @property
    def counts(self) -> list[Digits]:
        return self.stage._tallies.take()


def walks(
    seconds: float, fps: float, start_s: float = 0.0, tracks: Iterable[int] = (1,), **more: Any
) -> list[FrameResult]:
    """Objects that go to the right, 50 pixels a second, one above the other."""
    return [
        frame(t, {track: (100 + 50 * t, 100 + 20 * track) for track in tracks}, **more)
        for t in (start_s + i / fps for i in range(round(seconds * fps)))
    ]


def empty(seconds: float, fps: float, start_s: float) -> list[FrameResult]:
    return walks(seconds, fps, start_s, ())


def replace_id(event: Event, name: str) -> Event:
    return msgspec.structs.replace(event, id=name)


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.mark.parametrize("fps", [2.0, 10.0])
def test_the_life_of_an_object_is_told_once(fps: float) -> None:
    site = Site(update_s=2.0)
    site(*walks(6, fps), *empty(5, fps, 6))
    assert kinds(site.events) == ["object-new", "object-update", "object-update", "object-end"]
    new, *updates, end = site.events
    assert [each.id for each in site.events] == [
        *("1000-1-object-new", "1000-1-object-update-1"),
        *("1000-1-object-update-2", "1000-1-object-end"),
    ]
    assert all(later.ts - earlier.ts >= 2 for earlier, later in pairwise([new, *updates]))
    last = walks(6, fps)[-1]
    assert end.ts == last.captured_ns // 1000 / 1e6
    assert end.seq == last.seq
    assert end.dwell_s == pytest.approx(6 - 1 / fps, abs=2e-3)
    assert (end.label, end.votes, end.score) == ("person", {"person": 1.0}, 0.9)
    ends = [*end.path[0], *end.path[-1]]
    assert ends == pytest.approx([100, 120, 100 + 50 * (6 - 1 / fps), 120], abs=1)
    assert end.best is not None
    assert START_S <= end.best <= end.ts


def test_a_flicker_is_no_object_and_damaged_frames_show_none() -> None:
    site = Site()
    site(frame(0, {1: (100, 200)}), *empty(5, 5, 0.2))
    site(*(replace(each, damaged=True) for each in walks(3, 5, 6, (2,))))
    assert site.events == []


def test_an_object_that_stands_is_told_of_no_more() -> None:
    site = Site(update_s=1.0)
    site(*(frame(t, {1: (100 + 50 * t, 200)}, still=[True]) for t in range(10)))
    assert kinds(site.events) == ["object-new"]
    site(*(frame(t, {1: (600, 200)}) for t in range(10, 12)))
    assert kinds(site.events) == ["object-new", "object-update"]


def test_what_has_not_changed_is_not_told_again() -> None:
    site = Site(update_s=1.0, images=False)
    site(*(frame(t, {1: (100 + t % 2, 200)}) for t in range(30)))
    assert kinds(site.events) == ["object-new"]
    changed = site(*(frame(t, {1: (100, 200)}, label="child") for t in range(30, 90)))
    assert [(each.kind, each.label) for each in changed] == [("object-update", "child")]
    assert changed[0].votes == {"child": 0.508, "person": 0.492}


def test_what_is_carried_over_is_no_vote() -> None:
    site = Site(update_s=1.0, images=False)
    site(*(frame(t, {1: (100, 200)}) for t in range(4)))
    site(*(replace(frame(t, {1: (100, 200)}), skipped="still") for t in range(4, 40)))
    (event,) = site(*(frame(t, {1: (100, 200)}, label="child") for t in range(40, 45)))
    assert event.votes == {"child": 0.556, "person": 0.444}


def test_classes_and_objects_decide_who_is_told_of() -> None:
    for options, told in (({"classes": ("car",)}, 0), ({"objects": False}, 0), ({}, 2)):
        site = Site(**options)
        site(*walks(2, 5), *empty(5, 5, 2))
        assert len(site.events) == told, options
        found = [each.field for each in site.counts]
        assert "new||person" in found


def test_a_restart_tells_nothing_twice_and_ends_what_did_not_come_back() -> None:
    first = Site()
    first(*walks(3, 5, 0, (1, 2)))
    second = first.again()
    second(*walks(2, 5, 4, (1,), epoch=2000))
    third = second.again()
    third(*walks(8, 5, 6, (1,), epoch=3000), *empty(5, 5, 14))
    ids = [each.id for each in (*first.events, *second.events, *third.events)]
    assert len(ids) == len(set(ids))
    ends = [each for each in third.events if each.kind == "object-end"]
    assert [each.id for each in ends] == ["1000-2-object-end", "1000-1-object-end"]
    assert ends[1].dwell_s == pytest.approx(13.8, abs=0.01)
    later = Site(first.memory.saved())
    assert kinds(later(*empty(1, 5, 60))) == ["object-end", "object-end"]


def test_an_object_that_ended_is_not_told_of_again() -> None:
    site = Site()
    site(*walks(2, 5), *empty(5, 5, 2), *walks(2, 5, 7))
    assert kinds(site.events) == ["object-new", "object-end"]


def test_the_memory_is_small_and_another_form_of_it_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(update_s=1.0)
    ids = range(1, 61)
    for t in range(60):
        places = {i: (300 + 200 * np.sin(t / 3 + i), 180 + 90 * np.cos(t / 4 + i)) for i in ids}
        site(frame(t / 5, places))
    assert len(site.memory.saved()[EVENTS]) <= 200 * 60
    assert Site({EVENTS: b"none", COUNTS: b"none"})(*walks(2, 5)) != []
    assert "objects of an earlier run cannot be read" in caplog.text
    assert "counts of an earlier run cannot be read" in caplog.text


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes on this machine, however busy it is."""
    monkeypatch.setattr("plugins.track.clock.time.time_ns", lambda: int(START_S * 1e9))


@pytest.mark.usefixtures("at_once")
def test_a_clock_that_is_set_back_ends_nothing() -> None:
    site = Site()
    site(*walks(3, 5, 100), *walks(3, 5, 0))
    assert kinds(site.events) == ["object-new"]
    (end,) = site(*empty(5, 5, 3))
    assert end.dwell_s == pytest.approx(5.6, abs=0.3)


@pytest.mark.usefixtures("at_once")
def test_another_clock_makes_nobody_stay_longer() -> None:
    site = Site()
    site(*walks(3, 5), *(replace(each, ts_source="arrival") for each in walks(3, 5, 3000)))
    assert kinds(site.events) == ["object-new"]
    (end,) = site(*(replace(each, ts_source="arrival") for each in empty(5, 5, 3003)))
    assert end.dwell_s == pytest.approx(5.6, abs=0.3)
    assert end.ts == pytest.approx(START_S + 3002.8, abs=0.01)


def test_nothing_seen_is_told_once_a_silence() -> None:
    site = Site(objects=False, nothing_seen={"person": 4.0})
    site(*empty(10, 2, 0))
    assert [(each.kind, each.label, each.reason) for each in site.events] == [
        ("nothing-seen", "person", "no person for 4 s")
    ]
    assert site.events[0].ts == pytest.approx(START_S + 4, abs=0.6)
    after = site.again(objects=False, nothing_seen={"person": 4.0})
    assert after(*empty(10, 2, 10)) == []
    after(*walks(1, 2, 20), *empty(10, 2, 21))
    assert kinds(after.events) == ["nothing-seen"]
    assert after.events[0].id != site.events[0].id
    gap = Site(nothing_seen={"person": 4.0})  # what was not watched is no silence
    assert gap(*empty(1, 5, 0), *empty(1, 5, 8)) == []


def test_without_tracks_there_are_images_and_silences() -> None:
    site = Site(tracked=False, nothing_seen={"person": 2.0})
    departure = Event(id="d", camera="gate", kind="lane-departure", ts=START_S)
    seen = frame(0, {1: (100, 200)}, tracked=False)
    (made,) = site(replace(seen, events=(departure,)))
    assert made.image
    assert decode_image(site.images["d"]).shape[:2] == (180, 320)
    assert site(*(replace(each, detections=seen.detections) for each in empty(5, 5, 0.2))) == []
    assert kinds(site(*empty(5, 5, 5.2))) == ["nothing-seen"]


def test_without_a_tracker_the_frame_fails_in_words() -> None:
    with pytest.raises(UntrackedError, match="expected a track stage"):
        Site()(frame(0, {1: (100, 200)}, tracked=False))


def test_a_path_keeps_its_corners_and_few_points() -> None:
    way = [(x, 0) for x in range(0, 1000, 10)] + [(1000, y) for y in range(0, 1000, 10)]
    path = b""
    for x, y in way:
        path = longer(path, x, y, 8)
    points = points_of(path)
    assert len(points) == POINTS <= 32
    assert [*points[0], *points[-1]] == [0, 0, 1000, 990]
    assert min(abs(x - 1000) + abs(y) for x, y in points) <= 10


def test_events_have_images_and_the_best_is_kept() -> None:
    site = Site(update_s=1.0)
    near = [frame(t / 5, {1: (100 + 60 * t / 5, 300)}, height=60 + 8 * t) for t in range(20)]
    site(*near, *empty(5, 5, 4))
    assert all(each.image for each in site.events)
    assert {each.id for each in site.events} == set(site.images)
    sizes = [decode_image(site.images[each.id]).shape[0] for each in site.events]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    assert max(sizes) <= 320
    assert len(site.images[site.events[0].id]) < 100_000
    assert not any(each.image for each in Site(images=False)(*near))


def test_images_are_bounded_in_a_second() -> None:
    site = Site(images_per_s=2.0)
    site(*(frame(t / 5, {i: (10 + 10 * i, 300) for i in range(1, 60)}) for t in range(4)))
    assert len(site.events) == 59
    assert sum(each.image for each in site.events) == len(site.images) == 8
    site.now_s += 100
    assert site(*walks(2, 5, 1, (99,)))[0].image


def test_events_of_other_stages_get_the_image_of_their_moment_or_of_the_best() -> None:
    site = Site()
    site(*walks(2, 5))

    def told(result: FrameResult, **facts: Any) -> Event:
        event = Event(id="x", camera="gate", kind="zone-left", ts=1.0, **facts)
        (made,) = [e for e in site(replace(result, events=(event,))) if e.id == "x"]
        return made

    assert told(walks(1, 5, 2)[0], track_id=1).image
    moment = site.images.pop("x")
    assert told(frame(2.4, {}), track_id=1).image
    assert site.images.pop("x") != moment
    assert not told(frame(2.6, {}), track_id=7).image
    assert told(frame(2.8, {})).image  # of nobody: the whole frame
    assert decode_image(site.images["x"]).shape[:2] == (180, 320)


def test_an_image_that_cannot_be_made_keeps_no_event_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Any, picture: Any) -> None:
        raise ValueError("broken")

    monkeypatch.setattr("plugins.preview.blur.Blur.apply", fail)
    site = Site(blur=("face",))
    crossed = Event(id="x", camera="gate", kind="line-crossed", ts=START_S, track_id=1)
    site(*walks(2, 5), replace(walks(1, 5, 2)[0], events=(crossed, replace_id(crossed, "y"))))
    assert kinds(site.events) == ["object-new", "line-crossed", "line-crossed"]
    assert not any(each.image for each in site.events)
    assert site.images == {}
    assert [each.message for each in caplog.records] == [
        "camera gate: no image of an event can be made"
    ]


def test_events_of_dropped_frames_and_of_the_camera_have_images_and_count_once() -> None:
    site, sent = Site(), list[tuple[list[Event], list[Digits]]]()

    class Sent:
        def events(self, camera: str, ms: int, *what: Any) -> None:
            events, _, _, counts = what
            sent.append((list(events), list(counts)))

    site.carriage.outbox = Sent()  # type: ignore[assignment]
    ledger = site.carriage._ledger
    entered = Event(
        id="e", camera="gate", kind="zone-entered", ts=START_S, zone="door", label="person"
    )
    ledger.decoded(1, START_NS, "rtcp", (640, 360))
    ledger.put(1, replace(ledger.get(1) or frame(0, {}), events=(entered,)))
    ledger.drop(1, "stage")
    back = Event(id="b", camera="gate", kind="camera-back", ts=START_S)
    site.carriage.tell(lambda: back)
    for at in range(2):
        result = site.stage(IMAGE, frame(at, {}))
        ledger.decoded(2 + at, START_NS, "rtcp", (640, 360))
        ledger.put(2 + at, replace(ledger.get(2 + at) or result, events=result.events))
        if at:
            site.carriage.published(ledger.publish(2 + at) or result)
        else:
            ledger.fail(2 + at)
    ((events, counts),) = sent
    assert [(each.id, each.image) for each in events] == [("b", True), ("e", True)]
    assert {(each.field.split("|", 1)[-1], each.text) for each in counts} >= {("door|person", "1")}
    assert site.carriage.carried == {"camera-back": 1, "zone-entered": 1}
    assert site.stage._tallies.totals == {Series("entered", "door", "person"): 1}


def test_what_the_camera_blurs_is_blurred_in_images_of_events() -> None:
    plain, blurred = (Site(blur=blur) for blur in ((), ("face",)))
    for site in (plain, blurred):
        for t in range(5):
            result = frame(t / 5, {1: (300, 300)}, height=200)
            face = np.array([[285, 100, 315, 140]], np.float32)
            boxes = Detections(face, np.ones(1, np.float32), np.zeros(1, np.int32), ("face",))
            site(replace(result, detections=result.detections.merge(boxes)))
    seen = []
    for site in (plain, blurred):
        (event,) = site.events
        grey = cv2.cvtColor(decode_image(site.images[event.id]), cv2.COLOR_BGR2GRAY)
        height, width = grey.shape
        head = grey[height * 11 // 60 : height * 17 // 60, width * 4 // 10 : width * 6 // 10]
        feet = grey[height * 2 // 3 :]
        seen.append([float(cv2.Laplacian(part, cv2.CV_64F).var()) for part in (head, feet)])
    assert seen[1][0] < seen[0][0] / 20, "the face is gone"
    assert seen[1][1] > seen[0][1] / 2, "the rest is not"
    assert np.array_equal(IMAGE.pixels, NOISE)


def test_the_element_stands_where_objects_are_tracked() -> None:
    spec: dict[str, Any] = {
        "url": "test://",
        "stages": [{"model": "test-boxes"}, {"track": "bytetrack", "lost_s": 2.0}],
        "events": {"update_s": 5, "nothing_seen": {"person": 60}},
        "preview": {"blur": ["face"]},
    }
    text = stages_text("gate", Camera.model_validate(spec), 1)
    parts = [part.partition(" ") for part in text.split(" ! ")]
    assert [name for name, _, _ in parts][-3:] == ["mirevents", "mirpreview", "mirpublish"]
    said = json.loads(parts[-3][2].removeprefix("options="))
    options = read_options(json.loads(json.dumps(said)))
    assert options == EventsOptions(
        update_s=5, nothing_seen={"person": 60}, blur=("face",), lost_s=2.0
    )
    spec["stages"].pop()
    assert '"tracked": false' in stages_text("gate", Camera.model_validate(spec), 1).replace(
        "\\", ""
    )
    del spec["events"]["nothing_seen"]
    assert "mirevents" not in stages_text("gate", Camera.model_validate(spec), 1)
    for wrong in ('{"update": 5}', '{"update_s": "x"}', "["):
        with pytest.raises(ValueError, match="options: "):
            read_options(wrong)
