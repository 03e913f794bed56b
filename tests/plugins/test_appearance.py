"""Tracks with a look: who comes from behind a pillar is known again by the colours of clothes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from pipeline.config.camera import Camera
from pipeline.config.references import check_stages
from pipeline.config.stages.facts import ModelUse
from plugins.frame import Frame
from plugins.memory import Memory
from plugins.track.appearance import Embedder, Vectors
from plugins.track.bytetrack.tracker import ByteTrack
from plugins.track.options import TrackOptions
from plugins.track.stage import TrackStage

WIDTH, HEIGHT, FPS = 640, 360, 10
START_NS = 1_700_000_000_000_000_000
PILLAR = (232.0, 408.0)
CLOTHES = {
    1: ((200, 40, 40), (40, 40, 60)),
    2: ((40, 60, 200), (190, 180, 150)),
    3: ((60, 170, 60), (230, 220, 210)),
}
GRAIN = np.random.default_rng(2).integers(0, 25, (HEIGHT, WIDTH, 3), np.uint8)
Places = dict[int, float]  # of the middles of people, by who they are


def turn_back(at_s: float) -> Places:
    """Two who walk towards each other, meet behind the pillar, and each walks back."""
    way = 50 * min(at_s, 8.2 - at_s)
    return {1: 90 + way, 2: 550 - way}


def another_comes(at_s: float) -> Places:
    """One who stays behind the pillar; another comes out of it as that one would have."""
    first = {1: min(90 + 50 * at_s, 320.0)}
    return first | {3: 90 + 50 * at_s} if at_s > 5.2 else first


def drawn(people: Places, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return the street: people in two colours each, and the pillar before them."""
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for who, x in people.items():
        left, right = (int(np.clip(x + side, 0, WIDTH)) for side in (-24, 24))
        for colour, (top, bottom) in zip(CLOTHES[who], ((120, 190), (190, 260)), strict=True):
            image[top:bottom, left:right] = colour
    image[:, int(PILLAR[0]) : int(PILLAR[1])] = 90
    return image + np.roll(GRAIN, int(chance.integers(HEIGHT)), axis=0)


def seen(people: Places, chance: np.random.Generator) -> tuple[list[int], NDArray[np.float32]]:
    """Return who shows, and their boxes."""
    who = [each for each, x in people.items() if not PILLAR[0] - 12 < x < PILLAR[1] + 12]
    boxes = [[people[each] - 24, 120, people[each] + 24, 260] for each in who]
    exact = np.array(boxes, np.float64).reshape(-1, 4)
    return who, (exact + chance.normal(0, 2, exact.shape)).astype(np.float32)


def watched(
    scene: Callable[[float], Places], stage: TrackStage, from_s: float = 0.0, to_s: float = 8.2
) -> dict[int, list[int]]:
    """Return the numbers that people were given, each once, by who they are."""
    chance, given = np.random.default_rng(5), dict[int, list[int]]()
    for number in range(round(from_s * FPS), round(to_s * FPS)):
        people = scene(number / FPS)
        who, boxes = seen(people, chance)
        found = stage(Frame(drawn(people, chance)), result_of(number / FPS, boxes)).detections
        assert found.track_id is not None
        for each, track in zip(who, found.track_id.tolist(), strict=True):
            if track != UNTRACKED and track not in given.setdefault(each, []):
                given[each].append(track)
    return given


def result_of(at_s: float, boxes: NDArray[np.float32], score: float = 0.9) -> FrameResult:
    n = len(boxes)
    found = Detections(
        boxes, np.full(n, score, np.float32), np.zeros(n, np.int32), ("person", "car")
    )
    captured_ns = START_NS + round(at_s * 1e9)
    return FrameResult("gate", 0, 0, captured_ns, "arrival", WIDTH, HEIGHT, found)


def stage_with(looks: bool, memory: Memory | None = None) -> TrackStage:
    embedder = Embedder("test-embedding", "person") if looks else None
    return TrackStage("bytetrack", TrackOptions(lost_s=8.0), memory, embedder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "with_looks", "without"),
    [
        (turn_back, {1: [1], 2: [2]}, {1: [1, 2], 2: [2, 1]}),
        (another_comes, {1: [1], 3: [2]}, {1: [1], 3: [1]}),
    ],
)
def test_who_was_hidden_for_three_seconds_is_known_by_their_look_alone(
    scene: Callable[[float], Places],
    with_looks: dict[int, list[int]],
    without: dict[int, list[int]],
) -> None:
    assert watched(scene, stage_with(looks=True)) == with_looks
    assert watched(scene, stage_with(looks=False)) == without


@pytest.mark.slow
def test_looks_outlive_a_graph_and_are_learnt_anew_after_a_restart() -> None:
    memory = Memory()
    assert watched(turn_back, stage_with(True, memory), to_s=4.0) == {1: [1], 2: [2]}
    saved = memory.saved()
    assert watched(turn_back, stage_with(True, memory), from_s=4.0) == {1: [1], 2: [2]}
    without = Memory()
    watched(turn_back, stage_with(False, without), to_s=4.0)
    assert len(saved["track"]) == len(without.saved()["track"]) < 2 * 200
    after = watched(turn_back, stage_with(True, Memory(saved)), from_s=4.0)
    assert after == {1: [2], 2: [1]}  # by places
    memory = Memory()
    watched(turn_back, stage_with(True, memory), to_s=1.0)
    again = stage_with(True, Memory(memory.saved()))
    assert watched(turn_back, again, from_s=1.0) == {1: [1], 2: [2]}


class Colours:
    """The looks of boxes as a test says them.

    Attributes:
        asked: at which places, call by call.
    """

    def __init__(self, *looks: list[float], space: str = "one") -> None:
        self.space: object = space
        self.asked: list[list[int]] = []
        self._looks = np.array(looks, np.float32)

    def at(self, places: NDArray[np.intp]) -> Vectors:
        self.asked.append(places.tolist())
        return self._looks[places]


def boxes_at(*lefts: float) -> NDArray[np.float32]:
    return np.array([[left, 100, left + 48, 240] for left in lefts], np.float32).reshape(-1, 4)


def test_a_look_is_taken_once_a_second_where_nothing_is_in_doubt() -> None:
    tracker, looks = ByteTrack(), Colours([1, 0], [0, 1])
    for number in range(40):
        tracker.update(result_of(number / 10, boxes_at(100, 400)), looks)
    assert looks.asked == [[0, 1]] * 4
    for number in range(40, 60):  # half hidden: no look is their own
        tracker.update(result_of(number / 10, boxes_at(100, 400), score=0.4), looks)
    assert looks.asked == [[0, 1]] * 4


def test_who_stand_in_each_other_s_way_are_looked_at_and_not_learnt() -> None:
    tracker, looks = ByteTrack(), Colours([1, 0], [0, 1])
    for number in range(20):
        tracker.update(result_of(number / 10, boxes_at(100, 200)), looks)
    looks.asked.clear()
    mixed = Colours([0.7, 0.7], [0.7, 0.7])
    for number in range(20, 24):
        tracker.update(result_of(number / 10, boxes_at(150, 155)), mixed)
    assert mixed.asked == [[0, 1]] * 4
    for number in range(24, 40):  # nobody was there meanwhile
        tracker.update(result_of(number / 10, boxes_at()), looks)
    told = tracker.update(result_of(4.0, boxes_at(200, 100)), looks)
    assert told.ids.tolist() == [1, 2]


def test_looks_of_another_model_are_not_compared() -> None:
    tracker = ByteTrack()
    for number in range(10):
        tracker.update(result_of(number / 10, boxes_at(100)), Colours([1, 0]))
    for number in range(10, 20):
        other = Colours([0, 0, 1], space="another")
        told = tracker.update(result_of(number / 10, boxes_at(100)), other)
        assert told.ids.tolist() == [1]


def test_a_box_without_a_look_goes_on_by_its_place() -> None:
    tracker = ByteTrack()
    for number in range(20):
        told = tracker.update(result_of(number / 10, boxes_at(100, 130)), Colours([0, 0], [0, 0]))
    assert told.ids.tolist() == [1, 2]


def test_the_embedder_looks_at_its_class_alone() -> None:
    people = {1: 100.0, 2: 500.0}
    result = result_of(0.0, seen(people, np.random.default_rng(1))[1])
    found = replace(result.detections, class_id=np.array([0, 1], np.int32))
    looks = Embedder("test-embedding", "person").of(
        Frame(drawn(people, np.random.default_rng(1))), replace(result, detections=found)
    )
    taken = looks.at(np.array([1, 0]))
    assert taken.dtype == np.float32
    assert taken.shape == (2, 48)
    np.testing.assert_allclose(np.linalg.norm(taken, axis=1), [0, 1], atol=1e-6)
    assert set(looks.timings) == {"preprocess", "infer", "decode"}


def lines(*stages: dict[str, Any]) -> list[str]:
    camera = Camera.model_validate({"url": "test://", "stages": stages})
    return list(check_stages(camera.stages or (), "stages"))


def test_a_model_that_cannot_look_is_refused() -> None:
    boxes = {"model": "test-boxes"}
    looking = {"track": "bytetrack", "appearance": "test-embedding", "appearance_on": "red"}
    assert lines(boxes, looking) == []
    assert lines(boxes, looking | {"appearance": "test-boxes"}) == [
        'stages[1].appearance: "test-boxes" — expected a model of embeddings (task: embed); '
        "test-boxes gives none"
    ]
    (line,) = lines(boxes, {"track": "bytetrack", "appearance": "test-embedding"})
    assert line.startswith('stages[1].appearance_on: "person" — expected a class that an earlier')
    (line,) = lines(boxes, looking | {"appearance": "test-embeding"})
    assert line.startswith('stages[1].appearance: "test-embeding" — ')
    with pytest.raises(ValueError, match="appearance: test-boxes is a detector; expected a model"):
        Embedder("test-boxes", "person")


def test_the_stage_names_its_model_and_writes_it_down() -> None:
    looking = {"track": "bytetrack", "appearance": "test-embedding", "appearance_distance": 0.4}
    camera = Camera.model_validate({"url": "test://", "stages": [looking]})
    assert camera.stages is not None
    (stage,) = camera.stages
    assert stage.models() == (ModelUse("appearance", "test-embedding", "person"),)
    assert stage.with_models(lambda name: f"{name}-2").models()[0].name == "test-embedding-2"
    assert stage.launch_text(2) == (
        'mirtrack algorithm="bytetrack" appearance="test-embedding" appearance-distance=0.4 '
        "threads=2"
    )
    assert watched(turn_back, cast(TrackStage, stage.make(1)), to_s=1.0) == {1: [1], 2: [2]}
