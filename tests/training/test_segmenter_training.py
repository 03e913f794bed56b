"""Learning masks: what the loss says, and a toy set to the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")
from torch import Tensor

import engines
from engines.store.models import resolve_file
from tests.support.images import read_image
from training.datasets import DatasetError, MaskPicture, MaskSet
from training.datasets.folders import read_masks
from training.nets.unet import UNet
from training.recipes.checkpoint import TrainingError
from training.recipes.export import export, stored_weights
from training.recipes.job import Changes, Job
from training.recipes.labels import write
from training.recipes.loop import Plan
from training.recipes.mask_views import Camera, MaskViews, collate_masks
from training.recipes.masks import HEAD, own_set, resized, train_masks
from training.recipes.road import RECIPE as RECIPE_OF_ROAD
from training.recipes.road import train_road
from training.recipes.segmenter import Recipe, mask_loss, train_segmenter
from training.recipes.start import begin

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
CAMERA = Camera(scale=(1, 1.2), aspect=0.1, shift=0, light=0.3)
RECIPE = Recipe(size=(64, 48), camera=CAMERA, widths=(16, 12, 8), depth=1)
QUICK: dict[str, Any] = {
    "batch": 8,
    "rate": 1.2e-2,
    "warmup": 10,
    "ema": 0.9,
    "every": 100,
    "workers": 0,
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)  # so small a network gains nothing from more


def drawn(folder: Path, count: int = 24) -> MaskSet:
    """Grey images with a red disc, and a mask of it beside each."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(2)
    pictures = []
    for number in range(count):
        picture = random.integers(90, 150, (60, 80, 3)).astype(np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        at, radius = (int(random.integers(20, 60)), int(random.integers(15, 45))), 13
        cv2.circle(picture, at, radius, (30, 30, 220), -1)
        cv2.circle(mask, at, radius, 255, -1)
        stem = f"p{number:02}"
        cv2.imwrite(str(folder / f"{stem}.png"), picture)
        cv2.imwrite(str(folder / f"{stem}_disc.png"), mask)
        planes = {"disc": folder / f"{stem}_disc.png"}
        pictures.append(MaskPicture(folder / f"{stem}.png", stem, planes))
    return MaskSet(("disc",), tuple(pictures))


def small() -> UNet:
    torch.manual_seed(0)
    return UNet(1, RECIPE.widths, RECIPE.depth, width=0.25)


class TestLoss:
    wanted = torch.zeros(1, 2, 8, 8)
    wanted[:, :, 2:6, 2:6] = 1
    known, thin = torch.ones(1, 2, 8, 8), torch.ones(2)

    def loss(self, logits: Tensor, known: Tensor) -> float:
        return float(sum(mask_loss(logits, self.wanted, known, self.thin).values()))

    def test_what_is_right_costs_next_to_nothing(self) -> None:
        right = (self.wanted - 0.5) * 40
        assert self.loss(right, self.known) < 1e-3
        assert self.loss(-right, self.known) > 10

    def test_what_is_unknown_costs_nothing(self) -> None:
        logits = (self.wanted - 0.5) * 40
        logits[:, 0] *= -1
        known = self.known.clone()
        known[:, 0] = 0
        assert self.loss(logits, known) < 1e-3
        logits[:, 1, 0] *= -1
        known[:, 1, 0] = 0
        assert self.loss(logits, known) < 1e-3
        assert self.loss(logits, torch.zeros_like(known)) == 0

    def test_a_thin_planes_own_pixels_count_more(self) -> None:
        logits = torch.zeros(1, 2, 8, 8)
        plain = mask_loss(logits, self.wanted, self.known, self.thin)["entropy"]
        heavy = mask_loss(logits, self.wanted, self.known, torch.tensor([1.0, 3.0]))["entropy"]
        # A quarter of one of two planes' pixels costs three times as much.
        assert float(heavy / plain) == pytest.approx(1 + 2 * 0.25 / 2)


@pytest.mark.full
def test_the_loss_falls_on_a_toy_set(tmp_path: Path) -> None:
    pictures = drawn(tmp_path / "data")
    network = small()
    views = MaskViews(pictures.pictures, ("disc",), RECIPE.size, 9, CAMERA)
    shown, wanted, known = (p.float() / 255 for p in collate_masks([views[n] for n in range(16)]))

    def loss(net: UNet) -> float:
        with torch.no_grad():
            terms = mask_loss(net.eval()(shown), wanted, known, torch.ones(1))
        return float(sum(terms.values()))

    before = loss(network)
    trained = train_segmenter(
        network, pictures, RECIPE, Plan(views=400, **QUICK), tmp_path / "work", CPU
    )
    assert loss(trained) < 0.5 * before


def test_the_exported_file_says_what_the_network_says(tmp_path: Path) -> None:
    """At another size than it was made with, too."""
    network = small().eval()
    export(network, RECIPE.size, tmp_path / "toy.onnx", half=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "toy.onnx"))
    noise = torch.rand(1, 3, 96, 160)
    with torch.no_grad():
        expected = network(noise).numpy()
    got = session.run(["output"], {"images": noise.numpy()})[0]
    assert got.shape == (1, 1, 96, 160)
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def job(tmp_path: Path, **keys: Any) -> Job:
    drawn(tmp_path / "data")
    return job_of(tmp_path, **keys)


def job_of(tmp_path: Path, **keys: Any) -> Job:
    changes = keys.pop("changes", Changes(views=8, **QUICK))
    return Job(
        "road",
        tmp_path / "data",
        tmp_path / "out",
        "discs",
        "cpu",
        start="nothing",
        changes=changes,
        **keys,
    )


def train_discs(asked: Job) -> Path:
    return train_masks(asked, own_set(asked), RECIPE, Plan(views=1), threshold=0.5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path]:
    """A training on a user's own folder, and the manifest of its model."""
    asked = job(tmp_path_factory.mktemp("trained"), changes=Changes(views=200, **QUICK))
    return asked, train_discs(asked)


def test_a_users_own_folder_becomes_a_model_that_runs(trained: tuple[Job, Path]) -> None:
    _, manifest = trained
    model = engines.load(str(manifest))
    assert model.labels == ("disc",)
    rgb = np.full((60, 80, 3), 120, np.uint8)
    cv2.circle(rgb, (30, 25), 13, (220, 30, 30), -1)
    found = model(rgb).masks[0].on_frame("disc", 80, 60)
    assert found[25, 30]
    assert 0.5 < found.sum() / (np.pi * 13**2) < 2


def test_the_road_recipe_takes_a_users_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16, whatever the processor of the test has."""
    monkeypatch.setattr(
        "training.recipes.loop.lean", lambda device: torch.autocast(device.type, torch.bfloat16)
    )
    manifest = train_road(job(tmp_path, size_px=64))
    read = engines.manifest.read(manifest)
    assert read.labels == ("disc",)
    assert read.input.size == (64, 32)
    assert read.licence == "LicenseRef-own"


def test_a_teacher_adds_what_it_knows_and_takes_nothing_away(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="teacher test-lane: knows none of disc"):
        own_set(job(tmp_path, teachers=("test-lane",)))
    taught = own_set(job(tmp_path, teachers=("test-lane",), labels=("lane",)))
    assert taught.labels == ("disc", "lane")
    assert len(taught.pictures) == 24
    for picture in taught.pictures:
        assert set(picture.planes) == {"disc", "lane"}
        assert picture.planes["disc"] == tmp_path / "data" / f"{picture.path.stem}_disc.png"
    masks = sorted((tmp_path / "data").glob("*_disc.png"))
    for mask in masks[:4]:
        mask.unlink()
    some = own_set(job_of(tmp_path, teachers=("test-lane",), labels=("lane",)))
    assert sorted(len(picture.planes) for picture in some.pictures) == [1] * 4 + [2] * 20
    assert len(own_set(job_of(tmp_path)).pictures) == 20
    for mask in masks[4:]:
        mask.unlink()
    alone = own_set(job_of(tmp_path, teachers=("test-lane",), labels=("lane",)))
    assert alone.labels == ("lane",)
    assert len(alone.pictures) == 24
    with pytest.raises(DatasetError, match="classes: lane need a teacher"):
        own_set(job(tmp_path, labels=("lane",)))


def test_a_width_that_the_network_cannot_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size: expected a multiple of 16, got 100"):
        train_road(job(tmp_path, size_px=100))


def test_a_changed_picture_is_another_training(trained: tuple[Job, Path]) -> None:
    asked, _ = trained
    path = min(asked.data.glob("p??.png"))
    cv2.imwrite(str(path), 255 - read_image(path))
    with pytest.raises(TrainingError, match="pictures: "):
        train_discs(asked)


def test_another_width_keeps_the_aspect() -> None:
    assert resized(RECIPE, 64).size == (64, 48)
    assert resized(Recipe(size=(320, 192)), 416).size == (416, 256)


def test_a_users_planes_keep_what_the_shipped_model_knows_of_them() -> None:
    shipped = engines.manifest.find("road")
    stored = stored_weights(resolve_file(shipped))["logits.weight"]
    network = RECIPE_OF_ROAD.network(2)
    fresh = network.logits.weight[0].clone()
    begin(network, "road", ("puddle", "road"), HEAD)
    assert torch.equal(network.logits.weight[1], stored[shipped.labels.index("road")])
    assert torch.equal(network.logits.weight[0], fresh)
    assert network.backbone.pretrained
    with pytest.raises(DatasetError, match="start road: expected a model that is a UNet of"):
        begin(small(), "road", ("disc",), HEAD)


def test_a_recipes_masks_as_a_folder(tmp_path: Path) -> None:
    learnt = drawn(tmp_path / "data", 3)
    write(list(learnt.pictures), tmp_path / "labels")
    again = read_masks(tmp_path / "labels")
    assert again.labels == ("disc",)
    assert [picture.path.name for picture in again.pictures] == ["p00.png", "p01.png", "p02.png"]
    for old, new in zip(learnt.pictures, again.pictures, strict=True):
        assert new.planes["disc"].read_bytes() == old.planes["disc"].read_bytes()
