"""Property values in GStreamer launch text."""

from __future__ import annotations


def quoted(value: str) -> str:
    """A property value as ``gst_parse_launch`` reads it back."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
