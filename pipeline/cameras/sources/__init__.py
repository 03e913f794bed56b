"""The kinds of sources: from an address to GStreamer launch text, without gi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cameras.sources.base import Source, SourceKind
from pipeline.config.camera_url import CameraUrl
from pipeline.config.source_kinds import AddressKind, kinds

if TYPE_CHECKING:  # which needs the kinds itself
    from pipeline.config.camera import Camera


def source_kinds() -> list[SourceKind]:
    """Return the kinds of sources, in the table's order."""
    return [_whole(kind) for kind in kinds()]


def kind_of(url: CameraUrl) -> SourceKind:
    """Return all that is known of the kind of source that an address names."""
    return _whole(url.kind)


def source_of(spec: Camera) -> Source:
    """Return the source of one camera.

    Raises:
        ValueError: its address has a query that means nothing.
    """
    return kind_of(spec.url).source(spec)


def _whole(kind: AddressKind) -> SourceKind:
    if not isinstance(kind, SourceKind):
        raise TypeError(f"{kind.form}: expected a SourceKind, got {type(kind).__name__}")
    return kind
