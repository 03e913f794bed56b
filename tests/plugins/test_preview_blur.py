"""What ``preview.blur`` hides is hidden in the JPEG that leaves, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante.detections import Detections
from mirante.frame import FrameResult
from mirante.mask import Mask
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from plugins.outbox.outbox import Outbox
from plugins.preview.blur import HOLD_S, Blur
from plugins.preview.stage import PreviewStage
from tests.support.images import decode_image

Picture = NDArray[np.uint8]
QUALITY = 90
MCU = 16  # pixels that a JPEG codes together


class Watcher:
    """An outbox with somebody who watches."""

    def __init__(self) -> None:
        self.jpegs: list[bytes] = []

    def watched(self, _camera: str) -> bool:
        return True

    def preview(self, _camera: str, jpeg: bytes, _header: dict[str, Any]) -> None:
        self.jpegs.append(jpeg)


class Shown:
    """A preview stage, its clock, and the images that left it."""

    def __init__(self, blur: Sequence[str] = ()) -> None:
        self.now_s = 100.0
        self._watcher = Watcher()
        outbox = cast(Outbox, self._watcher)
        self._stage = PreviewStage(outbox, 60.0, QUALITY, blur, lambda: self.now_s)

    def __call__(self, rgb: Picture, result: FrameResult) -> Picture:
        """The image of this frame, RGB."""
        before = rgb.copy()
        self._watcher.jpegs.clear()
        assert self._stage(Frame(rgb), result) is result
        assert np.array_equal(rgb, before)
        (jpeg,) = self._watcher.jpegs
        return np.asarray(cv2.cvtColor(decode_image(jpeg), cv2.COLOR_BGR2RGB), np.uint8)


def frame_of(rgb: Picture, scale: float = 1.0) -> FrameResult:
    """A frame whose source is ``scale`` times the image."""
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return FrameResult("gate", 0, 0, 0, "arrival", *size)


def with_boxes(result: FrameResult, label: str, *xyxy: Sequence[float]) -> FrameResult:
    boxes = np.array(xyxy, np.float32).reshape(-1, 4)
    score, ids = np.full(len(boxes), 0.9, np.float32), np.zeros(len(boxes), np.int32)
    return replace(result, detections=Detections(boxes, score, ids, (label,)))


def detail(rgb: Picture) -> float:
    """Energy of high frequencies."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def differ(one: Picture, other: Picture) -> NDArray[np.bool_]:
    """(height, width) bool: where two images are not the same."""
    return np.asarray((one != other).any(axis=2))


def noise(width: int = 320, height: int = 240) -> Picture:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def around(xyxy: Sequence[float], margin: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    left, top, right, bottom = (int(e) for e in np.array(xyxy) + np.array([-1, -1, 1, 1]) * margin)
    inside = np.zeros(shape[:2], np.bool_)
    inside[max(0, top) : bottom, max(0, left) : right] = True
    return inside


@pytest.fixture(scope="module")
def portrait() -> Picture:
    """A real face in a real image, in the public domain: (512, 512, 3)."""
    data = pytest.importorskip("skimage.data", reason="scikit-image has the portrait")
    return np.asarray(data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def found(portrait: Picture) -> FrameResult:
    """What the detector finds in it; the source has twice the pixels."""
    return InferStage("street")(Frame(portrait), frame_of(portrait, 2.0))


@cache
def _sharp() -> InferStage:
    return InferStage("street", threshold={"face": 0.2})


def faces(rgb: Picture) -> Detections:
    """With a threshold well below the model's own, 0.33."""
    return _sharp()(Frame(rgb), frame_of(rgb)).detections.of("face")


@pytest.mark.slow
def test_a_face_is_no_longer_found_in_the_picture(portrait: Picture, found: FrameResult) -> None:
    assert len(found.detections.of("face")) == 1
    plain, blurred = Shown()(portrait, found), Shown(["face"])(portrait, found)
    assert len(faces(plain)) >= 1
    assert len(faces(blurred)) == 0


@pytest.mark.slow
def test_the_same_where_yunet_finds_it(weights: Path, portrait: Picture) -> None:
    del weights
    yunet = InferStage("yunet")
    found = yunet(Frame(portrait), frame_of(portrait, 2.0))
    assert found is not None
    assert len(found.detections.of("face")) == 1
    plain, blurred = Shown()(portrait, found), Shown(["face"])(portrait, found)
    for rgb, count in ((plain, 1), (blurred, 0)):
        assert len(faces(rgb)) == count
        again = yunet(Frame(rgb), frame_of(rgb))
        assert again is not None
        assert len(again.detections.of("face")) == count


@pytest.mark.slow
def test_a_face_has_no_detail_left_and_the_rest_is_untouched(
    portrait: Picture, found: FrameResult
) -> None:
    plain, blurred = Shown()(portrait, found), Shown(["face"])(portrait, found)
    box = found.detections.of("face").xyxy[0] / 2
    left, top, right, bottom = box.astype(int)
    face = np.s_[top:bottom, left:right]
    assert detail(blurred[face]) < 0.05 * detail(plain[face])
    width, height = right - left, bottom - top
    outside = ~around(box, 0.1 * max(width, height) + MCU + 1, portrait.shape)
    assert outside.mean() > 0.7
    assert not differ(plain, blurred)[outside].any()


@pytest.mark.slow
def test_with_a_mask_the_face_alone_is_blurred(portrait: Picture, found: FrameResult) -> None:
    masked = InferStage("face", on="face")(Frame(portrait), found)
    ((_, mask),) = masked.all_masks()
    assert (masked.masks, len(masked.detections.of("face").masks_of(0))) == ((), 1)
    here = mask.on_frame("face", found.width, found.height)[::2, ::2]
    plain, blurred = Shown()(portrait, masked), Shown(["face"])(portrait, masked)
    difference = np.abs(plain.astype(int) - blurred).max(axis=2)
    box = found.detections.of("face").xyxy[0] / 2
    inner = cv2.erode(here.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.abs(cv2.Laplacian(blurred, cv2.CV_64F))[inner].mean() < 0.3 * (
        np.abs(cv2.Laplacian(plain, cv2.CV_64F))[inner].mean()
    )
    far = cv2.dilate(here.view(np.uint8), np.ones((45, 45), np.uint8)) == 0
    assert not difference[far].any()
    corners = ~cv2.dilate(here.view(np.uint8), np.ones((17, 17), np.uint8)).view(np.bool_)
    corners &= around(box, 0, portrait.shape)
    assert corners.sum() > 100
    assert difference[corners].mean() < 0.1 * difference[here].mean()
    assert len(faces(blurred)) == 0


def test_boxes_are_in_pixels_of_the_source() -> None:
    rgb = noise()
    result = with_boxes(frame_of(rgb, 3.0), "face", (300, 240, 480, 420))
    changed = differ(Shown()(rgb, result), Shown(["face"])(rgb, result))
    assert changed[80:140, 100:160].mean() > 0.95
    assert not changed[~around((100, 80, 160, 140), 6 + MCU + 1, rgb.shape)].any()


def test_a_box_over_the_edge_and_a_tiny_one_are_blurred() -> None:
    rgb = noise()
    result = with_boxes(frame_of(rgb), "face", (-30, -30, 40, 40), (200, 200, 206, 206))
    blurred = Shown(["face"])(rgb, result)
    assert detail(blurred[:40, :40]) < 0.02 * detail(rgb[:40, :40])
    assert detail(blurred[201:205, 201:205]) < 0.1 * detail(rgb[201:205, 201:205])


@pytest.mark.parametrize("at", [0, None])
def test_a_mask_that_shows_next_to_nothing_is_not_believed(at: int | None) -> None:
    rgb = noise()
    plane = np.zeros((1, 60, 60), np.bool_)
    plane[0, 30:33, 30:33] = True
    result = with_boxes(frame_of(rgb), "face", (100, 80, 160, 140))
    mask = Mask.from_planes(("face",), plane, (100, 80, 160, 140), "m")
    if at is None:
        result = replace(result, masks=(mask,))
    else:
        result = replace(result, detections=result.detections.with_masks([(at, mask)]))
    changed = differ(rgb, Shown(["face"])(rgb, result))
    blurred = Shown(["face"])(rgb, result)
    assert changed[80:140, 100:160].mean() > 0.95
    assert detail(blurred[80:140, 100:160]) < 0.02 * detail(rgb[80:140, 100:160])


def test_a_plane_of_the_whole_frame_is_blurred_without_any_box() -> None:
    rgb = noise()
    planes = np.zeros((2, 24, 32), np.bool_)
    planes[0, 8:14, 10:16] = True
    planes[1, :, :4] = True
    mask = Mask.from_planes(("person", "road"), planes, (0, 0, 320, 240), "m")
    result = replace(frame_of(rgb), masks=(mask,))
    blurred = Shown(["person"])(rgb, result)
    assert detail(blurred[80:140, 100:160]) < 0.02 * detail(rgb[80:140, 100:160])
    assert not differ(Shown()(rgb, result), blurred)[:, :40].any()


def test_a_face_that_is_missed_for_a_moment_stays_blurred() -> None:
    rgb, here = noise(), np.s_[80:140, 100:160]
    shown, result = Shown(["face"]), frame_of(noise())
    shown(rgb, with_boxes(result, "face", (100, 80, 160, 140)))
    shown.now_s += 0.9 * HOLD_S
    assert detail(shown(rgb, result)[here]) < 0.02 * detail(rgb[here])
    shown.now_s += 0.2 * HOLD_S
    assert np.array_equal(shown(rgb, result), Shown()(rgb, result))


def test_a_face_that_was_missed_just_before_all_was_still_stays_blurred() -> None:
    shown, rgb = Shown(["face"]), noise()
    box = (100, 80, 160, 150)
    shown(rgb, with_boxes(frame_of(rgb), "face", box))
    shown.now_s += 0.5 * HOLD_S
    shown(rgb, frame_of(rgb))
    still = replace(frame_of(rgb), skipped="still")
    for pause_s in (9.0, 9.0, 0.1):
        shown.now_s += pause_s * HOLD_S
        assert detail(shown(rgb, still)[80:150, 100:160]) < detail(rgb[80:150, 100:160]) / 4
    shown.now_s += 1.2 * HOLD_S
    assert detail(shown(rgb, frame_of(rgb))[80:150, 100:160]) > detail(rgb[80:150, 100:160]) / 4


def test_frames_between_two_pictures_count() -> None:
    rgb, here = noise(), np.s_[80:140, 100:160]
    shown, result = Shown(["face"]), frame_of(noise())
    shown(rgb, result)
    shown.now_s += 0.001  # before the next image is due
    shown._stage(Frame(rgb), with_boxes(result, "face", (100, 80, 160, 140)))
    shown.now_s += 0.1
    assert detail(shown(rgb, result)[here]) < 0.02 * detail(rgb[here])


def test_other_classes_are_left_alone() -> None:
    rgb = noise()
    result = with_boxes(frame_of(rgb), "car", (100, 80, 160, 140))
    assert np.array_equal(Shown(["face"])(rgb, result), Shown()(rgb, result))


def test_another_size_begins_anew() -> None:
    blur = Blur(["face"])
    blur.observe(with_boxes(frame_of(noise()), "face", (100, 80, 160, 140)), 320, 240)
    smaller = noise(160, 120)
    blur.observe(frame_of(smaller), 160, 120)
    after = smaller.copy()
    blur.apply(after)
    assert np.array_equal(after, smaller)


def test_the_classes_reach_the_element() -> None:
    stages = [{"model": "yunet"}]
    spec = {"url": "test://", "stages": stages, "preview": {"blur": ["face", "license plate"]}}
    assert '! mirpreview fps=8 quality=70 blur="face,license plate" !' in stages_text(
        "gate", Camera.model_validate(spec), 1
    )
    assert "blur" not in stages_text(
        "gate", Camera.model_validate({"url": "test://", "stages": []}), 1
    )
    spec["preview"] = {"blur": ["plate, licence"]}
    with pytest.raises(ValueError, match=r'preview\.blur: "plate, licence"; expected a class with'):
        stages_text("gate", Camera.model_validate(spec), 1)
