"""The loss of a segmenter, and its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from engines.files import digest_of
from training.datasets import MaskSet
from training.nets.unet import UNet
from training.recipes.checkpoint import fingerprint
from training.recipes.loop import Plan, train
from training.recipes.mask_views import Camera, MaskViews, Views, collate_masks

SMOOTH_PX = 50.0  # added above and below in Dice: a plane that is empty says little by one pixel


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe: the network to train, and the views that it is shown.

    Attributes:
        size: width and height of a view in pixels, multiples of 16.
        camera: how views differ from their images.
        thin: by label, how much more the plane's own pixels count: over 1 for lines.
        odds: how often images of a set are shown relative to others; a set is what comes before
            the first slash of an image's group.
        widths: of the decoder, as ``UNet`` takes them.
        depth: of the decoder.
    """

    size: tuple[int, int]
    camera: Camera = Camera()  # noqa: RUF009
    thin: Mapping[str, float] = field(default_factory=dict)
    odds: Mapping[str, float] = field(default_factory=dict)
    widths: tuple[int, ...] = (64, 32, 24)
    depth: int = 2

    def network(self, planes: int) -> UNet:
        """A new network of this shape."""
        return UNet(planes, self.widths, self.depth)


def mask_loss(logits: Tensor, wanted: Tensor, known: Tensor, thin: Tensor) -> dict[str, Tensor]:
    """Terms of the loss, to be summed.

    Cross entropy looks at each pixel, soft Dice (Milletari et al. 2016, V-Net) at each plane as a
    whole, so that a plane of few pixels counts as much as a large one.

    Args:
        logits: (b, planes, h, w).
        wanted: the same shape, probabilities.
        known: the same shape, 1 where ``wanted`` is meant, 0 elsewhere.
        thin: (planes,) how much more a pixel that is on the plane counts than one that is not.
    """
    weight = known * (1 + (thin.view(1, -1, 1, 1) - 1) * wanted)
    cross = f.binary_cross_entropy_with_logits(logits, wanted, weight, reduction="none")
    seen = known.sum(dim=(2, 3))
    entropy = cross.sum(dim=(2, 3)) / seen.clamp(min=1)
    found = logits.sigmoid() * known
    both = (found * wanted).sum(dim=(2, 3))
    either = found.sum(dim=(2, 3)) + (wanted * known).sum(dim=(2, 3))
    dice = 1 - (2 * both + SMOOTH_PX) / (either + SMOOTH_PX)
    planes = (seen > 0).float()
    count = planes.sum().clamp(min=1)
    return {"entropy": (entropy * planes).sum() / count, "dice": (dice * planes).sum() / count}


def train_segmenter(
    network: UNet,
    pictures: MaskSet,
    recipe: Recipe,
    plan: Plan,
    folder: Path,
    device: torch.device,
) -> UNet:
    """Trains a ``UNet`` on augmented views of images.

    Args:
        network: on the CPU, with the weights to start from.
        images: held in memory.
        recipe: what it is shown.
        plan: how long and how fast.
        folder: for checkpoints; training continues where they end.
        device: where to train.
    """
    labels = pictures.labels
    odds = [recipe.odds.get(of.group.split("/")[0], 1.0) for of in pictures.pictures]
    views = MaskViews(pictures.pictures, labels, recipe.size, plan.seed, recipe.camera, odds)
    thin = torch.tensor([recipe.thin.get(label, 1.0) for label in labels], device=device)

    def loss(network: nn.Module, batch: Views) -> dict[str, Tensor]:
        shown, wanted, known = (part.to(device).float() / 255 for part in batch)
        logits = network(shown.contiguous(memory_format=torch.channels_last))
        return mask_loss(logits.float(), wanted, known, thin)

    parts = [
        part
        for picture in pictures.pictures
        for label, path in sorted({**picture.planes, "": picture.path}.items())
        for part in (label, digest_of(path))
    ]
    about = {
        "labels": list(labels),
        "size": list(recipe.size),
        "widths": list(recipe.widths),
        "pictures": fingerprint(*parts),
    }
    return cast(UNet, train(network, views, collate_masks, loss, plan, about, folder, device))
