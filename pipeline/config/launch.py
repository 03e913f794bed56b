"""Property values in GStreamer launch text."""

from __future__ import annotations


def quoted(value: str) -> str:
    """A property value as ``gst_parse_launch`` reads it back."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(value: bool | float | str) -> str:
    """A property value of any type as ``gst_parse_launch`` reads it back."""
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
