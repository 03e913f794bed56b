"""Masks and key points of objects: on crops, beside other models, compared, blurred, sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import engines
from engines.builder.parity import LIMITS
from engines.found import Found, Instances, Points, Poses
from engines.found.base import Mirrored
from engines.inference import Inference
from engines.manifest import ZOO, ManifestError, read
from mirante import Counts, Detections, FrameResult
from mirante.keypoints import Pose, Skeleton
from mirante.mask import Mask
from mirante.wire import decode, encode
from pipeline.cameras.synthetic import picture, truth
from pipeline.config.references import check_stages
from pipeline.config.stages.model import ModelStage
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from plugins.preview.blur import Blur
from tests.support.onnx_networks import crop_points

SIZE = (640, 360)
ARMS: dict[str, Any] = {
    "name": "arms",
    "task": "landmarks",
    "file": "arms.onnx",
    "licence": "Apache-2.0",
    "input": {"name": "image", "size": [64, 48], "scale": 1 / 255},
    "decoder": "movenet",
    "labels": ["person"],
    "keypoints": ["left", "right", "hidden"],
    "skeleton": [[0, 1]],
    "threshold": 0.2,
    "crop": {"aspect": "box"},
}


def arms(folder: Path, **changes: Any) -> str:
    """The manifest of a network that finds the same points in each crop."""
    crop_points(folder / "arms.onnx")
    path = folder / "arms.yaml"
    path.write_text(yaml.safe_dump(ARMS | changes))
    return str(path)


def blank() -> FrameResult:
    return FrameResult("gate", 0, 0, 0, "arrival", *SIZE, counts=Counts())


def by_class(found: Detections) -> Detections:
    return found.select(np.argsort(found.class_id))


def filled(box: NDArray[np.float32], size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    left, top, right, bottom = np.round(box).astype(int)
    whole = np.zeros(size[::-1], bool)
    whole[top:bottom, left:right] = True
    return whole


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("model", ["test-instances", "test-pose"])
def test_on_a_crop_all_is_in_pixels_of_the_source(model: str) -> None:
    rgb = picture(30, *SIZE)
    boxes, _ = truth(30, *SIZE)
    about = boxes.xyxy[:1] + np.array([-20, -6, 20, 6], np.float32)
    seen = Detections(about * 2, np.ones(1, np.float32), np.zeros(1, np.int32), ("car",))
    found = engines.load(model, on="car")(rgb, source=(1280, 720), detections=seen).detections
    place = list(found.class_id).index(0)
    expected = boxes.xyxy[0] * 2
    np.testing.assert_allclose(found.xyxy[place], expected, atol=3)
    if model == "test-instances":
        (mask,) = found.masks_of(place)
        assert iou(mask.on_frame("red", 1280, 720), filled(expected, (1280, 720))) > 0.95
    else:
        np.testing.assert_allclose(found.keypoints_of(place)["top_left"][:2], expected[:2], atol=3)


def test_points_of_a_crop_are_put_onto_its_box(tmp_path: Path) -> None:
    rgb = picture(30, *SIZE)
    result = InferStage("test-boxes")(Frame(rgb), blank())
    result = InferStage(arms(tmp_path), on="red")(Frame(rgb), result)
    found = by_class(result.detections)
    assert found.labels == ("red", "green", "blue"), "no class is added"
    left, top, right, bottom = found.xyxy[0]
    points = found.keypoints_of(0)
    assert list(points) == ["left", "right"], "the third is below keypoint_threshold"
    width, height = right - left, bottom - top
    np.testing.assert_allclose(points["left"][:2], (left + width / 8, top + height / 4), atol=0.1)
    at = (left + width * 7 / 8, top + height * 3 / 4)
    np.testing.assert_allclose(points["right"][:2], at, atol=0.1)
    assert [found.keypoints_of(i) for i in (1, 2)] == [{}, {}]
    assert found.skeletons == {0: Skeleton(("left", "right", "hidden"), ((0, 1),), 0.3)}


def test_a_crop_without_an_object_has_no_points(tmp_path: Path) -> None:
    model = engines.load(arms(tmp_path, threshold=0.5), on="car")
    box = np.array([[10, 10, 90, 70], [200, 10, 280, 70]], np.float32)
    seen = Detections(box, np.ones(2, np.float32), np.zeros(2, np.int32), ("car",))
    rgb = np.zeros((360, 640, 3), np.uint8)
    rgb[:, :100] = 255
    found = model.join(model(rgb, detections=seen), replace(blank(), detections=seen)).detections
    assert list(found.keypoints_of(0)) == ["left", "right"]
    assert found.keypoints_of(1) == {}


def test_points_of_a_box_need_a_class(tmp_path: Path) -> None:
    named = arms(tmp_path)
    with pytest.raises(ValueError, match="on: missing, and required: arms finds the key points of"):
        InferStage(named)
    stages = [ModelStage(model="test-boxes"), ModelStage(model=named)]
    (line,) = check_stages(stages, "stages")
    assert "describes boxes: expected a class that an earlier stage finds" in line
    stages[1] = ModelStage(model=named, on="red")
    assert list(check_stages(stages, "stages")) == []


def test_several_models_keep_what_is_theirs(tmp_path: Path) -> None:
    """Boxes, masks and points of four models; some are dropped, the rest goes over the wire."""
    rgb = picture(30, *SIZE)
    result = blank()
    stages = (
        ("test-boxes", None),
        (arms(tmp_path), "green"),
        ("test-instances", None),
        ("test-pose", None),
    )
    for model, on in stages:
        result = InferStage(model, on=on)(Frame(rgb), result)
    found = result.detections
    assert len(found) == 9
    kept = found.select(found.class_id % 3 != 0)  # no red ones
    coded = encode(replace(result, detections=kept))
    back = decode(coded.detections["json"], coded.masks).detections
    assert len(back) == 6
    for i, (label, _, xyxy) in enumerate(back):
        names = list(back.keypoints_of(i))
        masks = back.masks_of(i)
        place = i // 2  # of the three that find boxes, in their order
        assert bool(masks) == (place == 1)
        assert all(mask.labels == (label,) for mask in masks)
        if masks:
            assert iou(masks[0].on_frame(label, *SIZE), filled(xyxy)) > 0.95
        assert len(names) == {0: 2 if label == "green" else 0, 1: 0, 2: 5}[place]


def test_the_outline_of_an_object_is_blurred_and_not_its_box() -> None:
    rgb = picture(30, *SIZE)
    cv2.circle(rgb, (500, 60), 50, (0, 0, 0), -1)
    found = InferStage("test-instances")(Frame(rgb), blank())
    detections = by_class(found.detections)
    left, top, right, bottom = detections.xyxy[0].astype(int)
    half = np.zeros((1, bottom - top, right - left), bool)
    half[:, :, : (right - left) // 2] = True
    mask = Mask.from_planes(("red",), half, (left, top, right, bottom), "m")
    owned = replace(detections, masks=((mask,), *detections.masks[1:]))
    blur = Blur(["red"], lambda: 0.0)
    blur.observe(replace(found, detections=owned), *SIZE)
    noise = np.random.default_rng(0).integers(0, 255, rgb.shape, np.uint8)
    shown = noise.copy()
    blur.apply(shown)
    changed = (shown != noise).any(axis=2)
    middle = (left + right) // 2
    assert changed[top:bottom, left : middle - 2].mean() > 0.98
    assert not changed[top:bottom, middle + 16 : right].any(), "its mask ends before"


def figures(kind: type[Found], one: Inference, other: Inference) -> dict[str, bool]:
    """By name, whether the comparison misses its limit."""
    agreement = kind.agreement(np.array([0.5], np.float32), LIMITS["fp16"])
    agreement.add(one, other, SIZE)
    return {name: figure.is_missed for name, figure in agreement.figures().items()}


def boxed(**fields: Any) -> Inference:
    box = np.array([[100, 100, 200, 200]], np.float32)
    found = Detections(box, np.array([0.9], np.float32), np.zeros(1, np.int32), ("person",))
    return Inference(replace(found, **fields))


def masked(columns: int) -> Inference:
    plane = np.zeros((1, 50, 50), bool)
    plane[..., :columns] = True
    mask = Mask.from_planes(("person",), plane, (100, 100, 200, 200), "m")
    return boxed(masks=((mask,),))


def test_masks_that_differ_are_missed() -> None:
    assert not any(figures(Instances, masked(30), masked(30)).values())
    missed = figures(Instances, masked(30), masked(25))
    assert [name for name, is_missed in missed.items() if is_missed] == ["iou of masks"]


BONES = Skeleton(("a", "b"), ((0, 1),), 0.3)


def pointed(x: float, score: float = 0.9, second: float = 0.9) -> NDArray[np.float32]:
    points = np.array([[x, 120, score], [180, 180, second]], np.float32)
    points[points[:, 2] < BONES.threshold] = 0
    return points


@pytest.mark.parametrize("kind", [Poses, Points])
@pytest.mark.parametrize(
    ("other", "missed"),
    [
        (pointed(120), []),
        (pointed(122), []),
        (pointed(130), ["shift mean"]),
        (pointed(170), ["shift mean", "shift max"]),
        (pointed(120, 0.8), ["point score mean", "point score max"]),
        (pointed(120, second=0.1), ["points lost"]),
    ],
)
def test_points_that_differ_are_missed(
    kind: type[Found], other: NDArray[np.float32], missed: list[str]
) -> None:
    def given(points: NDArray[np.float32]) -> Inference:
        if kind is Poses:
            return boxed(keypoints=points[None], skeletons={0: BONES})
        return Inference(Detections.empty(("person",)), poses={None: Pose(points, BONES)})

    found = figures(kind, given(pointed(120)), given(other))
    assert [name for name, is_missed in found.items() if is_missed] == missed


def test_a_point_near_its_threshold_need_not_be_on_both_sides() -> None:
    one, other = (
        boxed(keypoints=p[None], skeletons={0: BONES})
        for p in (pointed(120, second=0.31), pointed(120, second=0.29))
    )
    assert not any(figures(Poses, one, other).values())


@pytest.mark.parametrize("model", ["test-instances", "test-pose"])
def test_classes_that_are_kept_keep_what_is_theirs(tmp_path: Path, model: str) -> None:
    keys = yaml.safe_load((ZOO / f"{model}.yaml").read_text())
    keys |= {"name": "some", "file": str(ZOO / f"{model}.onnx"), "classes": ["blue", "red"]}
    path = tmp_path / "some.yaml"
    path.write_text(yaml.safe_dump(keys))
    rgb = picture(30, *SIZE)
    found = by_class(engines.load(str(path))(rgb).detections)
    expected, _ = truth(30, *SIZE)
    assert [label for label, _, _ in found] == ["blue", "red"]
    for i, box in enumerate((expected.xyxy[2], expected.xyxy[0])):
        np.testing.assert_allclose(found.xyxy[i], box, atol=2)
        if model == "test-instances":
            (mask,) = found.masks_of(i)
            assert mask.labels == (("blue", "red")[i],)
            assert iou(mask.on_frame(mask.labels[0], *SIZE), filled(box)) > 0.95
        else:
            np.testing.assert_allclose(found.keypoints_of(i)["top_left"][:2], box[:2], atol=2)


def test_points_of_a_mirror_image_count_where_they_are_alike() -> None:
    def seen(points: list[tuple[float, float, float]]) -> Inference:
        pose = Pose(np.array(points, np.float32), BONES)
        return Inference(Detections.empty(("person",)), poses={None: pose})

    one = seen([(100, 50, 0.8), (200, 150, 0.6)])
    alike = seen([(640 - 200, 150, 0.5), (640 - 100, 50, 0.9)])
    elsewhere = seen([(100, 50, 0.9), (200, 150, 0.9)])
    nothing = seen([(0, 0, 0), (0, 0, 0)])
    got = Points.certainty([Mirrored(one, other, 640) for other in (alike, elsewhere, nothing)])
    np.testing.assert_allclose(got, [(0.8 + 0.5) / 2, 0, 0], rtol=1e-6)


GOOD = ARMS | {"task": "pose", "decoder": "yolov8_pose"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keypoints": None}, "keypoints: expected their names with task pose, got none"),
        ({"task": "detect"}, "keypoints: expected none with task detect, got ['left', "),
        ({"keypoints": ["a", "a", "b"]}, "keypoints: expected each name once"),
        ({"skeleton": [[0, 3]]}, "skeleton: expected pairs of 0 to 2, got [0, 3]"),
        ({"keypoints": "coco16"}, "keypoints: expected a list of names or one of coco17, face5"),
        ({"keypoint_threshold": 2}, "keypoint_threshold: expected less than or equal to 1, got 2"),
    ],
)
def test_key_points_that_do_not_fit_are_told(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = tmp_path / "mine.yaml"
    keys = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(keys | {"name": "mine"}))
    with pytest.raises(ManifestError) as caught:
        read(path)
    assert words in str(caught.value)


def test_a_table_of_key_points_brings_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    plain = {k: v for k, v in GOOD.items() if k != "skeleton"}
    path.write_text(yaml.safe_dump(plain | {"name": "mine", "keypoints": "coco17"}))
    manifest = read(path)
    assert (len(manifest.keypoints), len(manifest.skeleton)) == (17, 19)
    path.write_text(yaml.safe_dump(GOOD | {"name": "mine", "keypoints": "coco17"}))
    assert read(path).skeleton == ((0, 1),)


def test_nothing_found_proves_nothing() -> None:
    nothing = Inference(
        Detections.empty(("person",)), poses={None: Pose(np.zeros((2, 3), np.float32), BONES)}
    )
    assert figures(Points, nothing, nothing) == {}
