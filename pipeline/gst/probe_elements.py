"""Find what this machine has of GStreamer. Nothing here fails where it is missing."""

from __future__ import annotations

from collections.abc import Iterable


def missing_elements(names: Iterable[str]) -> set[str]:
    """Return the ``names`` for which GStreamer has no element; all of them without GStreamer."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst

        Gst.init(None)
    except (ImportError, ValueError):
        return set(names)
    return {name for name in names if Gst.ElementFactory.find(name) is None}


def missing_typelibs(names: Iterable[str]) -> set[str]:
    """Return the ``names``, such as ``GstRtspServer-1.0``, that gi cannot load."""
    try:
        import gi
    except ImportError:
        return set(names)
    missing = set()
    for name in names:
        namespace, _, version = name.rpartition("-")
        try:
            gi.require_version(namespace, version)
        except ValueError:
            missing.add(name)
    return missing
