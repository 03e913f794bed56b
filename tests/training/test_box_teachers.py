"""Labels from teachers, and how they complete what people drew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.support.drawn_folders import write_coco

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")

from typing import Any

from engines.found import Boxes
from engines.manifest import ZOO, ManifestError
from pipeline.cameras.synthetic import picture, truth
from training.datasets import BoxPicture, DatasetError
from training.recipes.boxes import complete, own_set
from training.recipes.job import Job, choose_device
from training.recipes.masks import own_set as own_masks
from training.recipes.teachers import (
    boxes_by_teacher,
    chosen,
    labels_to_learn,
    merge,
    signature,
)


def folder_of(path: Path, numbers: Sequence[int]) -> list[Path]:
    path.mkdir()
    files = [path / f"{number}.png" for number in numbers]
    for number, file in zip(numbers, files, strict=True):
        cv2.imwrite(str(file), picture(number, 640, 360)[:, :, ::-1])
    return files


def job(data: Path, tmp_path: Path, **keys: Any) -> Job:
    of: dict[str, Any] = {"recipe": "street", "name": "own", "device": "cpu"} | keys
    return Job(data=data, out=tmp_path / "out", **of)


def test_a_teacher_says_what_it_sees_and_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = folder_of(tmp_path / "pictures", [0, 30])
    found = boxes_by_teacher("test-boxes", files, tmp_path / "cache", 0.5)
    for number, file in zip([0, 30], files, strict=True):
        boxes, _ = truth(number, 640, 360)
        rows = np.array(sorted(found[file], key=lambda row: row[4]))
        np.testing.assert_allclose(rows[:, :4], boxes.xyxy)
    monkeypatch.setattr("engines.load", None)
    assert boxes_by_teacher("test-boxes", files, tmp_path / "cache", 0.5) == found


def test_another_picture_of_the_same_name_is_looked_at(tmp_path: Path) -> None:
    (one,) = folder_of(tmp_path / "one", [0])
    (two,) = folder_of(tmp_path / "two", [30])
    first = boxes_by_teacher("test-boxes", [one], tmp_path / "cache", 0.5)[one]
    one.write_bytes(two.read_bytes())
    found = boxes_by_teacher("test-boxes", [one, two], tmp_path / "cache", 0.5)
    assert found[one] == found[two] != first


def test_another_teacher_of_the_same_name_is_asked(tmp_path: Path) -> None:
    """As a model of one's own that was trained again."""
    manifest = yaml.safe_load((ZOO / "test-boxes.yaml").read_text())
    manifest = {k: v for k, v in manifest.items() if k != "sha256"} | {"file": "own.onnx"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(manifest))
    (tmp_path / "own.onnx").write_bytes(b"first")
    one = signature(str(tmp_path / "own.yaml"))
    (tmp_path / "own.onnx").write_bytes(b"second")
    two = signature(str(tmp_path / "own.yaml"))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(manifest | {"iou": 0.3}))
    assert len({one, two, signature(str(tmp_path / "own.yaml"))}) == 3


def test_answers_are_kept_now_and_then_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A teacher that fails at the third of three images is asked for that one alone."""
    caplog.set_level("INFO")
    monkeypatch.setattr("training.recipes.teachers.EVERY", 2)
    files = folder_of(tmp_path / "pictures", [0, 5, 30])
    picture_of_third = files[2].read_bytes()
    files[2].write_bytes(b"no picture")
    with pytest.raises(ValueError, match="expected an image"):
        boxes_by_teacher("test-boxes", files, tmp_path / "cache", 0.5)
    assert "test-boxes labels images: 2 of 3" in caplog.text
    files[2].write_bytes(picture_of_third)
    boxes_by_teacher("test-boxes", files, tmp_path / "cache", 0.5)
    assert "test-boxes labels images: 1 of 1" in caplog.text
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".json"]


def test_an_enlarged_picture_gives_boxes_of_the_picture(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "pictures", [8])
    (rows,) = boxes_by_teacher("test-boxes", files, tmp_path / "cache", 0.5, enlarge=2.0).values()
    boxes, _ = truth(8, 640, 360)
    found = np.array(sorted(rows, key=lambda row: row[4]))[:, :4]
    np.testing.assert_allclose(found, boxes.xyxy, atol=1.5)


def test_classes_are_matched_by_name() -> None:
    rows = [[0, 0, 9, 9, 1, 0.5], [0, 0, 9, 9, 2, 0.25]]
    assert chosen(rows, ("cat", "dog", "bird"), ("bird", "cat")).tolist() == [[0, 0, 9, 9, 0, 0.25]]
    assert chosen([], ("cat",), ("cat",)).shape == (0, 6)


def test_of_two_teachers_boxes_of_one_object_the_surest_stays() -> None:
    one = np.array([[0, 0, 10, 10, 0, 0.6], [50, 50, 60, 60, 0, 0.2]], np.float32)
    two = np.array([[0, 1, 10, 10, 0, 0.9], [0, 0, 10, 10, 1, 0.3]], np.float32)
    scores = sorted(merge([one, two])[:, 5].tolist())
    assert scores == pytest.approx([0.2, 0.3, 0.9])
    assert merge([]).shape == (0, 6)


def test_a_drawn_box_stands_against_its_rivals_only() -> None:
    drawn = BoxPicture(
        Path("a.png"), "a", np.array([[0, 0, 10, 10]], np.float32), np.array([0]), np.ones(1, "f4")
    )
    seen = np.array(
        [
            [0, 0, 10, 11, 1, 0.9],  # in its place, of a class that it stands against
            [0, 0, 10, 11, 2, 0.8],  # in its place, of another: a driver in a car
            [50, 50, 60, 60, 1, 0.7],  # elsewhere
        ],
        np.float32,
    )
    both = complete(drawn, [seen], np.array([0, 1]))
    assert both.class_id.tolist() == [0, 2, 1]
    assert both.score.tolist() == pytest.approx([1, 0.8, 0.7])


def test_in_a_crowd_a_teacher_says_nothing() -> None:
    drawn = BoxPicture(
        Path("a.png"),
        "a",
        np.array([[20, 20, 30, 30]], np.float32),
        np.array([0]),
        np.ones(1, "f4"),
        crowd=np.array([[10, 10, 60, 60, 0]], np.float32),
    )
    seen = np.array([[40, 40, 50, 64, 1, 0.9], [55, 40, 75, 50, 1, 0.8]], np.float32)
    found = complete(drawn, [seen], np.array([0, 1]))
    assert found.score.tolist() == pytest.approx([1, 0.8])
    assert len(complete(drawn, [], np.array([0])).xyxy) == 1


def test_a_folder_without_labels_is_labelled_by_its_teacher(tmp_path: Path) -> None:
    folder_of(tmp_path / "pictures", [0, 5])
    asked = job(tmp_path / "pictures", tmp_path, teachers=("test-boxes",), labels=("blue", "red"))
    found = own_set(asked)
    assert found.labels == ("blue", "red")
    assert [sorted(p.class_id.tolist()) for p in found.pictures] == [[0, 1]] * 2


def test_drawn_labels_stand_beside_classes_of_teachers(tmp_path: Path) -> None:
    """``van`` is drawn in one image of two; ``red`` is a teacher's, ``blue`` nobody asked for."""
    files = folder_of(tmp_path / "pictures", [0, 5])
    boxes: dict[str, list[tuple[str, list[float]]]] = {files[0].name: [("van", [1, 2, 3, 4])]}
    write_coco(tmp_path / "pictures" / "drawn.json", boxes | {files[1].name: []})
    found = own_set(job(tmp_path / "pictures", tmp_path, teachers=("test-boxes",), labels=("red",)))
    assert found.labels == ("van", "red")
    assert [p.class_id.tolist() for p in found.pictures] == [[0, 1], [1]]
    assert found.pictures[0].xyxy[0].tolist() == [1, 2, 4, 6]


def test_a_folders_own_split_holds_without_labels(tmp_path: Path) -> None:
    for part, number in (("train", 0), ("val", 5)):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        folder_of(tmp_path / "pictures" / part, [number])
    asked = job(tmp_path / "pictures", tmp_path, teachers=("test-boxes",), labels=("red",))
    assert [picture.is_held_out for picture in own_set(asked).pictures] == [False, True]


def test_a_teacher_for_another_task_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "pictures", [0])
    monkeypatch.setattr("engines.load", None)
    asked = job(tmp_path / "pictures", tmp_path, teachers=("test-lane",), labels=("lane",))
    with pytest.raises(
        ManifestError, match="teacher test-lane: expected a detector, it is a segmenter"
    ):
        own_set(asked)
    asked = job(tmp_path / "pictures", tmp_path, teachers=("test-boxes",), labels=("red",))
    with pytest.raises(ManifestError, match="teacher test-boxes: expected a segmenter"):
        own_masks(asked)


def test_a_collection_has_its_own_teachers(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file\n")
    for asked in ({"teachers": ("yunet",)}, {"labels": ("face",)}):
        with pytest.raises(ValueError, match="expected with a folder of your own, got"):
            job(tmp_path, tmp_path, **asked)


def test_what_cannot_be_learnt_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="classes: cat need a teacher that knows them"):
        own_set(job(tmp_path / "empty", tmp_path, labels=("cat",)))
    with pytest.raises(DatasetError, match=r"empty: expected images .*found none"):
        own_set(job(tmp_path / "empty", tmp_path, labels=("red",), teachers=("test-boxes",)))
    with pytest.raises(DatasetError, match="classes: cat need a teacher that knows them"):
        own_set(job(tmp_path / "empty", tmp_path, labels=("red", "cat"), teachers=("test-boxes",)))
    with pytest.raises(DatasetError, match="teacher test-boxes: knows none of cat"):
        labels_to_learn(("cat",), (), ["test-boxes"], Boxes)
    with pytest.raises(ValueError, match=r"name: expected letters.*, got 'my yard'"):
        job(tmp_path, tmp_path, name="my yard")
    with pytest.raises(ValueError, match="classes: expected each once, got a, a"):
        job(tmp_path, tmp_path, labels=("a", "a"))
    with pytest.raises(ValueError, match="size: expected a multiple of 32, got 100"):
        job(tmp_path, tmp_path, size_px=100).size(320, 32)
    with pytest.raises(ValueError, match="device: expected auto, cpu or a cuda device"):
        choose_device("tpu")
