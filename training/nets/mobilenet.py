"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381) without its classifier."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from training.nets.blocks import ConvNorm, InvertedResidual

# Expansion, channels, repeats, stride of the first: table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """(b, 3, h, w) to one feature map for each stride, finest first.

    Images are RGB in 0..1, normalised inside by ImageNet's mean and deviation; h and w are
    multiples of the largest stride.

    Args:
        strides: which maps to give, of 2, 4, 8, 16 and 32. Blocks behind the last are not built.
        width: multiplies all channels.

    Attributes:
        channels: of each map.
        pretrained: whether its weights are ImageNet's.
        features: one block after the other; published ImageNet weights fit at width 1.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, strides: tuple[int, ...] = (8, 16, 32), width: float = 1.0) -> None:
        super().__init__()
        if unknown := set(strides) - {2, 4, 8, 16, 32}:
            raise ValueError(f"strides: expected of 2, 4, 8, 16, 32, got {sorted(unknown)}")
        self.pretrained = False
        self.register_buffer("mean", _colour(0.485, 0.456, 0.406), persistent=False)
        self.register_buffer("deviation", _colour(0.229, 0.224, 0.225), persistent=False)
        channels = _round(32 * width)
        features: list[nn.Module] = [ConvNorm(3, channels, 3, 2, activation=nn.ReLU6)]
        at_stride, last = [(2, channels)], 2
        for expansion, base, repeats, first_stride in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                outputs = _round(base * width)
                features.append(InvertedResidual(channels, outputs, stride, expansion))
                channels, last = outputs, last * stride
                at_stride.append((last, channels))
        # The last block of a stride sees most.
        taken = {stride: index for index, (stride, _) in enumerate(at_stride)}
        self.taken = [taken[stride] for stride in sorted(strides)]
        self.channels = [at_stride[index][1] for index in self.taken]
        self.features = nn.Sequential(*features[: self.taken[-1] + 1])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps (b, channels, h/stride, w/stride), finest first."""
        x = (x - self.mean) / self.deviation
        maps = []
        for index, block in enumerate(self.features):
            x = block(x)
            if index in self.taken:
                maps.append(x)
        return maps

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take over the blocks that are here from a whole classifier's state.

        Raises:
            RuntimeError: a block is missing there, or has another shape.
        """
        wanted = self.features.state_dict()
        found = {key.removeprefix("features."): value for key, value in state.items()}
        self.features.load_state_dict({key: found[key] for key in wanted if key in found})
        self.pretrained = True


def _colour(*values: float) -> Tensor:
    from torch import tensor

    return tensor(values).view(1, 3, 1, 1)


def _round(channels: float) -> int:
    """The nearest multiple of 8, never less than 90 % of what was asked: as the paper's code."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
