"""The zoo's models on real footage: against golden outputs, independent code, and one another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import engines
from engines.found import Boxes
from engines.manifest import find, zoo_names
from mirante import Detections, Mask
from tests.support import golden_outputs
from tests.support import plain_reference as reference
from tests.support.shared_clips import clip_frame

pytestmark = [pytest.mark.slow, pytest.mark.models, pytest.mark.usefixtures("made_once")]
GOLDEN = [  # the first frame of each repeats what its others show
    pytest.param(name, *frame, marks=pytest.mark.full if place == 0 else ())
    for name, frames in golden_outputs.BOXES.items()
    for place, frame in enumerate(frames)
]
ZOO = [  # twinlitenet takes a second an image, and the tests of lanes hold as much of it
    pytest.param(name, marks=pytest.mark.full if name == "twinlitenet" else ())
    for name in zoo_names()
]


@pytest.fixture
def made_once(
    weights: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks that are made of the files stay for all tests here."""
    home = tmp_path_factory.getbasetemp() / "zoo"
    monkeypatch.setenv("MIRANTE_HOME", str(home))


def best_overlap(box: NDArray[np.float32], others: Detections) -> float:
    return max((reference.overlap(tuple(box), tuple(o)) for o in others.xyxy), default=0.0)


def jaccard(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("name", ZOO)
def test_every_model_of_the_zoo_loads_and_runs(weights: Path, name: str) -> None:
    model = engines.load(name)
    result = model(np.full((90, 160, 3), 90, np.uint8), source=(320, 180))
    parts = model.manifest.parts
    assert result.detections.labels == (model.manifest.box_labels or model.labels)
    of_frames = [part.kind.finds_masks and not part.kind.finds_boxes for part in parts]
    assert len(result.masks) == sum(of_frames)
    for mask in result.masks:
        assert mask.xyxy == pytest.approx((0, 0, 320, 180))


@pytest.mark.parametrize(("name", "clip", "index"), GOLDEN)
def test_boxes_are_the_golden_ones(weights: Path, name: str, clip: str, index: int) -> None:
    least = find(name).threshold or 0
    found = engines.load(name, threshold=least - 0.03)(clip_frame(clip, index)).detections
    rows = golden_outputs.read(name, clip, index)
    assert rows
    unmatched = golden_outputs.rows_of(found)
    for label, score, *xyxy in rows:
        same = [
            row
            for row in unmatched
            if row[0] == label
            and abs(row[1] - score) < 0.03
            and reference.overlap(tuple(row[2:]), tuple(xyxy)) > 0.95
        ]
        assert same, f"no {label} {score} at {xyxy}"
        unmatched.remove(same[0])
    assert all(row[1] < least + 0.03 for row in unmatched), f"more than expected: {unmatched}"


@pytest.mark.parametrize(("clip", "index"), [("highway.mp4", 300), ("bikes.mp4", 160)])
def test_yolox_decodes_as_the_published_post_processing(
    weights: Path, clip: str, index: int
) -> None:
    model = engines.load("yolox-nano", threshold=0.01)
    rgb = clip_frame(clip, index)
    ratio = min(416 / rgb.shape[1], 416 / rgb.shape[0])
    width, height = int(rgb.shape[1] * ratio), int(rgb.shape[0] * ratio)
    size = (416, -(-height // 32) * 32)
    padded = np.full((*size[::-1], 3), 114, np.uint8)
    padded[:height, :width] = cv2.resize(rgb, (width, height))
    tensor = np.ascontiguousarray(padded[..., ::-1].transpose(2, 0, 1)[None], np.float32)
    outputs = model._session.run({"images": tensor})
    expected = reference.yolox(outputs["output"], size, [0.01] * 80, model.manifest.iou)
    assert len(expected) > 30
    found = model.heads[0].decode(outputs, size)
    assert isinstance(found, Boxes)
    reference.assert_same(found, expected, atol=2e-3)

    placed = model(rgb).detections
    assert len(placed) == len(expected)
    scale = np.array([rgb.shape[1] / width, rgb.shape[0] / height] * 2)
    boxes = np.array([row[2] for row in expected]) * scale
    boxes = boxes.clip(0, [*rgb.shape[1::-1]] * 2)
    np.testing.assert_allclose(placed.xyxy, boxes, atol=0.01)


def test_two_detectors_that_share_no_code_agree_on_cars(weights: Path) -> None:
    """Of the cars that one is sure of, the other sees all but one in twenty."""
    models = [engines.load(name, threshold=0.2) for name in ("yolox-nano", "deimv2-femto")]
    sure, confirmed = 0, 0
    for index in range(0, 300, 60):
        found = [model(clip_frame("highway.mp4", index)).detections.of("car") for model in models]
        for one, other in (found, found[::-1]):
            boxes = one.xyxy[one.score >= 0.5]
            sure += len(boxes)
            confirmed += sum(best_overlap(box, other) > 0.5 for box in boxes)
    assert sure >= 20
    assert confirmed >= 0.95 * sure


def test_yunet_sees_the_faces_that_opencvs_own_code_sees(weights: Path) -> None:
    model = engines.load("yunet")
    path = str(weights / model.manifest.file)
    detector = cv2.FaceDetectorYN.create(path, "", (320, 256), 0.6, 0.45)
    for index in (0, 40, 80):
        rgb = np.asarray(cv2.resize(clip_frame("carphone.mp4", index), (320, 256)), np.uint8)
        _, expected = detector.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        found = model(rgb).detections
        assert len(found) == len(expected) == 1
        left, top, width, height = expected[0, :4]
        corners = [[left, top, left + width, top + height]]
        np.testing.assert_allclose(found.xyxy, corners, atol=0.1)
        np.testing.assert_allclose(found.score, expected[:, 14], atol=1e-3)
        assert found.keypoints is not None
        np.testing.assert_allclose(
            found.keypoints[0, :, :2], expected[0, 4:14].reshape(5, 2), atol=0.1
        )
        names = ["right_eye", "left_eye", "nose", "right_mouth", "left_mouth"]
        assert list(found.keypoints_of(0)) == names


@pytest.fixture(scope="module")
def lanes() -> Callable[[int], Mask]:
    """Run TwinLiteNet once on a frame of the clip, for all tests that have the weights."""

    @cache
    def model() -> engines.Model:
        return engines.load("twinlitenet")

    @cache
    def found(index: int) -> Mask:
        (mask,) = model()(clip_frame("lanes.mp4", index)).masks
        return mask

    return found


def test_lanes_are_the_golden_ones(weights: Path, lanes: Callable[[int], Mask]) -> None:
    name, clip, index = golden_outputs.LANES
    mask, data = lanes(index), golden_outputs.read(name, clip, index)
    assert mask.labels == tuple(data["labels"]) == ("drivable", "lane")
    assert (mask.width, mask.height, mask.xyxy) == (640, 360, (0, 0, 960, 540))
    for got, want in zip(mask.planes, golden_outputs.planes_of(data), strict=True):
        assert jaccard(got, want) >= 0.98


@pytest.mark.parametrize("index", [pytest.param(20, marks=pytest.mark.full), 210])
def test_the_two_lines_of_the_cars_own_lane_are_found(
    weights: Path, lanes: Callable[[int], Mask], index: int
) -> None:
    """The lines that a person sees: about x 300 and 680 at y 435 of 960x540, painted brighter."""
    rgb = clip_frame("lanes.mp4", index)
    mask = lanes(index)
    lane = mask.on_frame("lane", 960, 540)
    columns = np.flatnonzero(lane[435])
    lines = np.split(columns, np.flatnonzero(np.diff(columns) > 20) + 1)
    centres = [float(line.mean()) for line in lines]
    assert len(centres) == 2
    assert 250 < centres[0] < 360
    assert 620 < centres[1] < 740
    grey = rgb.mean(axis=2)
    paint = grey[400:520][lane[400:520] & (np.arange(960) > 500)]
    road = grey[400:520, 480:560]
    assert paint.mean() > road.mean() + 40
    assert mask.on_frame("drivable", 960, 540)[450:, 400:600].mean() > 0.9
    assert not mask.planes[:, :90].any()  # the sky


def test_two_segmenters_that_share_no_code_agree_on_the_road(
    weights: Path, lanes: Callable[[int], Mask]
) -> None:
    (road,) = engines.load("omz-road")(clip_frame("lanes.mp4", 210)).masks
    lane = lanes(210)
    surface = road.on_frame("road", 960, 540) | road.on_frame("lane_mark", 960, 540)
    assert jaccard(surface, lane.on_frame("drivable", 960, 540)) > 0.8


def test_a_face_mask_lies_on_the_face(weights: Path) -> None:
    rgb = clip_frame("carphone.mp4", 50)
    faces = engines.load("yunet")(rgb).detections
    (mask,) = engines.load("unet-face", on="face")(rgb, detections=faces).masks
    assert mask.object_index == 0
    left, top, right, bottom = faces.xyxy[0]
    side = 1.7 * max(right - left, bottom - top)
    assert mask.xyxy[2] - mask.xyxy[0] == pytest.approx(side, rel=0.02)
    skin = mask.on_frame("face", 176, 144)
    box = np.zeros_like(skin)
    box[round(top) : round(bottom), round(left) : round(right)] = True
    assert (skin & box).sum() > 0.75 * box.sum()
    assert (skin & box).sum() > 0.85 * skin.sum()


def test_a_face_mask_follows_the_source_frames_size(weights: Path) -> None:
    rgb = clip_frame("carphone.mp4", 50)
    detector, model = engines.load("yunet"), engines.load("unet-face", on="face")
    small = model(rgb, detections=detector(rgb).detections).masks[0]
    source = (704, 576)
    large = model(rgb, source, detector(rgb, source).detections).masks[0]
    assert large.xyxy == pytest.approx([4 * edge for edge in small.xyxy])
    assert jaccard(large.planes, small.planes) > 0.999


def test_the_person_of_a_selfie_model_is_where_the_face_is(weights: Path) -> None:
    rgb = clip_frame("carphone.mp4", 50)
    (mask,) = engines.load("mediapipe-selfie")(rgb).masks
    person = mask.on_frame("person", 176, 144)
    left, top, right, bottom = engines.load("yunet")(rgb).detections.xyxy[0].astype(int)
    assert person[top:bottom, left:right].mean() > 0.95
    assert 0.2 < person.mean() < 0.6
