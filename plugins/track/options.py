"""The options of a tracker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """The options of a tracker.

    Attributes:
        per_class: an object never changes its class; otherwise it may where boxes are alike.
        min_score: boxes below are left without a track.
        new_score: boxes below continue tracks and begin none.
        lost_s: seconds after which an object that is not found is given up.
        camera_motion: the camera may move: what moves all objects alike is its movement.
        appearance_distance: cosine distance up to which two looks are of one object.
        still_s: seconds without movement after which an object is still.
    """

    per_class: bool = False
    min_score: float = 0.1
    new_score: float = 0.3
    lost_s: float = 3.0
    camera_motion: bool = False
    appearance_distance: float = 0.25
    still_s: float = 10.0
