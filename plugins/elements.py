"""The elements of Mirante, by factory name."""

from __future__ import annotations

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from engines.registry import resolve

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
    for name in ELEMENTS:
        if Gst.ElementFactory.find(name) is None:
            Gst.Element.register(None, *factory(name))
