"""Image files as the frames of a camera: which, in which order, and when a new one is whole."""

from __future__ import annotations

import glob
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png"}
POLL_S = 0.25
SETTLED_S = 5.0  # a file that has not changed for this long is not being written any more
KEPT = 50_000  # images that are gone and still known
_LISTING_SHARE = 10  # listings take at most this part of the time

_NUMBER = re.compile(r"%0?(\d*)d")
SIGNATURES = _JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_SCAN, _END = 0xDA, b"\xff\xd9"  # JPEG: the start of an image's data, and the end of the image
_PNG_END = b"IEND\xaeB`\x82"

Key = tuple[int, int, int, int]  # device, inode, mtime in ns and size: another is another image


def files(place: str) -> list[Path]:
    """Return the images of a place, in the order of the numbers in their names, then of letters.

    Args:
        place: a folder, a pattern such as ``/folder/%05d.jpg`` or ``/folder/**/*.png``, or a file.

    Raises:
        OSError: the folder is absent or cannot be read.
    """
    path = Path(place)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
    elif _NUMBER.search(path.name):
        name = re.compile(_expression(path.name))
        found = [p for p in path.parent.iterdir() if name.fullmatch(p.name)]
    elif glob.has_magic(place):
        root = _root(path)
        next(root.iterdir(), None)  # glob finds nothing where it may not look
        found = [p for p in root.glob(str(path.relative_to(root))) if _is_shown(p, root)]
    else:
        path.stat()
        found = [path]
    return sorted(found, key=_natural)


def is_whole(content: bytes) -> bool:
    """Return whether a JPEG or PNG file has its end; False for any other file."""
    if content.startswith(_PNG):
        return _PNG_END in content[-1024:]
    return content.startswith(_JPEG) and content.find(_END, _scan_at(content)) >= 0


class NewImages:
    """The images that come to a place, each once.

    A file is taken when it has its end and did not change between two looks, so one that is being
    written is not taken in part; or when it did not change for ``SETTLED_S``, whatever it holds.
    A file that is overwritten is a new image, one that is only renamed is not.

    Args:
        place: as for ``files``.
        clock: monotonic seconds.
        spent: seconds that this thread has worked.

    Attributes:
        is_empty: nothing was there that has not been taken.
    """

    def __init__(
        self,
        place: str,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self.place = place
        self.is_empty = False
        self._clock, self._spent = clock, spent
        self._list_s = clock()
        self._taken: set[Key] = set()
        self._growing: dict[Path, tuple[Key, float]] = {}  # since when it is as it is

    def look(self) -> Iterator[tuple[Path, bytes | OSError]]:
        """Yield the images that can be taken now, with their content or why it cannot be read.

        Raises:
            OSError: the folder is absent or cannot be read.
        """
        now_s = self._clock()
        if now_s >= self._list_s:
            self._list(now_s)
        for path in sorted(self._growing, key=_natural):
            known, since_s = self._growing.pop(path)
            if (key := _key(path)) is None or key in self._taken:
                continue
            self._growing[path] = (key, since_s if key == known else now_s)
            if key != known or since_s == now_s:
                continue
            content = _content(path, key)
            is_settled = now_s - since_s >= SETTLED_S
            if content is not None and (
                is_settled or (isinstance(content, bytes) and is_whole(content))
            ):
                del self._growing[path]
                self._taken.add(key)
                yield path, content

    def _list(self, now_s: float) -> None:
        """Find new files, in a small part of the time: folders may hold very many."""
        began_s = self._spent()
        found = {path: key for path in files(self.place) if (key := _key(path)) is not None}
        self._forget(set(found.values()))
        for path, key in found.items():
            if key not in self._taken:
                self._growing.setdefault(path, (key, now_s))
        self.is_empty = not self._growing
        self._list_s = now_s + (self._spent() - began_s) * _LISTING_SHARE

    def _forget(self, found: set[Key]) -> None:
        """A share that is away for a while and comes back holds the same images."""
        if len(self._taken) > len(found) + KEPT:
            self._taken &= found


def _expression(name: str) -> str:
    """The regular expression of a name with ``%05d`` in it."""
    before, digits, behind = _NUMBER.split(name, maxsplit=1)
    first, last = (re.escape(part.replace("%%", "%")) for part in (before, behind))
    return f"{first}[0-9]{{{digits or 1},}}{last}"


def _root(path: Path) -> Path:
    """The folder above the first part of a glob that is none."""
    while glob.has_magic(str(path)):
        path = path.parent
    return path


def _is_shown(path: Path, root: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not is_hidden and path.is_file()


def _natural(path: Path) -> list[str | int]:
    parts = re.split("([0-9]+)", str(path))
    return [int(part) if n % 2 else part for n, part in enumerate(parts)]


def _key(path: Path) -> Key | None:
    try:
        stat = path.stat()
    except OSError:  # it was renamed or removed meanwhile
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


def _content(path: Path, key: Key) -> bytes | OSError | None:
    """A file's content, or why it has none; None if it is another than it was seen to be."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return error
    return content if _key(path) == key else None


def _scan_at(content: bytes) -> int:
    """Return where a JPEG's image data begin; a preview in its head has an end of its own."""
    at = len(_JPEG)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _SCAN:
        if content[at + 1] == 0xFF:  # a fill byte
            at += 1
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return at
