"""A stream over HTTP that never ends: MPEG-TS, FLV or another container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.http_login import log_in
from pipeline.cameras.sources.base import BAD, DECODE, GOOD, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain, http_schemes, http_source, secrets_of
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    source = http_source(spec.url, spec.answer_s)
    launch = f"{source} is-live=true do-timestamp=true retries=0 ! {DECODE}"
    contents = Contents("a stream", frozenset({"video"}))
    return Source(launch, secrets=secrets_of(spec.url), contents=contents)


HTTP_STREAM = SourceKind(
    schemes=http_schemes("ts+"),
    form="ts+http[s]://",
    title="Stream over HTTP",
    start="ts+http://",
    example="ts+http://192.0.2.10:8001/channel",
    hint="MPEG-TS over HTTP that never ends.",
    rows=(
        Row(
            "`ts+http[s]://host/path`",
            "MPEG-TS over HTTP without an end, or FLV, Matroska and fragmented MP4",
            "live: frames are taken as they come, and its end is a loss",
        ),
    ),
    source=_source,
    parts=(
        Part("souphttpsrc", "streams over HTTP", GOOD),
        Part("tsdemux", "MPEG-TS", BAD),
    ),
    log_in=log_in,
    explain=explain,
)
