"""Which files are a camera's images, in which order, and when a new one is taken."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cameras.images import SETTLED_S, NewImages, files, is_whole

IMAGE = np.zeros((48, 64, 3), np.uint8)
JPEG, PNG = (cv2.imencode(suffix, IMAGE)[1].tobytes() for suffix in (".jpg", ".png"))


class Place:
    """A folder that is looked at on a clock that is set by hand."""

    def __init__(self, folder: Path, pattern: str = "") -> None:
        self.folder, self.now_s = folder, 100.0
        self.images = NewImages(f"{folder}{pattern}", clock=lambda: self.now_s)

    def put(self, name: str, content: bytes = JPEG) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def look(self, looks: int = 1, step_s: float = 0.25) -> list[str]:
        found = []
        for _ in range(looks):
            found += [path.name for path, _ in self.images.look()]
            self.now_s += step_s
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


NAMES = ["10.jpg", "9.JPG", "00001.png", "a.jpeg", ".hidden.jpg", "notes.txt", "12.jpg.part"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["00001.png", "9.JPG", "10.jpg", "a.jpeg"]),
        ("/", ["00001.png", "9.JPG", "10.jpg", "a.jpeg"]),
        ("/%05d.png", ["00001.png"]),
        ("/%d.jpg", ["10.jpg"]),
        ("/*.jp*g", ["10.jpg", "a.jpeg"]),
        ("/[0-9].JPG", ["9.JPG"]),
        ("/10.jpg", ["10.jpg"]),
        ("/*.bmp", []),
        ("/**/*.png", ["00001.png", "2.png"]),
    ],
)
def test_the_files_of_a_place(place: Place, pattern: str, found: list[str]) -> None:
    for name in NAMES:
        place.put(name)
    (place.folder / "day").mkdir()
    place.put("day/2.png", PNG)
    assert [path.name for path in files(f"{place.folder}{pattern}")] == found


@pytest.mark.parametrize("pattern", ["/no", "/no/%05d.jpg", "/no/*.jpg", "/no.jpg"])
def test_a_place_that_is_absent(place: Place, pattern: str) -> None:
    with pytest.raises(FileNotFoundError):
        files(f"{place.folder}{pattern}")


def test_a_percent_sign_in_a_name(place: Place) -> None:
    place.put("5%_001.jpg")
    assert [path.name for path in files(f"{place.folder}/5%%_%03d.jpg")] == ["5%_001.jpg"]


@pytest.mark.parametrize("content", [JPEG, PNG], ids=["jpeg", "png"])
def test_only_the_end_makes_an_image_whole(content: bytes) -> None:
    assert is_whole(content)
    assert is_whole(content + b"\0" * 100), "cameras add to it"
    assert not any(is_whole(content[:size]) for size in range(len(content)))
    assert not is_whole(b"a page for people")


def test_the_end_of_a_preview_is_not_the_images() -> None:
    exif = b"\xff\xe1" + (len(JPEG) + 2).to_bytes(2) + JPEG
    content = JPEG[:2] + exif + JPEG[2:]
    assert is_whole(content)
    assert not is_whole(content[:-2])


def test_a_new_image_is_taken_once_when_it_stays_as_it_is(place: Place) -> None:
    assert place.look() == []
    empty = [place.images.is_empty]
    place.put("b.jpg")
    place.put("a.png", PNG)
    assert place.look() == [], "it may be growing"
    empty.append(place.images.is_empty)
    assert place.look(5) == ["a.png", "b.jpg"]
    assert [*empty, place.images.is_empty] == [True, False, True]


def test_a_file_that_is_written_slowly_is_taken_whole(place: Place) -> None:
    for size in range(0, len(JPEG), 100):
        place.put("slow.jpg", JPEG[:size])
        assert place.look(2) == []
    path = place.put("slow.jpg")
    assert place.look(step_s=60) == []
    [(taken, content)] = place.images.look()
    assert (taken, content) == (path, JPEG)


def test_a_file_that_is_written_elsewhere_and_renamed(place: Place) -> None:
    part = place.put("one.jpg.part", JPEG[:50])
    assert place.look(3) == []
    part.write_bytes(JPEG)
    part.rename(place.folder / "one.jpg")
    assert place.look(3) == ["one.jpg"]


def test_a_name_that_changes_is_no_new_image_but_new_content_is(place: Place) -> None:
    path = place.put("snapshot.jpg")
    assert place.look(3) == ["snapshot.jpg"]
    path = path.rename(place.folder / "renamed.jpg")
    assert place.look(3) == []
    path.write_bytes(JPEG + b"\0")
    assert place.look(3) == ["renamed.jpg"]


def test_what_never_becomes_whole_is_taken_when_it_has_settled(place: Place) -> None:
    place.put("cut.jpg", JPEG[:100])
    assert place.look(int(SETTLED_S / 0.25)) == []
    assert place.look(2) == ["cut.jpg"]
    place.put("cut.jpg")
    assert place.look(2) == ["cut.jpg"], "its rest came after all"


def test_a_share_that_comes_back_holds_nothing_new(place: Place) -> None:
    path = place.put("a.jpg")
    os.utime(path, ns=(1, 1))
    assert place.look(2) == ["a.jpg"]
    away = path.rename(place.folder.parent / "away.jpg")
    assert place.look(2) == []
    away.rename(path)
    assert place.look(3) == []


def test_a_long_listing_is_done_rarely(place: Place) -> None:
    spent = iter([0.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    place.images = NewImages(str(place.folder), clock=lambda: place.now_s, spent=spent.__next__)
    assert place.look() == []
    place.put("a.jpg")
    assert place.look(19) == [], "half a second of work is followed by five seconds without"
    assert place.look(2) == ["a.jpg"]
