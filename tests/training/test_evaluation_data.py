"""Which images and which truth an evaluation takes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.found import Boxes, Planes
from tests.support.drawn_folders import write_coco, write_picture, write_plane
from training.datasets import BoxSet, DatasetError, MaskSet, is_held_out
from training.datasets.collection import COLUMNS
from training.evaluation.data import open_data
from training.evaluation.pairing import numbers, pair
from training.evaluation.request import Choice

CLASSES = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
PERSON, CAR, BUS = 0, 2, 4


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """20 frames, each as bright as ten times its number."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), number * 10, np.uint8))
    writer.release()
    return path


def test_the_last_part_of_a_clip(clip: Path) -> None:
    pictures, labels = open_data(Choice(str(clip), part="0.75:1", every=2), Boxes, False)
    assert labels is None
    assert len(pictures) == 3
    shown = list(pictures)
    assert [picture.name for picture in shown] == ["clip.avi:15", "clip.avi:17", "clip.avi:19"]
    assert [round(picture.rgb.mean() / 10) for picture in shown] == [15, 17, 19]


@pytest.mark.parametrize(
    ("choice", "labelled", "message"),
    [
        ({}, True, "a clip has no labels; name a model as the truth"),
        ({"part": "0.9"}, False, "part: expected FROM:TO .* got '0.9'"),
        ({"part": "0.5:0.2"}, False, "part: expected FROM:TO"),
        ({"part": "0.51:0.54"}, False, r"no frame in 0.51:0.54 of its 20"),
        ({"held_out": True}, False, "held-out and sets are not for clips; part is"),
    ],
)
def test_what_a_clip_cannot_give(
    clip: Path, choice: dict[str, object], labelled: bool, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        open_data(Choice(str(clip), **choice), Boxes, labelled)  # type: ignore[arg-type]


def test_what_is_no_clip(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"clip.mp4: expected a clip that OpenCV can read"):
        open_data(Choice(str(tmp_path / "clip.mp4")), Boxes, False)
    with pytest.raises(DatasetError, match="a folder or a pattern, nothing is there"):
        open_data(Choice(str(tmp_path / "gone")), Boxes, False)


def test_pictures_without_labels(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "deeper/c.jpg"):
        write_picture(tmp_path / name)
    write_plane(tmp_path / "a_road.png", np.eye(50, 100, dtype=np.bool_))
    every, _ = open_data(Choice(str(tmp_path)), Planes, False)
    assert [picture.name for picture in every] == ["a.jpg", "b.png", "c.jpg"]
    some, _ = open_data(Choice(f"{tmp_path}/*.jpg"), Planes, False)
    assert [picture.name for picture in some] == ["a.jpg"]
    thinned, _ = open_data(Choice(f"{tmp_path}/**/*.jpg", every=2), Planes, False)
    assert [picture.name for picture in thinned] == ["a.jpg"]
    with pytest.raises(DatasetError, match=r"expected images .*found none"):
        open_data(Choice(f"{tmp_path}/*.gif"), Planes, False)


def test_a_choice_in_words() -> None:
    assert str(Choice("a.mp4", "0.75:1", every=3)) == "a.mp4, part 0.75:1, one of 3"
    assert str(Choice("set", held_out=True, sets=("oi", "hw"))) == "set, sets oi, hw, held out"


def test_what_is_held_out_of_a_users_folder(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(40)]
    for name in names:
        write_picture(tmp_path / name, 8, 8)
    write_coco(tmp_path / "boxes.json", {name: [("car", [1, 1, 4, 4])] for name in names})
    expected = {name for name in names if is_held_out(Path(name).stem)}
    assert 0 < len(expected) < 12
    pictures, labels = open_data(Choice(str(tmp_path), held_out=True), Boxes, True)
    assert {picture.name for picture in pictures} == expected
    assert isinstance(labels, BoxSet)
    assert len(labels.pictures) == len(expected)


def test_a_folders_own_split_is_what_is_held_out(tmp_path: Path) -> None:
    """With its labels, and without: what a COCO file lists is as much held out."""
    names = [f"{number}.jpg" for number in range(12)]
    for name in names:
        write_picture(tmp_path / name, 8, 8)
    for part, some in (("train", names[:9]), ("val", names[9:])):
        write_coco(tmp_path / f"{part}.json", {name: [("car", [1, 1, 4, 4])] for name in some})
    for labelled in (True, False):
        pictures, _ = open_data(Choice(str(tmp_path), held_out=True), Boxes, labelled)
        assert [picture.name for picture in pictures] == names[9:]


def test_nothing_is_held_out(tmp_path: Path) -> None:
    name = next(f"{n}.jpg" for n in range(99) if not is_held_out(str(n)))
    write_picture(tmp_path / name, 8, 8)
    for labelled in (False, True):
        with pytest.raises(DatasetError, match="none of its 1 images is held out; training"):
            open_data(Choice(str(tmp_path), held_out=True), Boxes, labelled)
        write_coco(tmp_path / "boxes.json", {name: [("car", [1, 1, 4, 4])]})


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Three images of a street in two sets, one of a road with its mask, one face."""
    rows = [("street/a.jpg", "oi"), ("street/b.jpg", "oi"), ("street/c.jpg", "hw")]
    rows += [("road/00001.jpg", "road"), ("faces/f.jpg", "oi")]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, kind in rows:
            write_picture(tmp_path / name)
            writer.writerow([name, kind, "drawn", Path(name).name, "CC0-1.0"])
    write_plane(tmp_path / "road/00001_road.png", np.eye(50, 100, dtype=np.bool_))
    human = {"a.jpg": [[10, 10, 50, 50, CAR]]}
    seen = {
        "a.jpg": [
            [60, 0, 90, 40, CAR, 0.9],  # cars were drawn here
            [12, 10, 50, 50, BUS, 0.9],  # the car that was drawn
            [14, 10, 50, 50, PERSON, 0.9],
            [0, 0, 9, 9, BUS, 0.5],
            [0, 0, 9, 9, BUS, 0.39],
        ],
        "b.jpg": [[60, 0, 90, 40, CAR, 0.4]],
    }
    for by, images in (("human", human), ("teacher", seen)):
        data = {"classes": CLASSES, "images": images}
        (tmp_path / f"street_{by}.json").write_text(json.dumps(data))
    return tmp_path


def test_the_street_is_as_drawn_and_else_as_seen(collection: Path) -> None:
    pictures, labels = open_data(Choice(str(collection)), Boxes, True)
    assert [picture.name for picture in pictures] == ["a.jpg", "b.jpg"]
    assert isinstance(labels, BoxSet)
    assert labels.labels == tuple(CLASSES)
    a, b = labels.pictures
    assert a.xyxy.tolist() == [[10, 10, 50, 50], [14, 10, 50, 50], [0, 0, 9, 9]]
    assert a.class_id.tolist() == [CAR, PERSON, BUS]
    assert b.class_id.tolist() == [CAR]


def test_sets_and_parts_of_a_collection(collection: Path) -> None:
    unclear, _ = open_data(Choice(str(collection), sets=("hw",)), Boxes, True)
    assert [picture.name for picture in unclear] == ["c.jpg"]
    faces, _ = open_data(Choice(str(collection), part="faces"), Boxes, False)
    assert [picture.name for picture in faces] == ["f.jpg"]
    _, masks = open_data(Choice(str(collection)), Planes, True)
    assert isinstance(masks, MaskSet)
    assert masks.labels == ("road",)
    with pytest.raises(DatasetError, match="faces has no labels to detect, street has"):
        open_data(Choice(str(collection), part="faces"), Boxes, True)
    with pytest.raises(DatasetError, match="sets: no gone in street; there are hw, oi"):
        open_data(Choice(str(collection), sets=("gone",)), Boxes, True)


def test_classes_are_paired_by_name() -> None:
    found = pair(["road", "lane", "face"], ["curb", "lane_mark", "road"], {"lane": "lane_mark"})
    assert found.labels == ("road", "lane")
    assert found.partners == ("road", "lane_mark")
    assert (found.model_only, found.truth_only) == (("face",), ("curb",))
    assert numbers(["curb", "lane_mark", "road"], found.partners).tolist() == [-1, 1, 0]
    assert pair(["a", "b"], ["a", "b"], classes=["b"]).labels == ("b",)


@pytest.mark.parametrize(
    ("match", "classes", "message"),
    [
        ({"lanes": "x"}, [], 'match: no label "lanes"; did you mean "lane"?'),
        ({"lane": "roads"}, [], 'match: no label "roads"; did you mean "road"?'),
        ({}, ["rod"], 'classes: no label "rod"'),
        ({}, ["lane"], "the model has lane, the truth road; none is on both sides"),
    ],
)
def test_classes_that_cannot_be_paired(
    match: dict[str, str], classes: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        pair(["lane"] if classes != ["rod"] else ["lane", "x"], ["road"], match, classes)
