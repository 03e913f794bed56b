"""Our own models on frames that were marked by hand: of the two clips that ./run test fetches.

``labelled/square.json`` has the boxes of four frames of vtest.avi, all of its last quarter, which
training never saw, as COCO JSON; the van, which is a car to some and a truck to others, and people
who hide each other are crowds. ``labelled/car.json`` has the face's box and outline in four frames
of carphone.mp4, of which training saw none.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import engines
from engines.agreement import overlaps
from tests.support import ROOT
from tests.support.shared_clips import frame_of
from training.evaluation.detector import DetectorFigures
from training.evaluation.measured import measure
from training.evaluation.request import Choice, Request

pytestmark = pytest.mark.slow

LABELLED = ROOT / "tests" / "support" / "labelled"
CLIPS = ROOT / ".cache" / "demo"  # ./run test fetches them
CAR = json.loads((LABELLED / "car.json").read_text())


def test_people_and_cars_on_a_square(home: Path, tmp_path: Path) -> None:
    shutil.copy(LABELLED / "square.json", tmp_path)
    for image in json.loads((LABELLED / "square.json").read_text())["images"]:
        rgb = frame_of(CLIPS / "vtest.avi", image["id"])
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(tmp_path / image["file_name"]), bgr)
    choice = Choice(str(tmp_path))
    found = measure(Request(model="street", choice=choice, classes=("person", "car"))).figures
    assert isinstance(found, DetectorFigures)
    person, car = found.classes
    assert (person.boxes, car.boxes) == (26, 4)
    assert person.ap50 > 0.75
    assert person.recall > 0.75
    assert person.precision > 0.6
    assert car.ap50 > 0.7


@pytest.mark.parametrize("index", CAR)
def test_a_face_and_its_mask_in_a_car(index: str, home: Path) -> None:
    """The whole way: the detector's box, the crop, and the mask in the frame."""
    rgb = frame_of(CLIPS / "carphone.mp4", int(index))
    detections = engines.load("street")(rgb).detections
    faces = [detections.labels[n] == "face" for n in detections.class_id]
    assert sum(faces) == 1
    box = np.array([CAR[index]["box"]], np.float32)
    assert overlaps(detections.xyxy[faces], box)[0, 0] > 0.6
    drawn = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.array(CAR[index]["outline"], np.int32)], 1)
    (mask,) = engines.load("face", on="face")(rgb, detections=detections).masks
    found = mask.on_frame("face", rgb.shape[1], rgb.shape[0])
    assert (found & (drawn > 0)).sum() / (found | (drawn > 0)).sum() > 0.85
