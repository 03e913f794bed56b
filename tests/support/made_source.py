"""A made-up kind of source, as somebody would add one: this file, and a row of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import BAD, DECODE, Meaning, Part, Source, SourceKind
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    return Source(f"madesrc name=source uri={quoted(spec.url.bare)} ! {DECODE}")


def _check(query: str) -> None:
    if query and not query.startswith("token="):
        raise ValueError(f'made:// "{query}": expected token=TEXT')


def _explain(_url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    return Fault(FaultCode.NOT_FOUND, f"made up: {words}") if meaning == "missing" else None


MADE = SourceKind(
    schemes={"made": Endpoint(None, "udp", transports=("tcp",))},
    form="made://",
    title="Made up",
    start="made://",
    example="made://192.0.2.10:9000",
    hint="A made-up camera.",
    rows=(Row("`made://host:port`", "a made-up camera", "for tests"),),
    check_query=_check,
    models=("test-boxes",),
    source=_source,
    parts=(Part("madesrc", "made:// cameras", BAD),),
    explain=_explain,
)
