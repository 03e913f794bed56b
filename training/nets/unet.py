"""A U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) with a MobileNetV2 encoder.

The encoder sees ever more of the image at ever coarser strides; the decoder goes back up, and at
each stride is handed what the encoder knew there, so that the mask's edges lie where the image's
do. Batch norm and depthwise-separable convolutions are later than the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from training.nets.blocks import ConvNorm, Separable
from training.nets.mobilenet import MobileNetV2

STRIDES = (2, 4, 8, 16)


class UNet(nn.Module):
    """(b, 3, h, w) RGB in 0..1 to (b, planes, h, w) logits; h and w are multiples of 16.

    Args:
        planes: how many masks; they are independent and may overlap.
        widths: channels of the decoder at strides 8, 4 and 2, and at stride 1 where a fourth is
            given. With three the logits of stride 2 are interpolated.
        depth: convolutions at each stride.
        width: multiplies the encoder's channels.
    """

    def __init__(
        self,
        planes: int,
        widths: tuple[int, ...] = (64, 32, 24),
        depth: int = 1,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if len(widths) not in (3, 4):
            raise ValueError(f"widths: expected 3 or 4, got {list(widths)}")
        self.planes = planes
        self.backbone = MobileNetV2(STRIDES, width)
        *skips, channels = self.backbone.channels
        beside = [*reversed(skips), 3][: len(widths)]  # at stride 1 the skip is the image
        self.up = nn.ModuleList()
        for skip, outputs in zip(beside, widths, strict=True):
            self.up.append(Up(channels, skip, outputs, depth))
            channels = outputs
        self.logits = nn.Conv2d(channels, planes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, before any sigmoid."""
        y: Tensor
        *skips, y = self.backbone(x)
        for up, skip in zip(self.up, [*reversed(skips), x], strict=False):
            y = up(y, skip)
        y = self.logits(y)
        if y.shape[2:] != x.shape[2:]:
            y = f.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        return y


class Up(nn.Module):
    """(b, inputs, h, w) and a skip (b, skip, 2h, 2w) to (b, outputs, 2h, 2w)."""

    def __init__(self, inputs: int, skip: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.narrow = ConvNorm(inputs, outputs)  # before the concatenation, where pixels are few
        first = Separable(outputs + skip, outputs, kernel=3)
        rest = (Separable(outputs, outputs, kernel=3) for _ in range(depth - 1))
        self.convolve = nn.Sequential(first, *rest)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Upsample, concatenate, convolve."""
        x = f.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        y: Tensor = self.convolve(torch.cat([x, skip], dim=1))
        return y
