"""Real images to calibrate and to compare with: clips, folders, arrays, cameras, shipped ones."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import is_picture, read_rgb
from engines.placement import Resize, Size, place

Rgb = NDArray[np.uint8]
T = TypeVar("T")

SHIPPED = "the images shipped with the project"
_SHEETS = Path(__file__).parents[1] / "weights" / "pictures"
_CAMERA_STEP = 10  # of a camera every tenth frame: neighbours show the same


def read_pictures(source: str | None, count: int) -> list[Rgb]:
    """Up to ``count`` images, spread over what there is.

    Args:
        source: a clip, an image, a folder of images, an ``.npz`` whose arrays are
            (height, width, 3) or (n, height, width, 3) uint8 RGB, or a URL that OpenCV reads;
            None for the images that ship with the project.
        count: at most so many.

    Raises:
        OSError: it cannot be read, or holds no image.
        ValueError: an ``.npz`` holds something else.
    """
    if source is None:
        found = shipped_pictures()
    elif "://" in source:
        return _from_camera(source, count)
    elif Path(source).is_dir():
        paths = sorted(path for path in Path(source).iterdir() if is_picture(path))
        return [read_rgb(path) for path in _spread(_some(source, paths), count)]
    elif source.endswith(".npz"):
        found = _from_arrays(Path(source))
    elif is_picture(Path(source)):
        found = [read_rgb(Path(source))]
    else:
        return _from_clip(Path(source), count)
    return _spread(_some(source or SHIPPED, found), count)


def identity(source: str) -> str:
    """Return what identifies the images: a hash of the file or folder, or a camera's address.

    Raises:
        OSError: file not found.
    """
    if "://" in source:
        return named(source)
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a clip, a folder or an .npz")
    digest = hashlib.sha256()
    for each in sorted(path.iterdir()) if path.is_dir() else [path]:
        if each.is_file():
            with each.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def named(source: str | None) -> str:
    """A source, without the password of a URL; a path in full."""
    if source is None:
        return SHIPPED
    if "://" not in source:
        return str(Path(source).resolve())
    split = urlsplit(source)
    return split._replace(netloc=split.netloc.rpartition("@")[2], query="").geturl()


def in_frame(rgb: Rgb, size: Size, resize: Resize, pad: int) -> Rgb:
    """The image as part of one of ``size``, brought there as a model's input is."""
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    left, top, right, bottom = place((rgb.shape[1], rgb.shape[0]), size, resize).content
    canvas = np.full((size[1], size[0], 3), pad, np.uint8)
    canvas[top:bottom, left:right] = cv2.resize(rgb, (right - left, bottom - top))
    return canvas


def shipped_pictures() -> list[Rgb]:
    """Photographs of streets, country roads and faces that lie beside our own models.

    Raises:
        OSError: this installation is without them.
    """
    return [
        *_tiles("street_scenes.jpg", [(x, 0, 640, 352) for x in (0, 640)]),
        *_tiles("street_scenes.jpg", [(x, 352, 640, 272) for x in (0, 640)]),
        *_tiles("road_failures.jpg", [(x, y, 200, 120) for y in (0, 120) for x in (0, 400)]),
        *_tiles("face_sheet.jpg", [(150, y, 150, 150) for y in range(0, 900, 150)]),
    ]


def _tiles(name: str, boxes: list[tuple[int, int, int, int]]) -> Iterator[Rgb]:
    path = _SHEETS / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: missing in this installation, so there is nothing to compare engines on; "
            "name a clip with --frames"
        )
    sheet = read_rgb(path)
    for x, y, width, height in boxes:
        yield np.ascontiguousarray(sheet[y : y + height, x : x + width])


def _some(source: str, found: list[T]) -> list[T]:
    if not found:
        raise OSError(f"{source}: expected at least one image, got none")
    return found


def _spread(found: list[T], count: int) -> list[T]:
    """At most ``count`` of them, at even distances."""
    places = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [found[place] for place in places]


def _from_arrays(path: Path) -> list[Rgb]:
    found: list[Rgb] = []
    try:
        with np.load(path) as arrays:
            for name in arrays.files:
                array = arrays[name]
                if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-1] != 3:
                    raise ValueError(
                        f"{path}: {name}: expected (height, width, 3) or (n, height, width, 3) "
                        f"uint8, got {array.shape} {array.dtype}"
                    )
                found += [array] if array.ndim == 3 else list(array)
    except zipfile.BadZipFile as error:
        raise OSError(f"{path}: not an .npz: {error}") from error
    return found


def _from_clip(path: Path, count: int) -> list[Rgb]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a clip, a folder or an .npz")
    video = cv2.VideoCapture(str(path))
    try:
        total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = set(_spread(list(range(max(total, count))), count))
        found: list[Rgb] = []
        # Grabbed one after the other: seeking is not exact in every file.
        for index in range(max(wanted) + 1):
            if not video.grab():
                break
            if index in wanted:
                found.append(_rgb(video.retrieve()[1]))
    finally:
        video.release()
    if not found:
        raise OSError(f"{path}: expected a clip that OpenCV can read")
    return found


def _from_camera(url: str, count: int) -> list[Rgb]:
    video = cv2.VideoCapture(url)
    found: list[Rgb] = []
    try:
        for index in range(count * _CAMERA_STEP):
            if not video.grab():
                break
            if index % _CAMERA_STEP == 0:
                found.append(_rgb(video.retrieve()[1]))
    finally:
        video.release()
    if not found:
        raise OSError(f"{named(url)}: expected a camera that OpenCV can read, got no image")
    return found


def _rgb(bgr: NDArray[Any]) -> Rgb:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
