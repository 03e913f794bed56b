"""The loss of a detector, with soft targets: a teacher's doubt is taught as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from engines.files import digest_of
from training.datasets import BoxPicture
from training.nets.yolo import STRIDES, Yolo, centres
from training.recipes.assign import assign, generalised_overlap
from training.recipes.checkpoint import fingerprint
from training.recipes.loop import Plan, train
from training.recipes.views import BoxViews, collate

BOX_WEIGHT = 2.0
FOCUS = 1.5  # of the focal factor: cells that are right already count little


def detection_loss(
    network: nn.Module, pictures: Tensor, truth: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Terms of the loss, to be summed.

    The score's is the quality focal loss (Li et al. 2020), the box's 1 - GIoU weighted by the
    score that the cell should have.

    Args:
        network: gives boxes and logits.
        images: (b, 3, h, w) RGB in 0..1.
        truth: of each image (m, 6) xyxy, class, score.
    """
    boxes, logits = (part.float() for part in network(pictures))
    height, width = pictures.shape[2:]
    cells = torch.cat([centres(height // s, width // s, s, pictures.device) for s in STRIDES])
    with torch.no_grad():
        targets = [
            assign(box, score, cells, rows.to(pictures.device))
            for box, score, rows in zip(boxes, logits.sigmoid(), truth, strict=True)
        ]
        wanted = torch.stack([target.scores for target in targets])
        aims = torch.stack([target.boxes for target in targets])
        weight = wanted.amax(dim=2)
        total = wanted.sum().clamp(min=1)
        focus = (logits.sigmoid() - wanted).abs() ** FOCUS
    score = (f.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * focus).sum()
    found = weight > 0
    gap = 1 - generalised_overlap(boxes[found], aims[found])
    return {"score": score / total, "box": BOX_WEIGHT * (gap * weight[found]).sum() / total}


def train_detector(
    network: Yolo,
    labels: tuple[str, ...],
    pictures: Sequence[BoxPicture],
    empty: Sequence[BoxPicture],
    size: int,
    plan: Plan,
    folder: Path,
    device: torch.device,
) -> Yolo:
    """Trains ``network`` on augmented views of ``pictures``; returns its moving average.

    Args:
        network: with the weights to start from.
        labels: of the classes.
        images: held in memory.
        empty: images in which nothing is; held in memory.
        size: side of a view in pixels, a multiple of 32.
        plan: how long and how fast.
        folder: for checkpoints; training continues where they end.
        device: where to train.
    """
    coarse = int(plan.coarse * plan.steps) * plan.batch
    views = BoxViews(pictures, network.classes, size, plan.seed, coarse, empty)

    def loss(network: nn.Module, batch: tuple[Tensor, list[Tensor]]) -> dict[str, Tensor]:
        shown, truth = batch
        shown = shown.to(device, memory_format=torch.channels_last).float() / 255
        return detection_loss(network, shown, truth)

    parts: list[str | bytes] = []
    for p in (*pictures, *empty):
        rows = (p.xyxy, p.class_id, p.score, p.crowd)
        parts += [digest_of(p.path), *(part.tobytes() for part in rows)]
    about = {"labels": list(labels), "size": size, "pictures": fingerprint(*parts)}
    return cast(Yolo, train(network, views, collate, loss, plan, about, folder, device))
