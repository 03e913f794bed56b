"""The road segmenter's images and masks: what people drew, and what teachers see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2

from engines.files import read_rgb
from training.datasets import DatasetError, MaskPicture, MaskSet
from training.datasets.collection import Entry, read_collection
from training.recipes.job import Job
from training.recipes.loop import Plan
from training.recipes.mask_teachers import combined, planes_by_teacher
from training.recipes.mask_views import Camera
from training.recipes.masks import own_set, train_masks
from training.recipes.segmenter import Recipe

LABELS = ("drivable", "lane", "road")
RECIPE = Recipe(
    size=(320, 192),
    camera=Camera(scale=(0.85, 1.6), light=1.5),
    thin={"lane": 3.0},
    odds={"oi": 3.0, "cocoBY": 3.0},  # city streets are few
)
PLAN = Plan(views=40_000, batch=8, warmup=100)
TUNING = Plan(views=8_000, rate=1e-3, backbone_rate=2e-4, warmup=100)
THRESHOLD = 0.5
THRESHOLDS = {"lane": 0.6}  # its own pixels counted more, so that it says them too readily
SUMMARY = "road surface, drivable area and lane lines, from a car"
LEAST_ROAD = 0.15  # of a street image: less is an image of something else
# Street images were taken from a road where two teachers agree on it.
LEAST_SHARED = 0.75  # of twinlitenet's drivable area is omz-road's road
LEAST_DRIVABLE = 0.25  # of the road is drivable: seen from beside it, or from above, there is none
LEAST_TAUGHT = 0.6  # of a rural road: where it sees less of it drivable, the light misled it


def train_road(job: Job) -> Path:
    """Trains a segmenter of whole frames; returns its manifest.

    Raises:
        DatasetError: the folder is not as expected, or holds nothing to learn.
        ModelUnavailableError: a teacher or the start is not available anywhere.
        TrainingError: training cannot continue.
    """
    if job.is_collection:
        found = road_set(job.data, job.work)
        keys = {"threshold": THRESHOLD, "thresholds": THRESHOLDS, "summary": SUMMARY}
        return train_masks(job, found, RECIPE, PLAN, **keys)
    job = replace(job, start=job.start or "road")
    return train_masks(job, own_set(job), RECIPE, TUNING, threshold=THRESHOLD)


def road_set(folder: Path, cache: Path) -> MaskSet:
    """Rural roads with drawn ``road``, and city images taken from a road, with masks.

    Lane lines are twinlitenet's, drivable is what it calls so of the road; in the city the road is
    omz-road's, with the marks on it.

    Args:
        folder: the collection of images, with its manifest.
        cache: where the teachers' answers are kept.

    Raises:
        DatasetError: the collection is not as expected.
        ModelUnavailableError: a teacher is not available anywhere.
    """
    road = {entry: _drawn(entry.path) for entry in read_collection(folder, "road")}
    streets = [e for e in read_collection(folder, "street") if e.is_clear]
    scene = planes_by_teacher("omz-road", [entry.path for entry in streets], cache)
    for entry in streets:
        seen = scene[entry.path]
        if (read_rgb(seen["road"]) > 127).mean() > LEAST_ROAD:
            name = Path("omz-road-and-marks") / entry.path.with_suffix(".png").name
            road[entry] = combined(cv2.max, (seen["road"], seen["lane_mark"]), cache / name)
    lanes = planes_by_teacher("twinlitenet", [entry.path for entry in road], cache)
    pictures = (_picture(entry, on, lanes[entry.path], cache) for entry, on in road.items())
    return MaskSet(LABELS, tuple(picture for picture in pictures if picture is not None))


def _picture(
    entry: Entry, road: Path, lanes: Mapping[str, Path], cache: Path
) -> MaskPicture | None:
    """An image with its planes; None where they do not fit each other."""
    surface, free = (read_rgb(path)[..., 0] > 127 for path in (road, lanes["drivable"]))
    shared = float((surface & free).sum())
    planes = {"lane": lanes["lane"], "road": road}
    name = Path("drivable-road") / entry.path.parent.name / f"{entry.path.stem}.png"
    if entry.set == "road":
        if not surface.any():  # a road is in each image of the set, but not drawn in each
            return None
        trusted = shared >= LEAST_TAUGHT * surface.sum()
    else:
        trusted = shared >= max(LEAST_SHARED * free.sum(), LEAST_DRIVABLE * surface.sum())
        if not trusted:
            return None
    if trusted:
        planes["drivable"] = combined(cv2.min, (lanes["drivable"], road), cache / name)
    return MaskPicture(entry.path, entry.group, planes)


def _drawn(path: Path) -> Path:
    mask = path.with_name(f"{path.stem}_road.png")
    if not mask.is_file():
        raise DatasetError(f"{mask}: no such file; expected the road drawn beside {path.name}")
    return mask
