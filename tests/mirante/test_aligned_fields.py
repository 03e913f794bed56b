"""Whatever is selected and merged, each object keeps its mask, attributes, key points and track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from mirante import Attribute, Counts, Detections, FrameResult, Mask
from mirante.detections import UNTRACKED, Index
from mirante.keypoints import Pose, Skeleton
from mirante.shapes import ShapeError
from mirante.wire import decode, encode

CHAINS, STEPS = 100, 8
PLANE = Mask(("face",), np.zeros((1, 2, 1), np.uint8), 8, (0, 0, 9, 9))
BONES = [Skeleton(tuple(f"{i} of {size}" for i in range(size))) for size in range(4)]
TABLES = (("car", "person"), ("face",), ("person", "dog", "car"), ())


@dataclass(frozen=True)
class Own:
    """What one object was made with; its left edge is its number."""

    label: str
    track: int
    said: dict[str, Attribute]
    masks: tuple[tuple[str, bytes], ...]
    points: np.ndarray[Any, Any]
    rotated: np.ndarray[Any, Any]
    vector: bytes
    still: bool


class World:
    """Makes objects and remembers what belongs to each."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.objects: dict[int, Own] = {}

    def some(self) -> Detections:
        """Objects of one of the tables; each field is there or not."""
        rng, labels = self.rng, TABLES[self.rng.integers(len(TABLES))]
        count = int(rng.integers(0, 5)) if labels else 0
        first = len(self.objects)
        fields = ("track", "said", "masks", "points", "rotated", "vector", "still")
        has = dict(zip(fields, rng.random(len(fields)) < 0.5, strict=True))
        size = int(rng.integers(1, 4))
        for number in range(first, first + count):
            points = rng.integers(1, 90, (size, 3)) * (1, 1, 0.01)
            self.objects[number] = Own(
                str(rng.choice(labels)),
                number if has["track"] else UNTRACKED,
                {"n": Attribute(str(number), 0.5)} if has["said"] and rng.random() < 0.7 else {},
                self._masks(number) if has["masks"] else (),
                np.asarray(points if has["points"] else np.zeros((0, 3)), np.float32),
                np.array([number, 1, 9, 5, 0.25] if has["rotated"] else [0] * 5, np.float32),
                self._vector() if has["vector"] and rng.random() < 0.7 else b"",
                bool(has["still"] and rng.random() < 0.5),
            )
        made = [self.objects[number] for number in range(first, first + count)]
        edges = [[number, 0, number + 9, 9] for number in range(first, first + count)]
        plain = Detections(
            np.array(edges, np.float32).reshape(-1, 4),
            np.full(count, 0.5, np.float32),
            np.array([labels.index(own.label) for own in made], np.int32),
            labels,
            np.array([own.track for own in made], np.int64) if has["track"] else None,
            keypoints=np.array([own.points for own in made], np.float32).reshape(count, size, 3)
            if has["points"]
            else None,
            skeletons=dict.fromkeys(range(len(labels)), BONES[size]) if has["points"] else {},
            rotated=np.array([own.rotated for own in made], np.float32).reshape(count, 5)
            if has["rotated"]
            else None,
            still=np.array([own.still for own in made], np.bool_) if has["still"] else None,
        )
        seen = {
            i: {"reid": np.frombuffer(own.vector, np.float16)}
            for i, own in enumerate(made)
            if own.vector
        }
        plain = plain.with_embeddings(seen)
        named = plain.with_attributes({i: own.said for i, own in enumerate(made) if own.said})
        return named.with_masks(
            (i, Mask((name,), np.frombuffer(bits, np.uint8).reshape(1, 2, 1), 8, (0, 0, 9, 9)))
            for i, own in enumerate(made)
            for name, bits in own.masks
        )

    def _vector(self) -> bytes:
        return self.rng.normal(size=4).astype(np.float16).tobytes()

    def _masks(self, number: int) -> tuple[tuple[str, bytes], ...]:
        return tuple(
            (f"{number}.{i}", self.rng.bytes(2)) for i in range(int(self.rng.integers(0, 3)))
        )

    def step(self, now: Detections) -> Detections:
        """One of the ways of objects, by chance."""
        ways: tuple[Callable[[Detections], Detections], ...] = (
            lambda d: d.select(self.index(len(d))),
            lambda d: d.of(str(self.rng.choice(["car", "person", "face", "nothing"]))),
            lambda d: d.merge(self.some()),
            lambda d: self.some().merge(d),
            over_the_wire,
        )
        return ways[self.rng.choice(len(ways), p=(0.3, 0.1, 0.25, 0.2, 0.15))](now)

    def index(self, count: int) -> Index:
        """A bool mask, indices in any order that repeat, a slice or a number."""
        rng = self.rng
        if not count:
            return np.empty(0, np.intp)
        ways: tuple[Index, ...] = (
            rng.random(count) < 0.7,
            rng.integers(-count, count, int(rng.integers(0, count + 3))),
            rng.permutation(count),
            slice(None, None, -1),
            slice(1, None),
            int(rng.integers(count)),
            [int(each) for each in rng.integers(0, count, 2)],
            tuple(int(each) for each in rng.integers(0, count, int(rng.integers(0, 3)))),
            tuple(bool(each) for each in rng.random(count) < 0.5),
        )
        return ways[int(rng.integers(len(ways)))]

    def check(self, now: Detections) -> None:
        """Each object has what it was made with, and nothing else."""
        for i, (label, _, xyxy) in enumerate(now):
            own = self.objects[int(xyxy[0])]
            masks = tuple((mask.labels[0], mask.bits.tobytes()) for mask in now.masks_of(i))
            assert (label, dict(now.attributes_of(i)), masks) == (own.label, own.said, own.masks)
            assert (UNTRACKED if now.track_id is None else now.track_id[i]) == own.track
            points = np.zeros((0, 3), np.float32) if now.keypoints is None else now.keypoints[i]
            np.testing.assert_allclose(points[: len(own.points)], own.points, atol=1e-6)
            assert not points[len(own.points) :].any()
            named = now.keypoints_of(i)
            assert tuple(named) == BONES[len(own.points)].names, "each has the names of its model"
            values = np.array([*named.values()]).reshape(-1, 3)
            np.testing.assert_array_equal(values, points[: len(own.points)])
            vectors = {name: each.tobytes() for name, each in now.embeddings_of(i).items()}
            assert vectors == ({"reid": own.vector} if own.vector else {})
            rotated = np.zeros(5) if now.rotated is None else now.rotated[i]
            np.testing.assert_array_equal(rotated, own.rotated)
            assert (now.still is not None and now.still[i]) == own.still


def over_the_wire(objects: Detections) -> Detections:
    frame = FrameResult(
        *("gate", 0, 0, 0, "arrival", 640, 360, objects), counts=Counts(), published=("reid",)
    )
    coded = encode(frame)
    return decode(coded.detections["json"], coded.masks, coded.detections).detections


@pytest.mark.slow
def test_any_chain_keeps_what_belongs_to_each_object() -> None:
    seen = 0
    for seed in range(CHAINS):
        world = World(seed)
        now = world.some()
        for _ in range(STEPS):
            now = world.step(now)
            world.check(now)
            seen += len(now)
    assert seen > 5 * CHAINS, "the chains had objects"


FIELDS = ["track_id", "attributes", "masks", "keypoints", "rotated", "embeddings", "still"]


@pytest.mark.parametrize("field", FIELDS)
def test_the_check_sees_a_field_that_is_not_aligned(field: str) -> None:
    caught = 0
    for seed in range(60):
        world = World(seed)
        now = world.some().merge(world.some())
        values = getattr(now, field)
        if values is not None and len(values):
            shifted: Any = (
                values[1:] + values[:1] if isinstance(values, tuple) else np.roll(values, 1, 0)
            )
            try:
                world.check(replace(now, **{field: shifted}))
            except AssertionError:
                caught += 1
    assert caught > 10


def test_a_field_that_one_set_lacks_is_blank_for_its_objects() -> None:
    points = np.ones((1, 2, 3), np.float32)
    box = np.array([[0, 0, 9, 9]], np.float32)
    one, ids = np.ones(1, np.float32), np.zeros(1, np.int32)
    bare = Detections(box, one, ids, ("car",))
    turned = np.full((1, 5), 0.5, np.float32)
    full = replace(bare, track_id=np.array([7], np.int64), keypoints=points, rotated=turned)
    full = replace(full, still=np.ones(1, np.bool_))
    for merged, own in ((bare.merge(full), 1), (full.merge(bare), 0)):
        assert merged.labels == ("car",)
        assert merged.track_id is not None
        assert merged.keypoints is not None
        assert merged.track_id[own] == 7
        assert merged.track_id[1 - own] == UNTRACKED
        assert merged.keypoints[own].all()
        assert not merged.keypoints[1 - own].any()
        assert merged.rotated is not None
        assert merged.rotated[own].all()
        assert not merged.rotated[1 - own].any()
        assert merged.still is not None
        assert merged.still.tolist() == [own == 0, own == 1]
    plain = bare.merge(bare)
    assert (plain.track_id, plain.keypoints, plain.masks, plain.attributes) == (None, None, (), ())
    assert (plain.rotated, plain.still) == (None, None)


def test_key_points_are_put_onto_objects() -> None:
    box, one = np.zeros((3, 4), np.float32), np.ones(3, np.float32)
    found = Detections(box, one, np.array([0, 1, 1], np.int32), ("car", "person"))
    nose = Pose(
        np.array([[1, 2, 0.5], [0, 0, 0]], np.float32), Skeleton(("nose", "tail"), ((0, 1),))
    )
    posed = found.with_keypoints({1: nose})
    assert posed.with_keypoints({}) is posed
    assert posed.keypoints is not None
    assert posed.keypoints.shape == (3, 2, 3)
    assert {name: point.tolist() for name, point in posed.keypoints_of(1).items()} == {
        "nose": [1, 2, 0.5]
    }
    assert [posed.skeleton_of(i) for i in range(3)] == [None, nose.skeleton, nose.skeleton]
    assert [posed.keypoints_of(i) for i in (0, 2)] == [{}, {}]
    wider = Pose(np.ones((3, 3), np.float32), Skeleton(("a", "b", "c")))
    both = posed.with_keypoints({0: wider})
    assert both.keypoints is not None
    assert both.keypoints.shape == (3, 3, 3)
    assert list(both.keypoints_of(0)) == ["a", "b", "c"]
    assert both.keypoints_of(1)["nose"].tolist() == [1, 2, 0.5]
    with pytest.raises(ShapeError, match=r"keypoints: expected boxes below 3, got \[3\]"):
        found.with_keypoints({3: nose})


def test_models_that_name_their_points_differently_stay_apart() -> None:
    box, one, ids = np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int32)
    points = np.ones((1, 2, 3), np.float32)
    bones = [{0: Skeleton(("a", "b"))}, {0: Skeleton(("c", "d"))}, {0: Skeleton(("a", "b"))}]
    first, second, third = (
        Detections(box, one, ids, ("person",), keypoints=points, skeletons=each) for each in bones
    )
    apart = first.merge(second)
    assert (apart.labels, apart.class_id.tolist()) == (("person", "person"), [0, 1])
    assert [list(apart.keypoints_of(i)) for i in (0, 1)] == [["a", "b"], ["c", "d"]]
    assert first.merge(third).labels == ("person",)


@pytest.mark.parametrize(
    ("skeletons", "words"),
    [
        ({1: Skeleton(("a",))}, r"skeletons: expected 0\.\.0, got class 1"),
        (
            {0: Skeleton(("a", "b"), ((0, 2),))},
            r"edges between points 0\.\.1 of car, got \[\(0, 2\)\]",
        ),
    ],
)
def test_a_skeleton_of_no_class_or_with_edges_to_nowhere_is_refused(
    skeletons: dict[int, Skeleton], words: str
) -> None:
    with pytest.raises(ShapeError, match=words):
        replace(Detections.empty(("car",)), skeletons=skeletons)


def test_a_mask_on_an_object_names_none() -> None:
    face = Mask.from_planes(("face",), np.ones((1, 2, 2), bool), (0, 0, 9, 9), object_index=1)
    box, one, ids = np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.zeros(2, np.int32)
    found = Detections(box, one, ids, ("face",)).with_masks([(1, face)])
    assert found.masks_of(0) == ()
    assert found.masks_of(1)[0].object_index is None
    assert found.with_masks([]) is found
    with pytest.raises(ShapeError, match=r"masks: expected boxes below 2, got \[1, 2\]"):
        found.with_masks([(1, face), (2, face)])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("track_id", np.zeros(1, np.int64), r"track_id: expected \(2,\) int64"),
        ("track_id", np.zeros(2, np.int32), r"track_id: expected \(2,\) int64"),
        ("keypoints", np.zeros((1, 5, 3), np.float32), r"keypoints: expected \(2, 5, 3\) float32"),
        ("keypoints", np.zeros((2, 5, 2), np.float32), r"keypoints: expected \(2, 5, 3\) float32"),
        ("keypoints", np.zeros((2, 3), np.float32), r"keypoints: expected \(2, 1, 3\) float32"),
        ("rotated", np.zeros((2, 4), np.float32), r"rotated: expected \(2, 5\) float32"),
        ("embeddings", ({},), "embeddings: expected none or 2, got 1"),
        (
            "embeddings",
            ({"reid": np.zeros(4, np.float16)}, {"reid": np.zeros(3, np.float16)}),
            "embeddings.reid: expected 4 numbers as the others, got 3",
        ),
        (
            "embeddings",
            ({"reid": np.zeros(4, np.float32)}, {}),
            r"embeddings.reid: expected \(d,\) float16, got \(4,\) float32",
        ),
        ("masks", ((),), "masks: expected none or 2, got 1"),
        ("masks", (PLANE, PLANE), "masks: expected a tuple of masks for each object, got a mask"),
    ],
)
def test_a_field_of_another_length_is_refused(field: str, value: Any, words: str) -> None:
    box, one, ids = np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.zeros(2, np.int32)
    with pytest.raises(ShapeError, match=words):
        replace(Detections(box, one, ids, ("a",)), **{field: value})
