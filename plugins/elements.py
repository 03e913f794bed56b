"""The elements of Mirante, by factory name."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

log = logging.getLogger(__name__)

# A file each: what GStreamer calls an element is also the name of its module.
ELEMENTS = [path.stem for path in sorted(Path(__file__).parent.glob("mir*.py"))]


def factory(name: str) -> tuple[str, int, type[Gst.Element]]:
    """Return what GStreamer's loader of Python plugins needs: name, rank and class."""
    module = import_module(f"plugins.{name}")
    element = next(value for key, value in vars(module).items() if key.lower() == name)
    return name, int(Gst.Rank.NONE), element


@cache
def register() -> None:
    """Make the elements known to this process, once; GStreamer must be initialised."""
    GLib.log_set_handler("GStreamer", GLib.LogLevelFlags.LEVEL_CRITICAL, _on_critical, None)
    for name in ELEMENTS:  # also where GST_PLUGIN_PATH has them: its cache may know older ones
        Gst.Element.register(None, *factory(name))


def _on_critical(_domain: str, _level: int, message: str, _data: None) -> None:
    """GStreamer calls every element made in Python "probably faulty"; it is harmless."""
    if "should be floating" not in message:
        log.error("GStreamer: %s", message)
