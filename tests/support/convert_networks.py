"""Small networks to import, by name: ``convert_networks:planes``."""

from __future__ import annotations

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import Tensor, nn

from training.nets.unet import UNet


def planes() -> nn.Module:
    """Our U-Net, narrow, of two planes."""
    torch.manual_seed(0)
    return UNet(2, (16, 12, 8), width=0.25)


def dots() -> nn.Module:
    """Two planes of few layers, for what any network shows."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)
    )


def wide() -> nn.Module:
    """Our U-Net of other widths, a depth of two, four classes."""
    torch.manual_seed(0)
    return UNet(4, (24, 16, 12, 8), 2, width=0.5)


class Scores(nn.Module):
    """One number a class: as small as a classifier can be."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 4, 3, padding=1)

    @property
    def bias(self) -> Tensor:
        assert self.layer.bias is not None
        return self.layer.bias

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layer(pictures).relu().mean((2, 3))


def scores() -> Scores:
    return Scores()


class Branching(Scores):
    """What it computes depends on what it sees: a tracer follows one way only."""

    def forward(self, pictures: Tensor) -> Tensor:
        bright = super().forward(pictures)
        return bright if pictures.mean() > 0.3 else bright * 2 + 1


def branching() -> nn.Module:
    return Branching()


class Several(nn.Module):
    """Two outputs in a mapping, and what is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Scores().layer

    def forward(self, pictures: Tensor) -> dict[str, Tensor | None]:
        found = self.layer(pictures)
        planes = {"road": found[:, :2], "lane": found[:, 2:], "loss": None}
        return OrderedDict(planes)


def several() -> nn.Module:
    return Several()


class Channels(Scores):
    """Channels last, as few write them."""

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures.permute(0, 3, 1, 2))


def channels_last() -> nn.Module:
    return Channels()


def no_module() -> int:
    return 3


def failing() -> nn.Module:
    raise RuntimeError("no configuration found")
