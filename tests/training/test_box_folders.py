"""Boxes in COCO JSON and YOLO text are read as they stand, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.drawn_folders import write_coco, write_picture
from training.datasets import DatasetError
from training.datasets.folders import read_boxes


@pytest.mark.parametrize("where", ["a.jpg", "images/a.jpg", "val2017/a.jpg"])
@pytest.mark.parametrize("file", ["labels.json", "annotations/instances.json"])
def test_coco(tmp_path: Path, where: str, file: str) -> None:
    write_picture(tmp_path / where)
    write_coco(tmp_path / file, {"a.jpg": [("van", [10, 5, 20, 30]), ("car", [0, 0, 8, 9.5])]})
    (tmp_path / "notes.json").write_text("[1]")
    found = read_boxes(tmp_path)
    assert found.labels == ("car", "van")
    (picture,) = found.pictures
    assert (picture.path, picture.group) == ((tmp_path / where).resolve(), "a")
    np.testing.assert_array_equal(picture.xyxy, [[10, 5, 30, 35], [0, 0, 8, 9.5]])
    np.testing.assert_array_equal(picture.class_id, [1, 0])
    np.testing.assert_array_equal(picture.score, [1, 1])
    assert len(picture.crowd) == 0


def test_coco_crowds_are_apart_and_pictures_that_are_not_there_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(tmp_path / "a.png")
    boxes = {"a.png": [("car", [1.0, 2, 3, 4])], "gone.png": [("car", [1.0, 2, 3, 4])]}
    write_coco(tmp_path / "crowd.json", boxes, iscrowd=1)
    (picture,) = read_boxes(tmp_path).pictures
    assert len(picture.xyxy) == 0
    np.testing.assert_array_equal(picture.crowd, [[1, 2, 4, 6, 0]])
    assert "1 images that the JSON lists are missing" in caplog.text


def test_coco_boxes_are_cut_at_the_edge_of_the_picture(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [-5, 40, 20, 20])]})
    data = json.loads(path.read_text())
    data["images"][0] |= {"width": 100, "height": 50}
    path.write_text(json.dumps(data))
    np.testing.assert_array_equal(read_boxes(tmp_path).pictures[0].xyxy, [[0, 40, 15, 50]])
    data["annotations"][0]["bbox"] = [100, 0, 5, 5]
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=r"annotation 1: bbox: outside its image.*\[100\.0, 0"):
        read_boxes(tmp_path)


def test_coco_boxes_of_another_scale_are_refused(tmp_path: Path) -> None:
    """By the size that the JSON states; where it states none, by where the boxes are."""
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [300, 100, 400, 200])]})
    with pytest.raises(
        DatasetError, match=r"b.json: annotation 1: bbox: outside its image a.jpg of 100x50, got"
    ):
        read_boxes(tmp_path)
    data = json.loads(path.read_text())
    data["images"][0] |= {"width": 1000, "height": 500}
    path.write_text(json.dumps(data))
    with pytest.raises(
        DatasetError, match=r"b.json: image 1: width, height: expected 100x50 .* got 1000x500"
    ):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, 0, 4]}, r"b.json: annotation 1: bbox: expected .*width > 0.*\[1, 2, 0, 4"),
        ({"bbox": [1, 2, 3]}, r"annotation 1: bbox: expected left, top.*got \[1, 2, 3\]"),
        ({"bbox": None}, "annotation 1: bbox: .*got None"),
        ({"bbox": [1, 2, float("nan"), 4]}, "annotation 1: bbox: .*nan"),
        ({"image_id": 9}, "annotation 1: image_id: no image has 9"),
        ({"category_id": 9}, "annotation 1: category_id: no category has 9"),
        ({"iscrowd": "0"}, "annotation 1: iscrowd: expected 0 or 1, got '0'"),
    ],
)
def test_bad_coco_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [1, 2, 3, 4])]})
    data = json.loads(path.read_text())
    data["annotations"][0] |= change
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=message):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("images", {"width": "60"}, "image 1: width: expected a number, got '60'"),
        ("images", {"file_name": 5}, "images: expected id, file_name; file_name is missing or of"),
        ("images", {"id": [1]}, "images: expected id, file_name; id is missing or of another"),
        ("annotations", {"image_id": [1]}, "annotations: .* image_id is missing or of another"),
        ("categories", {"name": 5}, "categories: expected id, name; name is missing or of"),
        ("categories", {"name": " "}, "categories: 10: expected a name without , = and @, got ' '"),
        ("categories", {"name": "a,b"}, "categories: 10: expected a name without .* got 'a,b'"),
    ],
)
def test_values_of_another_type_are_named(
    tmp_path: Path, part: str, change: dict[str, Any], message: str
) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [1, 2, 3, 4])]})
    data = json.loads(path.read_text())
    data[part][0] |= change
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=rf"b.json: {message}"):
        read_boxes(tmp_path)


def test_a_category_id_twice_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [1, 2, 3, 4])]})
    data = json.loads(path.read_text())
    data["categories"].append(data["categories"][0] | {"name": "van"})
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=r"b.json: categories: expected each id once, got 10 tw"):
        read_boxes(tmp_path)


def test_polygons_without_a_box_are_refused_in_a_line(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_coco(tmp_path / "b.json", {"a.jpg": [("car", [1, 2, 3, 4])]})
    data = json.loads(path.read_text())
    del data["annotations"][0]["bbox"]
    data["annotations"][0]["segmentation"] = [[1, 1, 5, 1, 5, 5] * 500]
    path.write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=r"annotation 1: bbox: .* polygons are not") as error:
        read_boxes(tmp_path)
    assert len(str(error.value)) < 400


def test_a_picture_in_two_coco_files_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    for name in ("one.json", "two.json"):
        write_coco(tmp_path / name, {"a.jpg": [("car", [1, 2, 3, 4])]})
    with pytest.raises(DatasetError, match=r"two.json: a.jpg is also in one.json; keep one"):
        read_boxes(tmp_path)
    (tmp_path / "two.json").unlink()
    data = json.loads((tmp_path / "one.json").read_text())
    data["images"].append({"id": 2, "file_name": "a.jpg"})
    (tmp_path / "one.json").write_text(json.dumps(data))
    with pytest.raises(DatasetError, match=r"one.json: a.jpg is listed twice"):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("learnt", "kept"),
    [
        ("instances_train2017.json", "instances_val2017.json"),
        ("train/_annotations.coco.json", "valid/_annotations.coco.json"),
        ("a.json", "my-test.json"),
    ],
)
def test_a_coco_folders_own_split(tmp_path: Path, learnt: str, kept: str) -> None:
    names = [f"{number}.jpg" for number in range(8)]
    for name in names:
        write_picture(tmp_path / name)
    box: list[tuple[str, list[float]]] = [("car", [1, 2, 3, 4])]
    write_coco(tmp_path / kept, dict.fromkeys(names[5:], box))
    assert {picture.own_split for picture in read_boxes(tmp_path).pictures} == {None}
    write_coco(tmp_path / learnt, dict.fromkeys(names[:5], box))
    found = {picture.path.name: picture.is_held_out for picture in read_boxes(tmp_path).pictures}
    assert found == {name: name in names[5:] for name in names}


def test_a_split_of_links_is_a_split(tmp_path: Path) -> None:
    """As data sets are often parted: the folders hold links to images elsewhere."""
    data = tmp_path / "data"
    names = [f"{part}/{number}.jpg" for part in ("train", "val") for number in range(3)]
    for name in names:
        source = write_picture(tmp_path / "all" / name.replace("/", "-"))
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).symlink_to(source)
    write_coco(data / "all.json", {name: [("car", [1, 2, 3, 4])] for name in names})
    found = read_boxes(data).pictures
    assert [picture.is_held_out for picture in found] == [False] * 3 + [True] * 3


def yolo(folder: Path, line: str = "1 0.5 0.4 0.2 0.4\n", split: str = "") -> Path:
    write_picture(folder / "images" / split / "a.jpg")
    write_picture(folder / "images" / split / "empty.jpg")
    text = folder / "labels" / split / "a.txt"
    text.parent.mkdir(parents=True)
    text.write_text(line)
    return folder


@pytest.mark.parametrize("split", ["", "train"])
@pytest.mark.parametrize("names", ["[car, van]", "{0: car, 1: van}", None])
def test_yolo_text(tmp_path: Path, split: str, names: str | None) -> None:
    yolo(tmp_path, split=split)
    if names:
        (tmp_path / "data.yaml").write_text(f"names: {names}\n")
    else:
        (tmp_path / "classes.txt").write_text("car\nvan\n")
    found = read_boxes(tmp_path)
    assert found.labels == ("car", "van")
    boxed, empty = found.pictures
    np.testing.assert_allclose(boxed.xyxy, [[40, 10, 60, 30]], atol=1e-4)
    np.testing.assert_array_equal(boxed.class_id, [1])
    assert (boxed.group, len(empty.xyxy)) == ("a", 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 .5 .5 .1 .1", r"a.txt: line 1: class: expected 0..1, got 2"),
        ("0 .5 .5 .1", r"a.txt: line 1: expected class cx cy w h.*got '0 .5 .5 .1'"),
        ("0 .5 x .1 .1", r"line 1: expected class cx cy w h"),
        ("\n0 .9 .5 .4 .1", r"line 2: expected a box within 0..1"),
        ("0 .5 .5 0 .1", r"line 1: expected a box within 0..1"),
        ("0 50 50 10 10", r"line 1: expected a box within 0..1"),
    ],
)
def test_bad_yolo_text_is_named(tmp_path: Path, line: str, message: str) -> None:
    yolo(tmp_path, line)
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    with pytest.raises(DatasetError, match=message):
        read_boxes(tmp_path)


@pytest.mark.parametrize("layout", ["images/{}/a.jpg", "{}/images/a.jpg"])
@pytest.mark.parametrize("kept", ["val", "valid", "test"])
def test_a_yolo_folders_own_split(tmp_path: Path, layout: str, kept: str) -> None:
    for part in ("train", kept):
        path = write_picture(tmp_path / layout.format(part))
        text = Path(str(path).replace("images", "labels")).with_suffix(".txt")
        text.parent.mkdir(parents=True)
        text.write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "data.yaml").write_text("names: [car]\n")
    found = read_boxes(tmp_path)
    assert [len(picture.class_id) for picture in found.pictures] == [1, 1]
    assert {p.path.relative_to(tmp_path).as_posix(): p.is_held_out for p in found.pictures} == {
        layout.format("train"): False,
        layout.format(kept): True,
    }


def test_copies_of_one_photograph_are_of_one_group(tmp_path: Path) -> None:
    yolo(tmp_path, "0 .5 .5 .2 .2")
    for copy in ("1a2b", "3c4d"):
        write_picture(tmp_path / "images" / f"b_jpg.rf.{copy}.jpg")
    (tmp_path / "classes.txt").write_text("car\n")
    assert [picture.group for picture in read_boxes(tmp_path).pictures] == ["a", "b", "b", "empty"]


def test_two_pictures_for_one_file_of_labels_are_refused(tmp_path: Path) -> None:
    yolo(tmp_path)
    write_picture(tmp_path / "images" / "a.png")
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    with pytest.raises(DatasetError, match=r"images/a.png: a.jpg has the same stem; keep one"):
        read_boxes(tmp_path)


def test_classes_from_another_editor(tmp_path: Path) -> None:
    path = yolo(tmp_path) / "classes.txt"
    path.write_text("car \r\nvan\r\n\r\n", encoding="utf-8-sig", newline="")
    assert read_boxes(tmp_path).labels == ("car", "van")
    path.write_text("car\n\nvan\n")
    with pytest.raises(DatasetError, match=r"classes.txt: line 2: expected the name of a class"):
        read_boxes(tmp_path)
    path.write_text("\n")
    with pytest.raises(DatasetError, match=r"classes.txt: expected the name of a class"):
        read_boxes(tmp_path)


def test_labels_in_another_encoding_are_named(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    (tmp_path / "labels" / "a.txt").write_text("0 .5 .5 .1 .1", encoding="utf-16")
    with pytest.raises(DatasetError, match=r"labels/a.txt: expected text in UTF-8"):
        read_boxes(tmp_path)


@pytest.mark.parametrize("names", ["[]", "{1: car}", "car", "null"])
def test_bad_names_are_named(tmp_path: Path, names: str) -> None:
    (yolo(tmp_path) / "data.yaml").write_text(f"names: {names}\n")
    with pytest.raises(DatasetError, match=r"data.yaml: names: expected a list"):
        read_boxes(tmp_path)


@pytest.mark.parametrize("names", ["[yes, car]", "[null, car]", "['', car]", "['a=b']"])
def test_names_that_may_mean_anything_are_refused(tmp_path: Path, names: str) -> None:
    (yolo(tmp_path) / "data.yaml").write_text(f"names: {names}\n")
    with pytest.raises(DatasetError, match="names: 0: expected a name without , = and @, got "):
        read_boxes(tmp_path)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    (yolo(tmp_path) / "classes.txt").write_text("car\ncar\n")
    with pytest.raises(DatasetError, match="names: expected each once, got car, car"):
        read_boxes(tmp_path)


def test_yolo_text_without_names_or_picture(tmp_path: Path) -> None:
    yolo(tmp_path)
    with pytest.raises(DatasetError, match=r"names in data.yaml or classes.txt"):
        read_boxes(tmp_path)
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    (tmp_path / "labels" / "other.txt").write_text("")
    (tmp_path / "images" / "other.webp").write_bytes(b"not read")
    with pytest.raises(DatasetError, match=r"other.txt: expected an image .*\.jpg, \.jpeg, \.png"):
        read_boxes(tmp_path)


def test_what_was_looked_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"COCO JSON .* YOLO text .* found neither"):
        read_boxes(tmp_path)
    with pytest.raises(DatasetError, match="expected a folder"):
        read_boxes(tmp_path / "gone")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DatasetError, match=r"broken.json: not JSON"):
        read_boxes(tmp_path)
