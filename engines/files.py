"""Write files whole, take their digests, read and write images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_DIGITS = 64  # of a SHA-256
SUFFIXES = (".jpg", ".jpeg", ".png")


def check_picture(option: str, path: Path) -> None:
    """Before the work, not after it.

    Raises:
        ValueError: no image can be written there.
    """
    if path.suffix.lower() not in SUFFIXES or not path.parent.is_dir():
        raise ValueError(
            f"--{option}: expected a .png or .jpg in a folder that is there, got {path}"
        )


def write_picture(path: Path, rgb: object) -> None:
    """Writes (height, width, 3) uint8 RGB as what the suffix says.

    Raises:
        OSError: it cannot be written.
    """
    if not cv2.imwrite(str(path), cv2.cvtColor(np.asarray(rgb, np.uint8), cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path}: cannot be written")


def is_picture(path: Path) -> bool:
    """Return whether it is a file with the name of a JPEG or PNG."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside and renames: whoever finds the file finds all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def write_checked(path: Path, content: bytes) -> None:
    """As ``write_whole``, with a checksum in front."""
    write_whole(path, hashlib.sha256(content).hexdigest().encode() + content)


def read_checked(path: Path) -> bytes | None:
    """Return what ``write_checked`` wrote; None if it is not there, or is not what was written."""
    try:
        content = path.read_bytes()
    except OSError:  # it is not there; or whoever writes it will say what is wrong
        return None
    digest, made = content[:_DIGITS], content[_DIGITS:]
    return made if digest == hashlib.sha256(made).hexdigest().encode() else None


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """Name the place in an error of the file system that names none, as that of a full disk.

    Raises:
        OSError: the block's, with ``where`` in place of a missing file name.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(where)) from error


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB.

    Raises:
        ValueError: there is no image.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path}: expected an image, found none that can be read")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
