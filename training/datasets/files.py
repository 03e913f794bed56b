"""The files in a folder of images, and what their names say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engines.files import is_picture
from training.datasets import DatasetError

# What a labelling service adds to the names of its augmented copies.
_COPY = re.compile(r"_(jpe?g|png)\.rf\..*$", re.IGNORECASE)
_ASIDE = r"(val|valid|validation|test)"
_ASIDE_FOLDER = re.compile(rf"{_ASIDE}\d*", re.IGNORECASE)
_ASIDE_FILE = re.compile(rf"(?<![a-z]){_ASIDE}(?![a-z])", re.IGNORECASE)


def pictures_below(folder: Path) -> list[Path]:
    """All images below a folder."""
    return [path for path in sorted(folder.rglob("*")) if is_picture(path)]


def pictures_in(folder: Path) -> dict[str, list[Path]]:
    """All images below a folder, by file name."""
    found: dict[str, list[Path]] = {}
    for path in pictures_below(folder):
        found.setdefault(path.name, []).append(path)
    return found


def by_stem(folder: Path) -> dict[Path, Path]:
    """All images below a folder, by their path in it without the suffix.

    Raises:
        DatasetError: two differ in their suffix alone, so that a label may be of either.
    """
    found: dict[Path, Path] = {}
    for path in pictures_below(folder):
        stem = path.relative_to(folder).with_suffix("")
        if stem in found:
            raise DatasetError(f"{path}: {found[stem].name} has the same stem; keep one of them")
        found[stem] = path
    return found


def group_of(name: str) -> str:
    """A file's name without what a labelling service adds to copies of one photograph."""
    return _COPY.sub("", name)


def is_aside(path: Path, folder: Path) -> bool:
    """Return whether an image lies below ``folder`` in one named ``val``, ``valid`` or ``test``."""
    parts = path.relative_to(folder).parts[:-1] if path.is_relative_to(folder) else ()
    return any(_ASIDE_FOLDER.fullmatch(part) for part in parts)


def is_named_aside(path: Path) -> bool:
    """Return whether a file's name says that it lists such images: ``instances_val….json``."""
    return _ASIDE_FILE.search(path.stem) is not None


def own_split(aside: Sequence[bool]) -> list[bool | None]:
    """Return which images a folder itself keeps from training; None where it has no split."""
    parted = any(aside) and not all(aside)
    return [each if parted else None for each in aside]


def check_name(where: str, name: object) -> None:
    """A class's name is text that a command line can tell from its neighbours.

    Raises:
        DatasetError: ``where``, and what was got.
    """
    if not isinstance(name, str) or not name.strip() or set(name) & set(",=@"):
        raise DatasetError(f"{where}: expected a name without , = and @, got {name!r}")


def read_text(path: Path) -> str:
    """A file of UTF-8, with a byte order mark or without.

    Raises:
        DatasetError: it is of another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: expected text in UTF-8: {error}") from error
