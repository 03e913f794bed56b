"""Masks in both layouts are read, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.drawn_folders import write_picture, write_plane
from training.datasets import DatasetError, NoLabelsError
from training.datasets.folders import read_masks, read_pictures
from training.datasets.masks import read_plane

PLANE = np.eye(50, 100, dtype=np.bool_)


def test_masks_beside_their_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "road_1.jpg")
    write_picture(tmp_path / "unlabelled.jpg")
    for plane in ("road", "lane_mark"):
        write_plane(tmp_path / f"road_1_{plane}.png", PLANE)
    found = read_masks(tmp_path)
    assert found.labels == ("lane_mark", "road")
    (picture,) = found.pictures
    assert (picture.path, picture.group) == (tmp_path / "road_1.jpg", "road_1")
    assert picture.planes == {
        "road": tmp_path / "road_1_road.png",
        "lane_mark": tmp_path / "road_1_lane_mark.png",
    }


def test_masks_in_folders_of_their_own(tmp_path: Path) -> None:
    for stem in ("a", "b", "c"):
        write_picture(tmp_path / "images" / f"{stem}.png")
    for name in ("skin/a", "skin/b", "hair/a"):
        write_plane(tmp_path / "masks" / f"{name}.png", PLANE)
    found = read_masks(tmp_path)
    assert found.labels == ("hair", "skin")
    assert {p.path.stem: sorted(p.planes) for p in found.pictures} == {
        "a": ["hair", "skin"],
        "b": ["skin"],
    }


def test_a_mask_without_a_picture_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.png")
    write_plane(tmp_path / "masks" / "skin" / "b.png", PLANE)
    with pytest.raises(DatasetError, match=r"skin/b.png: expected an image .*images/b\.\*"):
        read_masks(tmp_path)


def test_what_was_looked_for_is_said(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match=r"<stem>_<plane>.png .* masks/<plane>/<stem>.png"):
        read_masks(tmp_path)


def planes_of(folder: Path) -> dict[str, dict[str, str]]:
    found = read_masks(folder).pictures
    return {p.path.name: {k: v.name for k, v in p.planes.items()} for p in found}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_mask_is_of_the_picture_with_the_longest_stem(tmp_path: Path, suffix: str) -> None:
    for stem in ("drive", "drive_2"):
        write_picture(tmp_path / f"{stem}.{suffix}")
        for plane in ("lane", "lane_mark"):
            write_plane(tmp_path / f"{stem}_{plane}.png", PLANE)
    assert planes_of(tmp_path) == {
        f"{stem}.{suffix}": {p: f"{stem}_{p}.png" for p in ("lane", "lane_mark")}
        for stem in ("drive", "drive_2")
    }


def test_frames_of_one_camera_are_no_masks(tmp_path: Path) -> None:
    for name in ("cam", "cam_1", "cam_2"):
        write_picture(tmp_path / f"{name}.png")
    with pytest.raises(NoLabelsError, match="expected masks"):
        read_masks(tmp_path)
    assert len(read_pictures(tmp_path)) == 3
    write_plane(tmp_path / "cam_1_road.png", PLANE)
    assert planes_of(tmp_path) == {"cam_1.png": {"road": "cam_1_road.png"}}
    assert len(read_pictures(tmp_path)) == 3


def test_a_mask_without_its_picture_is_named(tmp_path: Path) -> None:
    for stem in ("a", "b"):
        write_picture(tmp_path / f"{stem}.jpg")
        write_plane(tmp_path / f"{stem}_grass.png", PLANE)
    (tmp_path / "b.jpg").unlink()
    with pytest.raises(DatasetError, match=r"b_grass.png: expected an image b\.\*"):
        read_masks(tmp_path)


def test_two_pictures_of_one_stem_are_refused(tmp_path: Path) -> None:
    for folder, mask in (("one/images", "one/masks/g/a.png"), ("two", "two/a_g.png")):
        write_picture(tmp_path / folder / "a.jpg")
        write_picture(tmp_path / folder / "a.png")
        write_plane(tmp_path / mask, PLANE)
    with pytest.raises(DatasetError, match=r"images/a.png: a.jpg has the same stem"):
        read_masks(tmp_path / "one")
    with pytest.raises(DatasetError, match=r"a_g.png: expected one image, got a.jpg, a.png"):
        read_masks(tmp_path / "two")


def test_masks_in_the_parts_of_a_split(tmp_path: Path) -> None:
    for name in ("train/a", "val/b"):
        write_picture(tmp_path / "images" / f"{name}.jpg")
        write_plane(tmp_path / "masks" / "grass" / f"{name}.png", PLANE)
    (tmp_path / "masks/grass/train/a.png").rename(tmp_path / "masks/grass/train/a.PNG")
    assert planes_of(tmp_path) == {"a.jpg": {"grass": "a.PNG"}, "b.jpg": {"grass": "b.png"}}
    assert [p.is_held_out for p in read_masks(tmp_path).pictures] == [False, True]
    write_picture(tmp_path / "masks" / "grass" / "train" / "a.jpg")
    (tmp_path / "masks" / "grass" / "train" / "a.PNG").unlink()
    with pytest.raises(DatasetError, match=r"train/a.jpg: expected a mask that is a PNG"):
        read_masks(tmp_path)


def test_a_split_with_masks_beside_the_pictures(tmp_path: Path) -> None:
    for name in ("train/a", "val/b"):
        write_picture(tmp_path / f"{name}.jpg")
        write_plane(tmp_path / f"{name}_grass.png", PLANE)
    found = read_masks(tmp_path).pictures
    assert {p.path.name: p.is_held_out for p in found} == {"a.jpg": False, "b.jpg": True}


WHITE = PLANE[:, :, None] * 255


@pytest.mark.parametrize("channels", [3, 4])
def test_grey_may_be_saved_as_several_equal_channels(tmp_path: Path, channels: int) -> None:
    write_picture(tmp_path / "a.jpg")
    pixels = np.full((*PLANE.shape, channels), 255, np.uint8)  # the fourth is how opaque it is
    pixels[..., :3] = WHITE
    assert cv2.imwrite(str(tmp_path / "a_road.png"), pixels)
    (read,) = read_masks(tmp_path).pictures
    np.testing.assert_array_equal(read_plane(read.planes["road"], (100, 50)), PLANE * 255)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (PLANE.astype(np.uint16) * 65535, "got uint16 and 1 channels with values of 65535 at most"),
        ((WHITE * (1, 0, 0)).astype(np.uint8), "got uint8 and 3 channels with values of 255"),
        (np.repeat(WHITE, 4, axis=2).astype(np.uint8), "got uint8 and 4 channels with values of"),
        (PLANE.astype(np.uint8) * 3, "255 where the plane is .* got values of 3 at most"),
        (PLANE.astype(np.uint8), "255 where the plane is .* got values of 1 at most"),
    ],
)
def test_what_is_no_grey_mask_is_named(
    tmp_path: Path, pixels: NDArray[np.uint8], message: str
) -> None:
    write_picture(tmp_path / "a.jpg")
    assert cv2.imwrite(str(tmp_path / "a_road.png"), pixels)
    with pytest.raises(DatasetError, match=f"a_road.png: expected .*{message}"):
        read_masks(tmp_path)


def test_probabilities_and_empty_planes_are_masks(tmp_path: Path) -> None:
    for name, most in (("a", 128), ("b", 0)):
        write_picture(tmp_path / f"{name}.jpg")
        assert cv2.imwrite(str(tmp_path / f"{name}_road.png"), PLANE.astype(np.uint8) * most)
    assert len(read_masks(tmp_path).pictures) == 2


def test_a_plane_is_read_at_its_pictures_size(tmp_path: Path) -> None:
    path = write_plane(tmp_path / "m.png", PLANE)
    np.testing.assert_array_equal(read_plane(path, (100, 50)), PLANE * 255)
    with pytest.raises(DatasetError, match=r"m.png: expected 50x100 as its image has, got 100x5"):
        read_plane(path, (50, 100))
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"m.png: expected a mask"):
        read_plane(path, (100, 50))
