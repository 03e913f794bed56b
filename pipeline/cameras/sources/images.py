"""Image files: a folder, or the names that match a pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.images import NewImages
from pipeline.cameras.sources.base import BASE, Meaning, Part, Source, SourceKind, words_alone
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    """Images differ in size and format, so they are decoded before the graph: ``ImageFeed``."""
    place = spec.url.bare.partition(":")[2]  # as written: %05d is no escape
    return Source(
        "appsrc name=source is-live=true format=time max-buffers=2 max-bytes=0",
        "every_frame" if spec.watch else spec.pace,
        images=NewImages(place),
        idle=f"waiting for images in {place}" if spec.watch else "",
    )


def _explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """The feed says it in whole words."""
    if meaning == "missing":
        return Fault(FaultCode.NO_FILE, words)
    return words_alone(url, meaning, words)


IMAGES = SourceKind(
    schemes={"images": None},
    form="images:FOLDER",
    title="Images",
    start="images:",
    example="images:/cameras/gate",
    hint="JPEG and PNG files on the worker's machine: a folder, or a pattern as /gate/%05d.jpg.",
    rows=(
        Row(
            "`images:/folder`, `images:/folder/%05d.jpg`, `images:/folder/**/*.png`",
            "JPEG and PNG files, of any sizes, one frame each",
            "`fps` (1), `pace`, `loop` and `watch`: see below",
        ),
    ),
    needs_path=True,
    reads_files=True,
    has_query=False,
    source=_source,
    parts=(Part("appsrc", "image folders and the synthetic camera", BASE),),
    explain=_explain,
)
