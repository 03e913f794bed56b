"""Write a bundle: a folder in parts with checksums, and what installs it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any, Literal

from pipeline.cli.bundling import install

ABOUT, SUMS = "bundle.json", "SHA256SUMS"
_LEVEL: Literal[1] = 1  # of xz: a fifth of the time of its default, an eighth larger
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class _Split:
    """Writes one stream into files of a size."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size, self._left = folder, size, 0
        self._file: Any = None
        self.names: list[str] = []

    def write(self, data: bytes) -> int:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            if not self._left:
                self.close()
                self.names.append(f"mirante-{len(self.names) + 1:03}.part")
                self._file, self._left = (self._folder / self.names[-1]).open("wb"), self._size
            taken = rest[: self._left]
            self._file.write(taken)
            self._left -= len(taken)
            rest = rest[len(taken) :]
        return len(data)

    def close(self) -> None:
        """Close the part that is open."""
        if self._file is not None:
            self._file.close()


def bytes_of(text: str) -> int:
    """Return the bytes that a size such as ``60M`` stands for.

    Raises:
        ValueError: it is none, or below 1 MiB.
    """
    found = re.fullmatch(r"(\d{1,12})([KMG]?)", text)
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < _UNITS["M"]:
        raise ValueError(f'--split: expected a size of 1M or more, such as 60M, got "{text}"')
    return size


def check_folder(to: Path) -> None:
    """Check where a bundle is to go.

    Raises:
        ValueError: the folder holds something.
    """
    if to.exists() and any(to.iterdir()):
        raise ValueError(f"--to: expected an empty folder, or none, got {to}")


def pack(tree: Path, to: Path, split: int, about: dict[str, Any]) -> list[Path]:
    """Write a bundle of what a folder holds.

    Args:
        tree: has ``wheels``, and may have ``models`` and ``system``, which is compressed.
        to: where the bundle goes, not there or empty.
        split: bytes of a part.
        about: what bundle.json says besides the parts.

    Returns:
        Its files.

    Raises:
        ValueError: the folder holds something.
    """
    check_folder(to)
    to.mkdir(parents=True, exist_ok=True)
    if (tree / "system").is_dir():
        with tarfile.open(tree / install.SYSTEM, "w:xz", preset=_LEVEL) as archive:
            archive.add(tree / "system", "system", filter=_of_nobody)
        shutil.rmtree(tree / "system")
    out = _Split(to, split)
    try:
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for path in sorted(path for path in tree.rglob("*") if path.is_file()):
                archive.add(path, str(path.relative_to(tree)), filter=_of_nobody)
    finally:
        out.close()
    parts = {name: _said(to / name) for name in out.names}
    shutil.copyfile(Path(install.__file__), to / "install.py")
    text = json.dumps({**about, "parts": parts}, indent=1) + "\n"
    (to / ABOUT).write_text(text, encoding="utf-8")
    sums = [f"{_said(path)['sha256']}  {path.name}\n" for path in sorted(to.iterdir())]
    (to / SUMS).write_text("".join(sums), encoding="utf-8")
    return sorted(to.iterdir())


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who made the bundle, and when, is of no use to who installs it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _said(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
