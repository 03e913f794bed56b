"""The street detector; the same recipe teaches it a user's own classes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from engines.found import Boxes
from training.datasets import BoxPicture, BoxSet, DatasetError, to_learn
from training.datasets.collection import Entry, read_collection
from training.datasets.folders import read_pictures
from training.nets.yolo import STRIDES, Columns, Yolo
from training.recipes.boxes import Rows, complete, own_set, seen_by
from training.recipes.detector import train_detector
from training.recipes.export import INPUT, export, write_manifest
from training.recipes.job import Job, choose_device
from training.recipes.loop import Plan
from training.recipes.start import begin
from training.recipes.teachers import chosen
from training.recipes.thresholds import OTHERWISE, best_thresholds

log = logging.getLogger(__name__)

# Faces are a seventh class and not a network of their own, which would look at the same pixels
# twice; the model ``face`` runs on their boxes.
LABELS = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "face")
VEHICLES = ("bicycle", "car", "motorcycle", "bus", "truck")
LEAST_FACE = 0.3
FACE_ENLARGED = 2.0  # faces in the street are small
SIZE_PX = 320
HEAD = ".scores."  # the layers of which each class has a row
PLAN = Plan(views=72_000, coarse=0.6)
TUNING = Plan(views=8_000, rate=1e-3, backbone_rate=2e-4, warmup=100)
OVERLAP = 0.5


def train_street(job: Job) -> Path:
    """Trains a detector; returns its manifest.

    On the collection it starts from ImageNet; on a user's folder from the model ``street``, whose
    classes keep what they know where the user's have the same names.

    Raises:
        DatasetError: the folder is not as expected, or holds nothing to learn.
        ModelUnavailableError: a teacher or the start is not available anywhere.
        TrainingError: training cannot continue.
    """
    size_px = job.size(SIZE_PX, max(STRIDES))
    found = street_set(job.data, job.work) if job.is_collection else own_set(job)
    empty = read_pictures(job.empty) if job.empty else ()
    learnt, learnt_empty = to_learn(found.pictures), to_learn(empty)
    if not any(len(picture.class_id) for picture in learnt):
        raise DatasetError(f"{job.data}: expected boxes to learn from, found none")
    deciding = [picture for picture in (*found.pictures, *empty) if picture.is_for_thresholds]
    every, learns = len(found.pictures) + len(empty), len(learnt) + len(learnt_empty)
    log.info(
        "%d images to learn (%d known to be empty), %d for thresholds, %d held out",
        *(learns, len(learnt_empty), len(deciding), every - learns - len(deciding)),
    )
    start = job.start or ("imagenet" if job.is_collection else "street")
    plan = job.plan(PLAN if start in ("imagenet", "nothing") else TUNING)
    torch.manual_seed(plan.seed)
    network = Yolo(len(found.labels))
    begin(network, start, found.labels, HEAD)
    trained = train_detector(
        network,
        found.labels,
        learnt,
        learnt_empty,
        size_px,
        plan,
        job.work,
        choose_device(job.device),
    )
    weights = job.folder / f"{job.model}.onnx"
    export(Columns(trained), (size_px, size_px), weights)
    describe = partial(_describe, weights, job, found.labels, size_px, plan)
    best = best_thresholds(describe({}), deciding, found.labels)
    return describe(best)


def _describe(
    weights: Path,
    job: Job,
    labels: tuple[str, ...],
    size_px: int,
    plan: Plan,
    thresholds: dict[str, float],
) -> Path:
    """Writes the manifest."""
    return write_manifest(
        weights,
        job.model,
        summary=", ".join(labels),
        task=Boxes.task,
        licence=job.licence,
        source=f"mirante train {job.recipe}, {plan.views} views",
        input={
            "name": INPUT,
            "size": [size_px, size_px],
            "multiple": 32,
            "scale": 1 / 255,
            "resize": "letterbox-top-left",
        },
        decoder="yolov8",
        labels=list(labels),
        threshold=OTHERWISE,
        thresholds=thresholds,
        iou=OVERLAP,
    )


def street_set(folder: Path, cache: Path) -> BoxSet:
    """Every image of ``street``, ``faces`` and ``road`` whose licence is clear, with boxes.

    People's boxes count as certain. They drew vehicles, and those not everywhere; what teachers
    see beside them stands with its score.

    Args:
        folder: the collection of images, with its manifest.
        cache: where the teachers' answers are kept.

    Raises:
        DatasetError: the collection is not as expected.
        ModelUnavailableError: a teacher is not available anywhere.
    """
    entries = [
        entry
        for part in ("street", "faces", "road")
        for entry in read_collection(folder, part)
        if entry.is_clear
    ]
    paths = [entry.path for entry in entries]
    seen = [
        seen_by("deimv2-femto", paths, cache, LABELS),
        seen_by("yolox-nano", paths, cache, LABELS),
        seen_by("yunet", paths, cache, LABELS, LEAST_FACE, FACE_ENLARGED),
    ]
    drawn = _drawn(folder)
    vehicles = np.array([LABELS.index(name) for name in VEHICLES])
    pictures = [
        complete(_as_drawn(entry, drawn), [each[entry.path] for each in seen], vehicles)
        for entry in entries
    ]
    return BoxSet(LABELS, tuple(pictures))


def _drawn(folder: Path) -> Mapping[str, Rows]:
    path = folder / "street_human.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: chosen([[*row, 1.0] for row in rows], data["classes"], LABELS)
        for name, rows in data["images"].items()
    }


def _as_drawn(entry: Entry, drawn: Mapping[str, Rows]) -> BoxPicture:
    rows = drawn.get(entry.path.name, np.zeros((0, 6), np.float32))
    return BoxPicture(entry.path, entry.group, rows[:, :4], rows[:, 4].astype(np.int64), rows[:, 5])
