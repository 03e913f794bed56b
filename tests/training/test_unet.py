"""The U-Net's shapes and sizes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")

from training.nets.unet import UNet
from training.recipes import face, road


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        (road.RECIPE.network(len(road.LABELS)), 570_307),
        (face.RECIPE.network(len(face.LABELS)), 570_257),
    ],
)
def test_the_shipped_networks_have_as_many_parameters_as_their_cards_say(
    recipe: UNet, count: int
) -> None:
    assert sum(p.numel() for p in recipe.parameters()) == count


@pytest.mark.parametrize("widths", [(16, 12, 8), (16, 12, 8, 8)])
@pytest.mark.parametrize("depth", [1, 2])
def test_logits_are_of_the_pictures_size(widths: tuple[int, ...], depth: int) -> None:
    network = UNet(2, widths, depth, width=0.25).eval()
    assert network(torch.rand(2, 3, 48, 80)).shape == (2, 2, 48, 80)


def test_every_skip_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the encoder's maps, and the image where the decoder ends there, moves the mask."""
    network = UNet(1, (16, 12, 8, 8), width=0.25).eval()
    maps = [m.detach().requires_grad_() for m in network.backbone(torch.rand(1, 3, 64, 64))]
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    monkeypatch.setattr(network.backbone, "forward", lambda _: maps)
    network(picture).sum().backward()
    for used in (*maps, picture):
        assert used.grad is not None
        assert used.grad.abs().sum() > 0


@pytest.mark.parametrize("widths", [(16,), (16, 12, 8, 8, 8)])
def test_a_decoder_has_three_or_four_strides(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"widths: expected 3 or 4, got \["):
        UNet(1, widths)
