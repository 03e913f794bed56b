"""The synthetic camera, test://."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.sources.base import BASE, Part, Source, SourceKind
from pipeline.config.source_kinds import Row
from pipeline.config.synthetic_options import SyntheticOptions

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    options = SyntheticOptions.of_query(spec.url.query)
    caps = (
        f"video/x-raw,format=RGB,width={options.width},height={options.height},"
        f"framerate={options.fps}/1"
    )
    launch = f"appsrc name=source is-live=true do-timestamp=true format=time caps={caps}"
    return Source(launch, drawn=options)


SYNTHETIC = SourceKind(
    schemes={"test": None},
    form="test://",
    title="Test image",
    start="test://",
    example="test://?size=640x360&fps=10",
    hint="A drawn image that moves; it needs no camera.",
    rows=(
        Row(
            "`test://?size=640x360&fps=10`",
            "a synthetic camera that needs nothing",
            "see below",
        ),
    ),
    check_query=SyntheticOptions.of_query,
    models=("test-boxes", "test-lane"),
    source=_source,
    parts=(Part("appsrc", "the synthetic camera", BASE),),
)
