"""The face segmenter's images and masks: what two teachers see alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import MaskPicture, MaskSet
from training.datasets.collection import read_collection
from training.recipes.job import Job
from training.recipes.loop import Plan
from training.recipes.mask_teachers import combined, planes_by_teacher
from training.recipes.mask_views import Camera
from training.recipes.masks import own_set, train_masks
from training.recipes.segmenter import Recipe

Grey = NDArray[np.uint8]
LABELS = ("face",)
MARGIN = 1.7  # the crops' side is so many times the face box's longer one
HOLE_PX = 15  # in crops of 176: glasses, teeth, a shadow
ZOOMS = (1.0, 1.15, 1.3)  # the teacher is unsteady: what it sees in most looks counts
# Boxes differ from detector to detector, faces lean, and small ones are coarse.
CAMERA = Camera(scale=(0.8, 1.45), aspect=0.15, shift=0.08, turn_deg=20.0, light=1.2, shrunk=4.0)
# Most are synthetic women; the empty name is that of the clips.
ODDS = {"sdface": 0.5, "cocoBY": 3.5, "": 2.0}
RECIPE = Recipe(size=(160, 160), camera=CAMERA, odds=ODDS)
PLAN = Plan(views=12_000, batch=8, warmup=100, ema=0.995)
TUNING = Plan(views=8_000, rate=1e-3, backbone_rate=2e-4, warmup=100)
THRESHOLD = 0.5
SUMMARY = "faces, on the crops of a face detector"


def train_face(job: Job) -> Path:
    """Trains a segmenter of crops around boxes of the class ``face``; returns its manifest.

    Raises:
        DatasetError: the folder is not as expected, or holds nothing to learn.
        ModelUnavailableError: a teacher or the start is not available anywhere.
        TrainingError: training cannot continue.
    """
    keys = {"threshold": THRESHOLD, "crop": {"margin": MARGIN}}
    if job.is_collection:
        found = face_set(job.data, job.work)
        return train_masks(job, found, RECIPE, PLAN, summary=SUMMARY, **keys)
    job = replace(job, start=job.start or "face")
    return train_masks(job, own_set(job), RECIPE, TUNING, **keys)


def face_of_person(face: Grey, person: Grey) -> Grey:
    """Return the part of a face mask that is a person's, its holes filled."""
    both = cv2.min(face, person)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (HOLE_PX, HOLE_PX))
    return np.asarray(cv2.morphologyEx(both, cv2.MORPH_CLOSE, disc), np.uint8)


def face_set(folder: Path, cache: Path) -> MaskSet:
    """Crops around faces, and where their skin is: unet-face's mask, of people alone.

    unet-face sees faces in walls and hands as well; mediapipe-selfie knows what is no person.

    Args:
        folder: the collection of images, with its manifest.
        cache: where the teachers' answers are kept.

    Raises:
        DatasetError: the collection is not as expected.
        ModelUnavailableError: a teacher is not available anywhere.
    """
    entries = [entry for entry in read_collection(folder, "faces") if entry.is_clear]
    paths = [entry.path for entry in entries]
    faces = planes_by_teacher("unet-face", paths, cache, ZOOMS)
    people = planes_by_teacher("mediapipe-selfie", paths, cache, ZOOMS)
    pictures = []
    for entry in entries:
        both = (faces[entry.path]["face"], people[entry.path]["person"])
        name = Path("unet-face-of-people") / f"{entry.path.stem}.png"
        planes = {"face": combined(face_of_person, both, cache / name)}
        pictures.append(MaskPicture(entry.path, entry.group, planes))
    return MaskSet(LABELS, tuple(pictures))
