"""Mend the clips that a killed worker left, as far as they go, or delete them."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from mirante.clips import CLIP_ID, Clip, read_clip
from pipeline.control.clip_store import PARTS, TOLD, commit, remove
from pipeline.control.fragments import Fragments, whole_fragments

NOTE = "the worker ended while it was recorded"
_SIDECAR_END = b"\n]}\n"


class _Head(msgspec.Struct):
    began: float


_read_head = msgspec.json.Decoder(_Head)


def sweep(folder: Path) -> Iterator[str]:
    """Mend or delete the drafts of a folder that no process holds; say in words what was done."""
    for path in sorted(folder.glob(f"*/.*{TOLD}")):
        clip = path.name[1 : -len(TOLD)]
        try:
            held = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield _mend(path.parent, clip, path)
        except BlockingIOError:
            continue  # it is being recorded
        except OSError as error:
            yield f"clip {clip} of {path.parent.name}: {error}"
        finally:
            os.close(held)
    yield from _orphans(folder)


def _mend(folder: Path, clip: str, plan: Path) -> str:
    where = f"clip {clip} of camera {folder.name}"
    if (folder / f"{clip}{TOLD}").exists():  # it was whole but for this
        plan.unlink()
        return f"{where}: was whole"
    for part in PARTS:
        if (done := folder / f"{clip}.{part}").exists():
            done.rename(folder / f".{clip}.{part}")
    try:
        planned = read_clip(plan.read_bytes())
        found = whole_fragments(folder / f".{clip}.mp4")
    except (OSError, ValueError, msgspec.MsgspecError):
        remove(folder, clip)
        return f"{where}: deleted, as nothing of it can be played"
    _cut(folder, clip, found)
    kept = msgspec.structs.replace(
        planned,
        ended=planned.began + found.seconds,
        codec=found.codec,
        size=found.size,
        frames=found.frames,
        image=(folder / f".{clip}.jpg").exists(),
        note=NOTE,
    )
    commit(folder, _began(folder, kept))
    return f"{where}: {found.seconds:.1f} s kept; {NOTE}"


def _cut(folder: Path, clip: str, found: Fragments) -> None:
    """Take from the files what is not whole."""
    os.truncate(folder / f".{clip}.mp4", found.end)
    sidecar = folder / f".{clip}.json"
    if sidecar.exists():
        lines = sidecar.read_bytes().split(b"\n")
        if lines[-2:] == [b"]}", b""]:
            return
        whole = b"\n".join(lines[:-1]).rstrip(b",")
        if whole:
            sidecar.write_bytes(whole + _SIDECAR_END)
        else:
            sidecar.unlink()


def _began(folder: Path, clip: Clip) -> Clip:
    """Return a clip with the time of its beginning that its sidecar says."""
    try:
        head = _read_head.decode((folder / f".{clip.id}.json").read_bytes())
    except (OSError, msgspec.MsgspecError):
        return clip
    length = clip.ended - clip.began
    return msgspec.structs.replace(clip, began=head.began, ended=head.began + length)


def _orphans(folder: Path) -> Iterator[str]:
    """Delete files of clips that are neither whole nor drafts."""
    for path in sorted(folder.glob("*/*.*")):
        clip = path.name.lstrip(".").split(".")[0]
        is_ours = re.fullmatch(CLIP_ID, clip, re.ASCII) is not None
        told = path.parent / f"{clip}{TOLD}", path.parent / f".{clip}{TOLD}"
        if is_ours and not any(each.exists() for each in told):
            with suppress(OSError):
                path.unlink()
                yield f"{path}: deleted, a part of no clip"
