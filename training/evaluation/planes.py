"""Measure how well one plane of a mask lies on another."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.bool_]


class Near(NamedTuple):
    """Pixels that lie near a pixel of the other side, and all; sums over images may be taken.

    Attributes:
        found: of the found pixels, those near the truth, and all.
        truth: of the true pixels, those near what was found, and all.
    """

    found: tuple[int, int]
    truth: tuple[int, int]

    def __add__(self, other: Near) -> Near:  # type: ignore[override]
        """The counts of both."""
        found, truth = ((a[0] + b[0], a[1] + b[1]) for a, b in zip(self, other, strict=True))
        return Near(found, truth)

    @property
    def precision(self) -> float:
        """Share of what was found; NaN where nothing was."""
        return self.found[0] / self.found[1] if self.found[1] else np.nan

    @property
    def recall(self) -> float:
        """Share of what is true; NaN where nothing is."""
        return self.truth[0] / self.truth[1] if self.truth[1] else np.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where only one side is empty, NaN where both are."""
        if not self.found[1] and not self.truth[1]:
            return np.nan
        precision, recall = np.nan_to_num([self.precision, self.recall])
        return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


NONE = Near((0, 0), (0, 0))


def line_counts(truth: Plane, found: Plane, tolerance_px: float) -> Near:
    """Pixels of one plane within ``tolerance_px`` of a pixel of the other.

    For thin things, of which an overlap asks too much: relaxed precision and recall (Mnih & Hinton
    2010; completeness and correctness in Wiedemann et al. 1998).
    """
    return Near(
        (_near(found, truth, tolerance_px), int(found.sum())),
        (_near(truth, found, tolerance_px), int(truth.sum())),
    )


def boundary_counts(truth: Plane, found: Plane, tolerance_px: float) -> Near:
    """The same of the planes' outlines: the boundary measure (Csurka et al. 2013; DAVIS, Perazzi
    et al. 2016).
    """
    return line_counts(outline(truth), outline(found), tolerance_px)


def outline(plane: Plane) -> Plane:
    """Pixels of a plane with a neighbour to the left, right, above or below that is not in it.

    What is outside of the image is nothing's outline.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    padded = cv2.copyMakeBorder(plane.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inner = cv2.erode(padded, cross)[1:-1, 1:-1].astype(np.bool_)
    return np.asarray(plane & ~inner, np.bool_)


def _near(of: Plane, to: Plane, tolerance_px: float) -> int:
    if not to.any():
        return 0
    away = np.asarray(~to, np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The transform is exact but for float32's last digits.
    return int((distance[of] <= tolerance_px + 1e-3).sum())
