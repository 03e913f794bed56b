"""A small anchor-free YOLO on MobileNetV2.

The ideas: a grid cell answers for the object around it (YOLO, Redmon et al. 2016) by its distances
to the four sides (FCOS, Tian et al. 2019); maps of three strides exchange what they know downwards
(FPN, Lin et al. 2017) and upwards (PAN, Liu et al. 2018); class and box have branches of their own
(YOLOX, Ge et al. 2021).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from training.nets.blocks import ConvNorm, Separable
from training.nets.mobilenet import MobileNetV2

STRIDES = (8, 16, 32)
RARE = 0.01  # a new cell's score: most cells hold nothing, and the first steps should know it


class Yolo(nn.Module):
    """(b, 3, h, w) RGB in 0..1 to boxes and class scores of every cell; h, w multiples of 32.

    Args:
        classes: how many.
        width: multiplies the backbone's channels.
        neck: channels of the neck and the head.
        depth: convolutions in each branch of the head.
    """

    def __init__(self, classes: int, width: float = 1.0, neck: int = 64, depth: int = 2) -> None:
        super().__init__()
        self.classes = classes
        self.backbone = MobileNetV2(STRIDES, width)
        self.neck = Neck(self.backbone.channels, neck)
        self.heads = nn.ModuleList(Head(neck, classes, depth) for _ in STRIDES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes and logits of each cell, before any threshold.

        Returns:
            (b, n, 4) left, top, right, bottom in pixels of ``x``, and (b, n, classes) logits; the
            n cells are row by row, stride 8 first.
        """
        boxes, logits = [], []
        maps = self.neck(self.backbone(x))
        for stride, head, level in zip(STRIDES, self.heads, maps, strict=True):
            sides, scores = head(level)
            height, width = level.shape[2:]
            centre = centres(height, width, stride, x.device)
            reach = f.softplus(sides.flatten(2).transpose(1, 2)) * stride
            boxes.append(torch.cat([centre - reach[..., :2], centre + reach[..., 2:]], dim=-1))
            logits.append(scores.flatten(2).transpose(1, 2))
        return torch.cat(boxes, dim=1), torch.cat(logits, dim=1)


class Neck(nn.Module):
    """Three maps of any channels to three of ``channels``, each knowing of the others."""

    def __init__(self, inputs: list[int], channels: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(ConvNorm(count, channels) for count in inputs)
        self.down = nn.ModuleList(Separable(channels, channels) for _ in inputs[1:])
        self.shrink = nn.ModuleList(Separable(channels, channels, stride=2) for _ in inputs[1:])
        self.up = nn.ModuleList(Separable(channels, channels) for _ in inputs[1:])

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Finest first, in and out."""
        maps = [narrow(level) for narrow, level in zip(self.narrow, maps, strict=True)]
        for i in range(len(maps) - 2, -1, -1):
            wide = f.interpolate(maps[i + 1], scale_factor=2.0, mode="nearest")
            maps[i] = self.down[i](maps[i] + wide)
        for i in range(1, len(maps)):
            maps[i] = self.up[i - 1](maps[i] + self.shrink[i - 1](maps[i - 1]))
        return maps


class Head(nn.Module):
    """(b, channels, h, w) to (b, 4, h, w) sides and (b, classes, h, w) logits."""

    def __init__(self, channels: int, classes: int, depth: int) -> None:
        super().__init__()
        self.box = nn.Sequential(*(Separable(channels, channels) for _ in range(depth)))
        self.kind = nn.Sequential(*(Separable(channels, channels) for _ in range(depth)))
        self.sides = nn.Conv2d(channels, 4, 1)
        self.scores = nn.Conv2d(channels, classes, 1)
        nn.init.constant_(self.sides.bias, 2.0)  # type: ignore[arg-type]
        nn.init.constant_(self.scores.bias, -math.log((1 - RARE) / RARE))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sides before softplus, class scores before the sigmoid."""
        return self.sides(self.box(x)), self.scores(self.kind(x))


def centres(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """(height * width, 2) x, y of the cells' centres in pixels, row by row."""
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    return (torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5) * stride


class Columns(nn.Module):
    """A ``Yolo`` as it is exported: (b, 3, h, w) to (b, 4 + classes, n).

    A column holds centre x, centre y, width, height in pixels and class scores in 0..1, which is
    what the decoder ``yolov8`` reads.
    """

    def __init__(self, network: Yolo) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """One column for each of the n cells."""
        boxes, logits = self.network(x)
        low, high = boxes[..., :2], boxes[..., 2:]
        return torch.cat([(low + high) / 2, high - low, logits.sigmoid()], dim=-1).transpose(1, 2)
