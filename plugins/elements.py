"""The elements of Mirante, by factory name."""

from __future__ import annotations

import logging

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from engines.registry import resolve

log = logging.getLogger(__name__)

ELEMENTS = {
    "mirinfer": "plugins.mirinfer:MirInfer",
    "mirstage": "plugins.mirstage:MirStage",
    "mirpreview": "plugins.mirpreview:MirPreview",
    "mirpublish": "plugins.mirpublish:MirPublish",
}


def factory(name: str) -> tuple[str, int, type[Gst.Element]]:
    """What GStreamer's loader of Python plugins asks for: name, rank and class."""
    return name, int(Gst.Rank.NONE), resolve("element", name, ELEMENTS)


def register() -> None:
    """Makes the elements known to this process; GStreamer must be initialised."""
    if Gst.ElementFactory.find(next(iter(ELEMENTS))) is None:
        GLib.log_set_handler("GStreamer", GLib.LogLevelFlags.LEVEL_CRITICAL, _on_critical, None)
    for name in ELEMENTS:
        if Gst.ElementFactory.find(name) is None:
            Gst.Element.register(None, *factory(name))


def _on_critical(_domain: str, _level: int, message: str, _data: None) -> None:
    """GStreamer calls every element made in Python "probably faulty"; it is harmless."""
    if "should be floating" not in message:
        log.error("GStreamer: %s", message)
