"""Frames that nobody looks at: they are published without being scaled."""

from __future__ import annotations

from typing import Any
from weakref import ref

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.element import FrameHandler, elements_of
from plugins.skipped import skipped_event


class Unseen:
    """Has an event take the place of a frame whose image no element behind would look at.

    Args:
        pipeline: a graph; its elements are not kept.
    """

    def __init__(self, pipeline: Any) -> None:
        every = list(elements_of(pipeline))
        ours = [each for each in every if isinstance(each, FrameHandler)]
        sinks = [each for each in every if each.srcpads == [] and not isinstance(each, Gst.Bin)]
        self._elements = [ref(each) for each in ours]
        self._is_possible = not (
            any(each.always_looks for each in ours)
            or any(not isinstance(each, FrameHandler) for each in sinks)
        )

    def replaces(self, pad: Any, key: int) -> bool:
        """Return whether an event takes a frame's place; it is pushed from the pad, then."""
        if not self._is_possible:
            return False
        if any((each := found()) is None or each.looks for found in self._elements):
            return False
        pad.push_event(skipped_event(key))
        return True
