"""The blocks that the networks are built of."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and an activation: (b, inputs, h, w) to (b, outputs, h/s, w/s)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([activation()] if activation else []))


class Separable(nn.Sequential):
    """A depthwise, then a 1x1 convolution (MobileNet, Howard et al. 2017).

    It costs an eighth to a ninth of a full 3x3; a 5x5 depthwise kernel adds little to that.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 5, stride: int = 1) -> None:
        super().__init__(
            ConvNorm(inputs, inputs, kernel, stride, groups=inputs),
            ConvNorm(inputs, outputs),
        )


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow without an activation.

    Its layers are numbered in one flat row, as in the weights that are published for it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = ConvNorm(inputs, hidden, activation=nn.ReLU6) if expansion > 1 else ()
        filters = ConvNorm(hidden, hidden, 3, stride, groups=hidden, activation=nn.ReLU6)
        narrow = ConvNorm(hidden, outputs, activation=None)
        self.conv = nn.Sequential(*widen, *filters, *narrow)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h/stride, w/stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y
