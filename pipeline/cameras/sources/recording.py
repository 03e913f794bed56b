"""Recordings over HTTP: a file with a beginning and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.http_login import log_in
from pipeline.cameras.sources.base import DECODE, GOOD, Contents, Part, Source, SourceKind
from pipeline.cameras.sources.network import explain, http_schemes, http_source, secrets_of
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

_ENDINGS = (".mp4", ".m4v", ".mov", ".ts", ".m2ts", ".mkv", ".webm", ".avi", ".flv", ".mpg")


def _source(spec: Camera) -> Source:
    """A connection that is lost is taken up where it broke, if the server can give a part."""
    return Source(
        f"{http_source(spec.url, spec.answer_s)} retries=3 ! {DECODE}",
        spec.pace,
        secrets=secrets_of(spec.url),
        contents=Contents("a recording", frozenset({"video"})),
        rewinds=False,
    )


RECORDING = SourceKind(
    schemes=http_schemes("file+"),
    endings=_ENDINGS,
    form="http[s]://….mp4",
    title="Recording",
    start="file+http://",
    example="file+http://192.0.2.10/clips/gate.mp4",
    hint="A video file on a web server.",
    rows=(
        Row(
            "`http[s]://host/clip.mp4`, `file+http[s]://…`",
            f"a recording: {', '.join(ending[1:] for ending in _ENDINGS)}, and with `file+` "
            "whatever the path ends with",
            "see `pace` and `loop`; downloaded as it plays, again for each turn of a loop",
        ),
    ),
    source=_source,
    parts=(Part("souphttpsrc", "http:// recordings", GOOD),),
    log_in=log_in,
    explain=explain,
)
