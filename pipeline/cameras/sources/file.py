"""Video files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import DECODE, Meaning, Source, SourceKind, words_alone
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    return Source(f"filesrc name=source location={quoted(spec.url.path)} ! {DECODE}", spec.pace)


def explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """Say what is wrong with the file."""
    if meaning == "missing":
        return Fault(FaultCode.NO_FILE, f"no such file: {url.path}")
    if meaning == "open":
        reason = "is a directory" if Path(url.path).is_dir() else "cannot be opened: no permission"
        return Fault(FaultCode.NO_ACCESS, f"{url.path} {reason}")
    return words_alone(url, meaning, words)


FILE = SourceKind(
    schemes={"file": None},
    form="file:PATH",
    title="File",
    start="file:",
    example="file:/clips/gate.mp4",
    hint="A video on the worker's machine.",
    rows=(
        Row(
            "`clip.mp4`, `file:clip.mp4`",
            "any video file",
            "see `pace` and `loop`; a plain path is taken as it is written, behind `file:` `%20` "
            "is a space and `%25` a `%`; `#` and `?` are part of either",
        ),
    ),
    plain="",
    needs_path=True,
    reads_files=True,
    has_query=False,
    source=_source,
    parts=(),
    explain=explain,
)
