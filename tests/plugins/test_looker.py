"""Stages that look at parts of a frame: the picture stays whole, and right to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.serving import Models
from mirante.detections import Detections
from mirante.frame import FrameResult
from plugins.frame import Frame, Picture
from plugins.infer.stage import InferStage

SIZE = (2560, 1440)
TILED = (1664, 936)  # of 3x3 tiles of what the model sees unscaled
MODELS = ("test-boxes", "test-instances", "test-pose", "test-oriented")
BOTH = {"tiles": "3x3", "regions": "auto"}
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
Box = tuple[int, int, int, int]
Size = tuple[int, int]
Image = NDArray[np.uint8]


@lru_cache(4)
def drawn(size: Size, objects: tuple[tuple[str, Box], ...]) -> tuple[Image, Image]:
    """Return an image with a rectangle in each colour, and a quarter of its width."""
    width, height = size
    image = np.full((height, width, 3), 114, np.uint8)
    for colour, (left, top, right, bottom) in objects:
        image[top:bottom, left:right] = COLOURS[colour]
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    for each in (image, small):
        each.flags.writeable = False
    return image, np.asarray(small, np.uint8)


class Camera:
    """Brings frames before a stage."""

    def __init__(self, model: str = "test-boxes", size: Size = SIZE, **keys: Any) -> None:
        self.size = size
        self.models = Models()
        self.stage = InferStage(model, models=self.models, **keys)
        self.at_s = 0.0

    def look(
        self,
        moves: Sequence[Box] = (),
        looked: str = "motion",
        after_s: float = 0.1,
        damaged: bool = False,
        **objects: Box,
    ) -> FrameResult:
        """Return the result of the next frame."""
        self.at_s += after_s
        rgb, small = drawn(self.size, tuple(objects.items()))
        scale = np.array(self.size * 2, np.float64)
        frame = Frame(
            small,
            Picture(rgb),
            lambda: [(np.array(each) / scale).tolist() for each in moves],
        )
        at_ns = round(self.at_s * 1e9)
        result = FrameResult(
            "c", 0, 0, at_ns, "arrival", *self.size, looked=looked, damaged=damaged
        )
        return self.stage(frame, result)


def found(result: FrameResult | Detections) -> dict[str, list[float]]:
    """Return the boxes by colour."""
    objects = result.detections if isinstance(result, FrameResult) else result
    names = [objects.labels[each] for each in objects.class_id]
    assert len({*names}) == len(names), "one of each colour was drawn"
    return dict(zip(names, objects.xyxy.tolist(), strict=True))


def near(boxes: dict[str, list[float]], within_px: float = 1.0, **objects: Box) -> bool:
    """Return whether these and no others were found."""
    return {*boxes} == {*objects} and all(
        np.abs(np.array(boxes[name]) - box).max() <= within_px for name, box in objects.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "keys"),
    [
        *((model, {"tiles": "3x3"}) for model in MODELS),
        (MODELS[0], BOTH),
        *(pytest.param(model, BOTH, marks=pytest.mark.full) for model in MODELS[1:]),
    ],
)
def test_tiles_find_small_things_right_to_the_pixel(model: str, keys: dict[str, str]) -> None:
    random = np.random.default_rng(2)
    camera, whole, rough = Camera(model, TILED, **keys), Camera(model, TILED), 0
    width, height = TILED
    for _ in range(3):
        x, y = random.integers(8, width - 60), random.integers(8, height - 60)
        box = (int(x), int(y), int(x) + 22, int(y) + 14)
        rough += not near(found(whole.look(red=box)), 0.6, red=box)
        result = camera.look(red=box)
        assert near(found(result), 0.6, red=box)
        assert not result.regions
        belongings_lie_on_it(result.detections, box, TILED)
    assert rough, "or it would prove nothing"


def belongings_lie_on_it(objects: Detections, box: Box, size: Size = SIZE) -> None:
    """Check masks, key points and rotated boxes of the only object."""
    left, top, right, bottom = box
    for mask in objects.masks_of(0):
        plane = mask.on_frame(mask.labels[0], *size)
        wanted = np.zeros_like(plane)
        wanted[top:bottom, left:right] = True
        assert (plane & wanted).sum() >= 0.7 * (plane | wanted).sum()
    if objects.keypoints is not None:
        there = objects.keypoints[0][objects.keypoints[0, :, 2] > 0]
        assert len(there)
        assert (there[:, :2] >= (left - 1, top - 1)).all()
        assert (there[:, :2] <= (right + 1, bottom + 1)).all()
    if objects.rotated is not None:
        centre = objects.rotated[0, :2]
        assert np.abs(centre - ((left + right) / 2, (top + bottom) / 2)).max() <= 1.5


@pytest.mark.parametrize("model", MODELS)
def test_a_region_finds_it_and_all_else_stays_where_it_was(model: str) -> None:
    camera = Camera(model, regions="auto")
    large, small = (1800, 900, 2200, 1300), (301, 203, 323, 217)
    first = camera.look(looked="learning", red=large)
    assert (near(found(first), 9.0, red=large), first.regions) == (True, {})
    second = camera.look([small], red=large, green=small)
    assert near({"green": found(second)["green"]}, green=small)
    assert found(second)["red"] == found(first)["red"]
    left, top, right, bottom = second.regions[model]
    assert (right - left, bottom - top) == (640, 360), "as large as what the model sees unscaled"
    assert left < small[0] < small[2] < right
    assert top < small[1] < small[3] < bottom
    belongings_lie_on_it(second.detections.of("green"), small)


@pytest.mark.slow
def test_the_whole_frame_is_looked_at_now_and_then_and_small_things_stay() -> None:
    camera = Camera(regions="auto")
    large, small = (1800, 900, 2200, 1300), (301, 203, 323, 217)
    camera.look(looked="check", red=large)
    looks = [camera.look([small], red=large, green=small) for _ in range(45)]
    assert all(near({"green": found(each)["green"]}, green=small) for each in looks)
    assert all({*found(each)} == {"red", "green"} for each in looks)
    wholes = [number for number, each in enumerate(looks) if not each.regions]
    assert len(wholes) == 2
    assert 19 <= wholes[1] - wholes[0] <= 21
    # it is there at a check, too, and gone when it is gone
    assert {*found(camera.look(looked="check", red=large, green=small))} == {"red", "green"}
    assert {*found(camera.look(looked="check", red=large))} == {"red"}
    assert {*found(camera.look([small], red=large))} == {"red"}


def test_what_leaves_a_region_is_gone_and_what_leaves_elsewhere_is_seen_by_the_whole_frame() -> (
    None
):
    camera = Camera(regions="auto")
    large, small = (1800, 900, 2200, 1300), (301, 203, 323, 217)
    camera.look(looked="learning", red=large, green=(300, 200, 460, 360))
    assert {*found(camera.look([small], red=large))} == {"red"}
    assert {*found(camera.look([small]))} == {"red"}, "nothing has looked there"
    assert {*found(camera.look([small], after_s=2.0))} == set()


def test_what_a_region_cuts_is_not_halved() -> None:
    camera = Camera(regions="auto")
    across, small = (200, 200, 1000, 400), (301, 203, 323, 217)
    first = camera.look(looked="learning", red=across)
    second = camera.look([small], red=across, green=small)
    assert second.regions
    assert found(second)["red"] == found(first)["red"], "as it was seen whole"
    assert camera.look([small], red=across, green=small).regions
    # what is not known whole is waited for, but for a frame
    third = camera.look([small], red=across, blue=(200, 100, 1000, 120), green=small)
    assert (third.regions != {}, "blue" in found(third)) == (True, False)
    fourth = camera.look([small], red=across, blue=(200, 100, 1000, 120), green=small)
    assert not fourth.regions
    assert near({"blue": found(fourth)["blue"]}, 9.0, blue=(200, 100, 1000, 120))


def test_an_object_in_which_something_moves_is_looked_at_as_a_whole() -> None:
    camera = Camera(regions="auto")
    tall = (600, 200, 700, 800)
    camera.look(looked="learning", red=tall)
    result = camera.look([(610, 250, 690, 400)], red=tall)
    left, top, right, bottom = result.regions["test-boxes"]
    assert (left < tall[0], top < tall[1], right > tall[2], bottom > tall[3]) == (True,) * 4
    assert near(found(result), 4.0, red=tall)


@pytest.mark.parametrize("fps", [1, 2, 3, pytest.param(10, marks=pytest.mark.slow)])
def test_what_moves_on_is_not_left_behind_at_low_rates(fps: int) -> None:
    """There the gate sees motion where an object is, and none where it was."""
    camera = Camera(regions="auto")
    first = (200, 300, 290, 380)
    camera.look([first], looked="learning", red=first)
    regions = 0
    for number in range(1, 3 * fps):
        left = 200 + number * 700 // fps
        box = (left, 300, left + 90, 380)
        result = camera.look([box], after_s=1 / fps, red=box)
        regions += bool(result.regions)
        assert len(result.detections) == 1
        assert near(found(result), 9.0, red=box)
    assert regions


@pytest.mark.parametrize("reason", ["learning", "check", "damaged", "format", ""])
def test_for_other_reasons_than_motion_the_whole_frame_is_looked_at(reason: str) -> None:
    camera, small = Camera(regions="auto"), (301, 203, 323, 217)
    camera.look(looked="learning")
    assert camera.look([small], green=small).regions
    assert not camera.look([small], looked=reason, green=small).regions


def test_a_damaged_frame_is_no_evidence() -> None:
    camera, large = Camera(regions="auto"), (1800, 900, 2200, 1300)
    camera.look(looked="learning", red=large)
    assert not len(camera.look([large], damaged=True).detections)
    after = camera.look([(300, 200, 320, 220)], after_s=0.5, red=large)
    assert after.regions
    assert {*found(after)} == {"red"}


def test_where_most_of_the_frame_moves_or_nothing_is_known_to_it_is_looked_at() -> None:
    camera = Camera(regions="auto")
    camera.look(looked="learning")
    assert not camera.look([(0, 0, 2000, 1000)]).regions
    assert not camera.look([]).regions


def test_small_things_far_apart_are_checked_in_turns_and_none_is_lost() -> None:
    camera = Camera(regions="auto")
    one, other = (101, 103, 123, 117), (2401, 1303, 2423, 1317)
    camera.look(looked="learning")
    camera.look([one], red=one)
    camera.look(looked="check", red=one)
    camera.at_s += 0.5  # so that the first motion is over
    both = camera.look([other], red=one, green=other)
    assert {*found(both)} == {"red", "green"}
    for _ in range(4):
        camera.look(looked="check", after_s=10, red=one, green=other)
        assert {*found(camera.look(looked="check", after_s=10, red=one, green=other))} == {
            "red",
            "green",
        }
    seen = [{*found(camera.look(looked="check", after_s=10))} for _ in range(2)]
    assert len(seen[0]) == 1, "the other's turn comes next"
    assert seen[1] == set()


def test_another_model_begins_with_the_whole_frame() -> None:
    camera, small = Camera(regions="auto"), (301, 203, 323, 217)
    camera.look(looked="learning")
    assert camera.look([small], green=small).regions
    camera.models.swap("test-boxes", "test-pose")
    assert not camera.look([small], green=small).regions
    assert {*camera.look([small], green=small).regions} == {"test-pose"}


def test_what_cannot_look_at_parts_is_refused_by_name() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"model": "test-lane", "tiles": "auto"}, "tiles: test-lane finds more than boxes"),
        ({"model": "test-heads", "regions": "auto"}, "regions: test-heads finds more than boxes"),
        ({"model": "test-boxes", "on": "red", "tiles": "auto"}, "tiles: expected off with on"),
        ({"model": "test-boxes", "tiles": "3"}, 'tiles: "3"; expected auto, off, or COLUMNS'),
        ({"model": "test-boxes", "regions": "on"}, 'regions: "on"; expected auto or off'),
    ]
    for keys, words in cases:
        with pytest.raises(ValueError, match=words):
            InferStage(**keys)
    stage = InferStage("test-boxes", tiles="2x2")
    alone = Frame(np.zeros((360, 640, 3), np.uint8))
    with pytest.raises(ValueError, match="parts of a frame of 2560x1440: only an image of 640x360"):
        stage(alone, FrameResult("c", 0, 0, 0, "arrival", *SIZE))


def test_parts_of_a_frame_that_is_not_scaled_are_its_own_pixels() -> None:
    rgb = np.arange(40 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(30, 40, 3)
    part = Frame(rgb).crop((3, 5, 21, 19), (40, 30))
    assert np.array_equal(part, rgb[5:19, 3:21])
    assert np.shares_memory(part, rgb)
