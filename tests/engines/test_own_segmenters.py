"""The road and the face segmenter that ship: as they were trained, and good enough."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import engines
from engines.files import read_rgb
from engines.store.models import show
from mirante import Mask
from pipeline.demo.road import road_picture
from tests.support import SHARED, golden_logits, golden_outputs
from tests.support.shared_clips import clip_frame
from training.datasets import is_held_out
from training.datasets.collection import read_collection
from training.evaluation.planes import line_counts

pytestmark = pytest.mark.slow  # it measures

PICTURES = SHARED / "training"


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def plane_of(mask: Mask, label: str, like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask.on_frame(label, like.shape[1], like.shape[0])


@pytest.mark.parametrize("name", golden_logits.NAMES)
def test_the_file_says_what_it_said_when_it_was_trained(name: str, home: Path) -> None:
    golden = np.load(golden_logits.FOLDER / f"{name}.npz")["logits"]
    assert golden.std() > 1
    np.testing.assert_allclose(golden_logits.logits(name), golden, atol=0.02)


@pytest.mark.parametrize("name", golden_logits.NAMES)
def test_it_ships_small_with_its_card(name: str, home: Path) -> None:
    _, listing = show(name)
    assert listing.place == "file"
    assert listing.path is not None
    assert listing.path.stat().st_size < 6.5e6
    assert listing.path.with_suffix(".md").read_text(encoding="utf-8").startswith(f"# {name}\n")


@pytest.mark.parametrize("index", [0, 60])
def test_a_drawn_road_and_its_lines(index: int, home: Path) -> None:
    drawn = road_picture(index)
    mask = engines.load("road")(drawn.rgb).masks[0]
    assert iou(plane_of(mask, "road", drawn.road), drawn.road) > 0.8
    near = line_counts(drawn.lane, plane_of(mask, "lane", drawn.lane), 4)
    assert near.precision > 0.6
    assert near.recall > 0.4


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.full), 3])
def test_rural_roads_that_training_never_saw(every: int, home: Path) -> None:
    if not PICTURES.is_dir():
        pytest.skip("no images in ../shared/training")
    model, ious = engines.load("road"), []
    entries = [each for each in read_collection(PICTURES, "road") if is_held_out(each.group)]
    for entry in entries[::every]:
        drawn = read_rgb(entry.path.with_name(f"{entry.path.stem}_road.png"))[..., 0] > 127
        if drawn.any():  # a few have a road that nobody drew
            ious.append(iou(plane_of(model(read_rgb(entry.path)).masks[0], "road", drawn), drawn))
    assert len(ious) > 100 / every
    assert np.mean(ious) > 0.93


def test_lines_of_a_motorway(weights: Path) -> None:
    """In the last part of the clip, which training never saw, against its teacher's answer."""
    teacher, clip, index = golden_outputs.LANES
    rgb = clip_frame(clip, index)
    data = golden_outputs.read(teacher, clip, index)
    lane = golden_outputs.planes_of(data)[data["labels"].index("lane")]
    true = cv2.resize(lane.view(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    found = engines.load("road")(rgb).masks[0]
    near = line_counts(true, plane_of(found, "lane", true), 6)  # 2 px of the network's 320
    assert near.f1 > 0.85
    road = engines.load("omz-road")(rgb).masks[0]
    assert iou(plane_of(found, "road", true), plane_of(road, "road", true)) > 0.9


@pytest.mark.parametrize("index", [pytest.param(5, marks=pytest.mark.full), 60, 115])
def test_a_face_in_a_car(index: int, weights: Path) -> None:
    """On a clip that training never saw, against its teacher on the same crop."""
    rgb = clip_frame("carphone.mp4", index)
    faces = engines.load("yunet")(rgb).detections
    shape = np.zeros(rgb.shape[:2], np.bool_)
    planes = [
        plane_of(engines.load(name, on="face")(rgb, detections=faces).masks[0], "face", shape)
        for name in ("face", "unet-face")
    ]
    assert iou(*planes) > 0.88
