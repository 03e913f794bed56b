"""Assign cells to objects (task-aligned assignment, Feng et al. 2021, TOOD)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ALPHA, BETA = 0.5, 6.0  # weight of the score and of the overlap, as in the paper's code
CELLS_PER_OBJECT = 10
LEAST_REACH_PX = 4.5  # an object smaller than the finest cell still has one


class Targets(NamedTuple):
    """The targets of one image's cells.

    Attributes:
        scores: (n, classes) in 0..1.
        boxes: (n, 4) xyxy, meant only where a score is above 0.
    """

    scores: Tensor
    boxes: Tensor


def assign(boxes: Tensor, scores: Tensor, cells: Tensor, truth: Tensor) -> Targets:
    """Targets of one image.

    An object is given to the cells inside it that already tell it best, by score and overlap; the
    best of them should say the object's own score times its overlap, the others less in proportion.

    Args:
        boxes: (n, 4) xyxy that the cells say now.
        scores: (n, classes) after the sigmoid.
        cells: (n, 2) centres in pixels.
        truth: (m, 6) xyxy, class, score.
    """
    wanted, targets = torch.zeros_like(scores), torch.zeros_like(boxes)
    if not len(truth):
        return Targets(wanted, targets)
    xyxy, kind, sure = truth[:, :4], truth[:, 4].long(), truth[:, 5]
    middle = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    reach = ((xyxy[:, 2:] - xyxy[:, :2]) / 2).clamp(min=LEAST_REACH_PX)
    inside = ((cells[None] - middle[:, None]).abs() < reach[:, None]).all(dim=2)
    iou = overlap(xyxy[:, None], boxes[None]) * inside
    fitness = scores[:, kind].T.clamp(min=1e-4) ** ALPHA * iou**BETA
    best = fitness.topk(min(CELLS_PER_OBJECT, len(cells)), dim=1)
    chosen = torch.zeros_like(inside).scatter_(1, best.indices, best.values > 0)
    # A cell can answer for one object only: the one it overlaps most.
    owner = (iou * chosen).argmax(dim=0)
    taken = chosen.any(dim=0).nonzero()[:, 0]
    owner = owner[taken]
    mine = fitness[owner, taken]
    most = torch.zeros_like(sure).scatter_reduce_(0, owner, mine, "amax")
    overlaps = torch.zeros_like(sure).scatter_reduce_(0, owner, iou[owner, taken], "amax")
    share = mine / most[owner].clamp(min=1e-12)
    wanted[taken, kind[owner]] = sure[owner] * share * overlaps[owner]
    targets[taken] = xyxy[owner]
    return Targets(wanted, targets)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of broadcast (..., 4) xyxy boxes."""
    shared, union = _areas(a, b)
    return shared / union


def generalised_overlap(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019), -1..1: boxes that do not touch still know how far."""
    shared, union = _areas(a, b)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).clamp(min=0).prod(dim=-1).clamp(min=1e-7)
    return shared / union - (hull - union) / hull


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(dim=-1) for box in (a, b))
    return shared, (area_a + area_b - shared).clamp(min=1e-7)
