"""JSON Lines: the parts as they are, renamed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bridges.files.spool import Key, sync_folder


class _Keyed(msgspec.Struct):
    camera: str
    entry_id: str


_read = msgspec.json.Decoder(_Keyed)


class JsonLines:
    """A message a line."""

    suffix = ".jsonl"

    def finish(self, part: Path, target: Path) -> None:
        """Rename it."""
        part.replace(target)
        sync_folder(target.parent)

    def keys(self, path: Path) -> list[Key]:
        """Return the entries of a file, in order."""
        with path.open("rb") as lines:
            found = [_read.decode(line) for line in lines]
        return [Key(each.camera, each.entry_id) for each in found]
