"""Names of planes: which show lane lines, and which the drivable area."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

AUTO = "auto"
_SUFFIX = re.compile(r"(_?\d+|_(left|right|solid|dashed|white|yellow|single|double))+$")
_LINES = {
    *("lane", "lanes", "lane_line", "lane_lines", "laneline", "lanelines", "lane_boundary"),
    *("lane_mark", "lane_marks", "lane_marker", "lane_markers", "lane_marking", "lane_markings"),
    *("lane_divider", "lane_dividers", "road_line", "road_lines", "left_lane", "right_lane"),
    *("left_line", "right_line", "ego_left", "ego_right"),
}
_AREAS = {
    *("drivable", "driveable", "drivable_area", "driveable_area", "drivable_region"),
    *("drivable_road", "direct_drivable", "free_space", "freespace"),
}


def is_line(label: str) -> bool:
    """Return whether a plane's name says that it shows lane lines, one or all of them."""
    name = _plain(label)
    return name in _LINES or _SUFFIX.sub("", name) in _LINES


def is_area(label: str) -> bool:
    """Return whether a plane's name says that it shows where one may drive."""
    return _plain(label) in _AREAS


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


@dataclass(frozen=True, slots=True)
class LanePlanes:
    """The planes that are read of a frame's masks; ``auto`` stands for those named as above.

    Attributes:
        lines: ``auto``, the name of a model for its planes named so, or names of planes with commas
            between them.
        areas: ``auto``, names of planes with commas between them, or empty.
    """

    lines: str = AUTO
    areas: str = AUTO

    def lines_of(self, model: str, labels: Iterable[str]) -> list[str]:
        """Return those of a model's planes that show lane lines."""
        if self.lines in (AUTO, model):
            return [label for label in labels if is_line(label) or label == self.lines]
        named = names(self.lines)
        return [label for label in labels if label in named]

    def areas_of(self, labels: Iterable[str]) -> list[str]:
        """Return those of a model's planes that show the drivable area."""
        if self.areas == AUTO:
            return [label for label in labels if is_area(label)]
        named = names(self.areas)
        return [label for label in labels if label in named]

    def unnamed(self, masks: Mapping[str, Iterable[str]]) -> list[str]:
        """Return the names of planes of lines that no mask has.

        Args:
            masks: names of planes, by the model that makes them.
        """
        if self.lines == AUTO or self.lines in masks:
            return []
        return sorted(names(self.lines) - {label for labels in masks.values() for label in labels})


def names(text: str) -> set[str]:
    """Return the names that are written with commas between them."""
    return {name.strip() for name in text.split(",")} - {""}
