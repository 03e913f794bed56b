"""The elements of Mirante, by factory name."""

from __future__ import annotations

import logging

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from engines.names import resolve

log = logging.getLogger(__name__)
_registered = False

ELEMENTS = {
    "mirinfer": "plugins.mirinfer:MirInfer",
    "mirstage": "plugins.mirstage:MirStage",
    "mirpreview": "plugins.mirpreview:MirPreview",
    "mirpublish": "plugins.mirpublish:MirPublish",
}


def factory(name: str) -> tuple[str, int, type[Gst.Element]]:
    """Return what GStreamer's loader of Python plugins needs: name, rank and class."""
    return name, int(Gst.Rank.NONE), resolve("element", name, ELEMENTS)


def register() -> None:
    """Makes the elements known to this process; GStreamer must be initialised."""
    global _registered  # noqa: PLW0603 - once per process
    if _registered:
        return
    _registered = True
    GLib.log_set_handler("GStreamer", GLib.LogLevelFlags.LEVEL_CRITICAL, _on_critical, None)
    for name in ELEMENTS:  # also where GST_PLUGIN_PATH has them: its cache may know older ones
        Gst.Element.register(None, *factory(name))


def _on_critical(_domain: str, _level: int, message: str, _data: None) -> None:
    """GStreamer calls every element made in Python "probably faulty"; it is harmless."""
    if "should be floating" not in message:
        log.error("GStreamer: %s", message)
