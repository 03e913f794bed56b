"""Train a segmenter: from images and a recipe to a model and its manifest."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import engines
from engines.found import Planes
from training.datasets import DatasetError, MaskPicture, MaskSet, NoLabelsError
from training.datasets.folders import read_masks, read_pictures
from training.nets.unet import STRIDES
from training.recipes.export import INPUT, OUTPUT, export, write_manifest
from training.recipes.job import Job, choose_device
from training.recipes.loop import Plan
from training.recipes.mask_teachers import planes_by_teacher
from training.recipes.segmenter import Recipe, train_segmenter
from training.recipes.start import begin
from training.recipes.teachers import labels_to_learn

log = logging.getLogger(__name__)

MULTIPLE = max(STRIDES)  # of a view's sides
HEAD = "logits."  # the layer of which each plane has a row


def train_masks(job: Job, found: MaskSet, recipe: Recipe, plan: Plan, **keys: Any) -> Path:
    """Trains a segmenter on the images that are not held out; returns its manifest.

    Args:
        job: what is asked.
        found: all images.
        recipe: what is trained, on which views.
        plan: how long and how fast, before the job's changes.
        keys: of the manifest, ``threshold`` among them.

    Raises:
        DatasetError: no image is left to learn from.
        ModelUnavailableError: the start is not available anywhere.
        TrainingError: training cannot continue.
    """
    learnt = [picture for picture in found.pictures if not picture.is_held_out]
    if not any(picture.planes for picture in learnt):
        raise DatasetError(f"{job.data}: expected masks to learn from, found none")
    log.info("%d images to learn, %d held out", len(learnt), len(found.pictures) - len(learnt))
    plan = job.plan(plan)
    recipe = resized(recipe, job.size(recipe.size[0], MULTIPLE))
    torch.manual_seed(plan.seed)
    network = recipe.network(len(found.labels))
    begin(network, job.start or "imagenet", found.labels, HEAD)
    kept = MaskSet(found.labels, tuple(learnt))
    trained = train_segmenter(network, kept, recipe, plan, job.work, choose_device(job.device))
    weights = job.folder / f"{job.model}.onnx"
    export(trained, recipe.size, weights)
    return write_manifest(
        weights,
        job.model,
        task=Planes.task,
        licence=job.licence,
        source=f"mirante train {job.recipe}, {plan.views} views of {len(learnt)} pictures",
        input={"name": INPUT, "size": list(recipe.size), "scale": 1 / 255},
        decoder="sigmoid",
        options={"logits": True, "planes": {OUTPUT: list(found.labels)}},
        labels=list(found.labels),
        **{"summary": ", ".join(found.labels)} | keys,
    )


def resized(recipe: Recipe, width_px: int) -> Recipe:
    """The recipe at another width, its aspect kept as far as the height's multiples allow."""
    width, height = recipe.size
    high = max(1, round(height * width_px / width / MULTIPLE)) * MULTIPLE
    return replace(recipe, size=(width_px, high))


def own_set(job: Job) -> MaskSet:
    """A user's images: what people drew, and what the teachers add.

    Raises:
        DatasetError: there are neither masks nor teachers, or no images.
        ManifestError: a teacher is no segmenter.
    """
    try:
        found = read_masks(job.data)
    except NoLabelsError:
        if not job.labels:
            raise
        found = MaskSet((), ())
    labels = labels_to_learn(found.labels, job.labels, job.teachers, Planes)
    bare = _without_masks(job, found)
    if bare and not job.teachers:
        log.warning("%d images have no mask and are left out", len(bare))
    drawn = (*found.pictures, *(bare if job.teachers else ()))
    planes = {picture.path: dict(picture.planes) for picture in drawn}
    for teacher in job.teachers:
        known = set(engines.manifest.find(teacher).labels) & set(labels)
        for path, seen in planes_by_teacher(teacher, list(planes), job.work).items():
            planes[path] = {label: seen[label] for label in known} | planes[path]
    pictures = [replace(picture, planes=planes[picture.path]) for picture in drawn]
    return MaskSet(labels, tuple(pictures))


def _without_masks(job: Job, found: MaskSet) -> list[MaskPicture]:
    """The images of the folder that nobody has drawn anything for."""
    drawn = {picture.path for picture in found.pictures}
    return [
        MaskPicture(alone.path, alone.group, {}, alone.own_split)
        for alone in read_pictures(job.data)
        if alone.path not in drawn
    ]
