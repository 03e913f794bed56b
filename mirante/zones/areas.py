"""The objects of one frame in zones, and their distances from lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirante.detections import Detections
from mirante.mask import Mask
from mirante.zones.geometry import Lines, Polygons
from mirante.zones.planes import covered, look_up, plane_named
from mirante.zones.rules import Rule, Rules, Zone
from mirante.zones.scale import Scale

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
ANCHORS = ("bottom", "centre")
BELOW = 0.05  # of its box's height: a plane of the ground may end where an object hides it


class Areas:
    """Zones and lines at one scale.

    Args:
        rules: what is counted.
        scale: of the frames.

    Attributes:
        lines: their geometry.
        band: (lines,) how near to each it is open on which side an object is.
    """

    def __init__(self, rules: Rules, scale: Scale) -> None:
        self.scale = scale
        self._corner, self._sides = np.tile(scale.corner, 2), scale.sides
        self._rules: list[Rule] = [*rules.zones.values(), *rules.lines.values()]
        self._zones = list(rules.zones.values())
        drawn = [i for i, zone in enumerate(self._zones) if zone.polygon and zone.anchor != "mask"]
        self._drawn = np.array(drawn, np.intp)
        self._special = [i for i in range(len(self._zones)) if i not in drawn]
        self._polygons = Polygons([self._corners(self._zones[i]) for i in drawn])
        self._drawn_by = _anchors_of([self._zones[i] for i in drawn])
        self._own = {
            i: Polygons([self._corners(self._zones[i])])
            for i in self._special
            if self._zones[i].polygon
        }
        lines = list(rules.lines.values())
        self._lines_by = _anchors_of(lines)
        self.lines = Lines(
            np.array([line.from_ for line in lines]).reshape(-1, 2) * self._sides,
            np.array([line.to for line in lines]).reshape(-1, 2) * self._sides,
        )
        self.band = np.array([line.band for line in lines])
        self._least_score = np.array([rule.score for rule in self._rules])
        self._least_size = np.array([rule.size for rule in self._rules]) * self._sides[1]
        self._has_least = bool(self._least_score.any() or self._least_size.any())
        self._is_all = False
        self._by_label: tuple[tuple[str, ...], Bools] = ((), np.zeros((0, len(self._rules)), bool))

    def boxes(self, detections: Detections) -> Array:
        """Return boxes with the image's longer side as 1: (n, 4)."""
        return detections.xyxy * self.scale.pixel + self._corner

    def fit(self, detections: Detections, boxes: Array) -> Bools | None:
        """Return which objects count for each zone, and then each line: (n, zones + lines); None
        where all do.
        """
        if detections.labels != self._by_label[0]:
            classes = [
                [not rule.classes or label in rule.classes for rule in self._rules]
                for label in detections.labels
            ]
            self._by_label = (
                detections.labels,
                np.array(classes, np.bool_).reshape(len(classes), len(self._rules)),
            )
            self._is_all = bool(self._by_label[1].all())
        if self._is_all and not self._has_least:
            return None
        fits: Bools = self._by_label[1][detections.class_id]
        if self._least_score.any():
            # The wire keeps four decimals.
            fits &= detections.score[:, None] >= self._least_score - 5e-5
        if self._least_size.any():
            fits &= (boxes[:, 3] - boxes[:, 1])[:, None] >= self._least_size
        return fits

    def within(
        self, anchors: Array, before: Bools, detections: Detections, masks: Sequence[Mask]
    ) -> Bools:
        """Return which objects are in each zone: (n, zones).

        Args:
            anchors: (n, 2, 2) bottom and centre.
            before: (n, zones) what was said last, which is said again of a zone that is a plane
                where the frame has no such plane.
            detections: the objects; one without a mask is in no zone that asks for its mask.
            masks: those of the whole frame.
        """
        if not self._special:
            return self._in_polygons(anchors)
        within = before.copy()
        if len(self._drawn):
            within[:, self._drawn] = self._in_polygons(anchors)
        for index in self._special:
            zone = self._zones[index]
            plane = plane_named(masks, zone.mask) if zone.mask else None
            if zone.mask and plane is None:
                continue
            if zone.anchor == "mask":
                shares = (self._share(index, i, detections, plane) for i in range(len(detections)))
                within[:, index] = np.fromiter(shares, np.float64, len(detections)) >= zone.share
            elif plane is not None:
                within[:, index] = _on_plane(plane, zone, detections)
        return within

    def distance(self, anchors: Array) -> Array:
        """Return how far anchors are from each line, positive on its right: (n, lines)."""
        return self.lines.distance(anchors[:, self._lines_by])

    def place(self, anchors: Array) -> Array:
        """Return how far along each line anchors are, from its start: (n, lines)."""
        return self.lines.place(anchors[:, self._lines_by])

    def _corners(self, zone: Zone) -> Array:
        return np.array(zone.polygon, np.float64) * self._sides

    def _in_polygons(self, anchors: Array) -> Bools:
        if not len(self._drawn):
            return np.zeros((len(anchors), 0), np.bool_)
        if isinstance(self._drawn_by, int):
            return self._polygons.contain(anchors[:, self._drawn_by])
        return self._polygons.contain_own(anchors[:, self._drawn_by])

    def _share(self, zone: int, index: int, detections: Detections, plane: Mask | None) -> float:
        """Return which share of an object's mask is in a zone; 0 without a mask."""
        owned = detections.masks_of(index)
        if not owned:
            return 0.0
        label = detections.labels[detections.class_id[index]]
        mask = next((each for each in owned if label in each.labels), owned[0])
        points = covered(mask, label)
        if not len(points):
            return 0.0
        if plane is not None:
            return float(look_up(plane, self._zones[zone].mask, points).mean())
        placed = points * self.scale.pixel + self._corner[:2]
        return float(self._own[zone].contain(placed).mean())


def _anchors_of(rules: Sequence[Rule]) -> int | NDArray[np.intp]:
    """Return the index of the anchor that all rules have, or that of each."""
    found = [ANCHORS.index(rule.anchor) for rule in rules]
    return found[0] if len(set(found)) == 1 else np.array(found, np.intp)


def _on_plane(plane: Mask, zone: Zone, detections: Detections) -> Bools:
    left, top, right, bottom = detections.xyxy.astype(np.float64).T
    x = (left + right) / 2
    if zone.anchor == "centre":
        return look_up(plane, zone.mask, np.stack([x, (top + bottom) / 2], 1))
    below = bottom + (bottom - top) * BELOW
    places = np.stack([np.concatenate([x, x]), np.concatenate([bottom, below])], 1)
    return np.asarray(look_up(plane, zone.mask, places).reshape(2, -1).any(0))
