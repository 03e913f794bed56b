"""GStreamer's library of analytics metadata, where this GStreamer has it."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GObject, Gst

from engines.placement import Size
from mirante.frame import FrameResult

try:
    gi.require_version("GstAnalytics", "1.0")
    from gi.repository import GstAnalytics

    Analytics: Any = GstAnalytics
except (ValueError, ImportError):
    Analytics = None

Relation: Any = Analytics and Analytics.RelTypes
IS_THERE = Analytics is not None


def switch() -> GObject.Property:
    """Return the property of elements that add to what is known of a frame."""
    return GObject.Property(
        type=bool,
        default=IS_THERE,
        nick="Relation meta",
        blurb="Write what is known of the frame to the buffer as GstAnalyticsRelationMeta, for "
        "elements that are not ours (GStreamer 1.24 and later)",
    )


def require(what: str) -> None:
    """Check that the library is there.

    Args:
        what: needs it, as an error says it.

    Raises:
        ValueError: it is not.
    """
    if not IS_THERE:
        raise ValueError(
            f"{what}: no GstAnalytics for Python here; expected GStreamer 1.24 or later, this is "
            f"{Gst.version_string().removeprefix('GStreamer ')}, and its typelib "
            "(Debian: gir1.2-gst-plugins-bad-1.0)"
        )


def meta_of(buffer: Gst.Buffer) -> Any:
    """Return a buffer's relation meta; None without one."""
    return Analytics.buffer_get_analytics_relation_meta(buffer)


def length_of(meta: Any) -> int:
    """Return how many entries a relation meta has; their ids are 0 to this."""
    return 0 if meta is None else int(Analytics.relation_get_length(meta))


def scale_of(result: FrameResult, size: Size) -> tuple[float, float]:
    """Return pixels of the source frame per pixel of a buffer, across and down.

    Args:
        result: of the frame.
        size: width and height of the buffer's image.
    """
    return result.width / size[0], result.height / size[1]
