"""Learning boxes: who answers for what, what the loss says, and a toy set to the end."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")
from torch import Tensor

from tests.support.rectangles import drawn
from training.datasets import DatasetError
from training.nets.yolo import Columns, Head, Yolo
from training.recipes.assign import assign, generalised_overlap, overlap
from training.recipes.checkpoint import TrainingError
from training.recipes.detector import detection_loss, train_detector
from training.recipes.export import ExportError, export, stored_weights, write_manifest
from training.recipes.loop import Plan, lean, schedule, train
from training.recipes.start import begin
from training.recipes.views import BoxViews, collate

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
LABELS = ("red", "blue")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)  # so small a network gains nothing from more


def small(classes: int = 2) -> Yolo:
    torch.manual_seed(0)
    return Yolo(classes, width=0.25, neck=16, depth=1)


def test_the_shipped_network_has_as_many_parameters_as_its_card_says() -> None:
    assert sum(p.numel() for p in Yolo(7).parameters()) == 1_950_049


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_every_cell_of_three_strides_says_a_box(size: tuple[int, int]) -> None:
    height, width = size
    boxes, logits = small().eval()(torch.rand(2, 3, height, width))
    cells = height * width * (1 / 8**2 + 1 / 16**2 + 1 / 32**2)
    assert boxes.shape == (2, cells, 4)
    assert logits.shape == (2, cells, 2)
    assert bool((boxes[..., 2:] > boxes[..., :2]).all())


def test_overlap_by_hand() -> None:
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    assert overlap(a, b).tolist() == pytest.approx([1, 1 / 3, 0])
    # The hull of the last pair is 30 wide, 10 of which belong to neither.
    assert generalised_overlap(a, b).tolist() == pytest.approx([1, 1 / 3, -1 / 3])


class TestAssign:
    cells = torch.tensor([[4.0, 4], [12, 4], [4, 12], [12, 12], [100, 100]])

    def test_the_cell_that_tells_best_should_say_the_objects_score(self) -> None:
        boxes = torch.tensor([[0.0, 0, 16, 16]] * 5)
        boxes[1] = torch.tensor([0.0, 0, 16, 8])
        targets = assign(
            boxes, torch.full((5, 2), 0.5), self.cells, torch.tensor([[0.0, 0, 16, 16, 1, 0.8]])
        )
        assert targets.scores[:, 0].tolist() == [0] * 5
        assert targets.scores[0, 1].item() == pytest.approx(0.8)
        # Half the overlap, to the sixth power, of what the best should say.
        assert targets.scores[1, 1].item() == pytest.approx(0.8 / 2**6)
        assert targets.scores[4, 1] == 0, "outside"
        assert targets.boxes[0].tolist() == [0, 0, 16, 16]

    def test_a_cell_answers_for_the_object_that_it_overlaps_most(self) -> None:
        boxes = torch.tensor([[0.0, 0, 16, 16]] * 5)
        truth = torch.tensor([[0.0, 0, 16, 16, 0, 1.0], [0, 0, 30, 30, 1, 1.0]])
        targets = assign(boxes, torch.full((5, 2), 0.5), self.cells, truth)
        assert (targets.scores[:4, 0] > 0).all()
        assert (targets.scores[:, 1] == 0).all()

    def test_an_object_smaller_than_a_cell_still_has_one(self) -> None:
        boxes = torch.cat([self.cells - 2, self.cells + 2], dim=1)
        truth = torch.tensor([[7.5, 3.5, 9.0, 5.0, 0, 1.0]])
        targets = assign(boxes, torch.full((5, 2), 0.5), self.cells, truth)
        assert not targets.scores.any(), "no box overlaps it yet"
        boxes[0] = torch.tensor([7.0, 3, 9, 5])
        assert assign(boxes, torch.full((5, 2), 0.5), self.cells, truth).scores[0, 0] > 0

    def test_nothing_there_nothing_wanted(self) -> None:
        targets = assign(torch.zeros(5, 4), torch.full((5, 2), 0.9), self.cells, torch.zeros(0, 6))
        assert not targets.scores.any()


@pytest.mark.full
def test_the_loss_falls_on_a_toy_set(tmp_path: Path) -> None:
    pictures = drawn(tmp_path)
    network = small()
    shown, truth = collate([BoxViews(pictures, 2, 64, seed=9)[number] for number in range(16)])

    def loss(net: Yolo) -> float:
        with torch.no_grad():
            return float(sum(detection_loss(net.eval(), shown.float() / 255, truth).values()))

    before = loss(network)
    plan = Plan(views=400, batch=8, rate=2e-2, warmup=5, ema=0.9, every=50, workers=0)
    trained = train_detector(network, LABELS, pictures, [], 64, plan, tmp_path / "work", CPU)
    assert loss(trained) < 0.85 * before


@pytest.mark.parametrize(("rate", "half"), [(0.0, False), (1e-2, True)])
def test_a_pretrained_backbone_learns_unless_its_rate_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, half: bool
) -> None:
    """In full precision and in bfloat16, whatever the processor of the test has."""
    numbers = (lambda: torch.autocast("cpu", torch.bfloat16)) if half else nullcontext
    monkeypatch.setattr("training.recipes.loop.lean", lambda device: numbers())
    network = small()
    network.backbone.pretrained = True
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plan = Plan(views=16, batch=4, backbone_rate=rate, warmup=0, ema=0.5, workers=0)
    pictures = drawn(tmp_path, 4)
    after = train_detector(network, LABELS, pictures, [], 64, plan, tmp_path / "work", CPU)
    moved = {name for name, value in after.state_dict().items() if not value.equal(before[name])}
    assert any(name.startswith("heads.") for name in moved)
    assert any(name.startswith("backbone.") for name in moved) == (rate > 0)


@pytest.mark.parametrize(
    ("half", "gap"), [pytest.param(False, 1e-4, marks=pytest.mark.full), (True, 2e-2)]
)
def test_the_exported_file_says_what_the_network_says(
    tmp_path: Path, half: bool, gap: float
) -> None:
    """At another size than it was made with, too."""
    network = Columns(small()).eval()
    export(network, (64, 64), tmp_path / "toy.onnx", half)
    session = onnxruntime.InferenceSession(str(tmp_path / "toy.onnx"))
    noise = torch.rand(1, 3, 96, 160)
    with torch.no_grad():
        expected = network(noise).numpy()
    got = session.run(["output"], {"images": noise.numpy()})[0]
    np.testing.assert_allclose(got, expected, atol=gap * expected.max())


def test_an_export_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recipes.export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"toy\.onnx: differs from PyTorch by"):
        export(torch.nn.Conv2d(3, 4, 3), (64, 64), tmp_path / "toy.onnx")


def four_steps(folder: Path) -> Yolo:
    plan = Plan(views=16, batch=4, warmup=1, coarse=0.5, every=2, workers=0)
    return train_detector(small(), LABELS, drawn(folder, 4), [], 64, plan, folder / "work", CPU)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Yolo:
    return four_steps(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("cut", ["power", "Ctrl-C"])
def test_going_on_from_a_checkpoint_ends_where_one_run_does(
    whole: Yolo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    steps = 0

    def cut_short(*arguments: Any) -> dict[str, Any]:
        nonlocal steps
        steps += 1
        if steps == 3:
            if cut == "power":
                raise MemoryError
            os.kill(os.getpid(), signal.SIGINT)
        return detection_loss(*arguments)

    monkeypatch.setattr("training.recipes.detector.detection_loss", cut_short)
    with pytest.raises(MemoryError if cut == "power" else KeyboardInterrupt):
        four_steps(tmp_path)
    resumed = four_steps(tmp_path)
    assert steps == 3 + {"power": 4 - 2, "Ctrl-C": 4 - 3}[cut]
    reached = resumed.state_dict()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(reached[name], value, msg=name)


def test_a_checkpoint_about_something_else_is_refused(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, 2)
    plan = Plan(views=4, batch=4, every=1, workers=0)
    train_detector(small(), LABELS, pictures, [], 64, plan, tmp_path / "work", CPU)
    path = tmp_path / "work" / "last.pt"
    state = torch.load(path, weights_only=True)
    # It is refused before its weights are looked at, which take long to read each time.
    torch.save({"about": state["about"], "step": state["step"]}, path)

    def said(**other: Any) -> str:
        asked: dict[str, Any] = {
            "network": small(), "labels": LABELS, "pictures": pictures, "empty": [], "size": 64,
            "plan": plan,
        } | other  # fmt: skip
        with pytest.raises(TrainingError) as error:
            train_detector(**asked, folder=tmp_path / "work", device=CPU)
        return str(error.value)

    assert "labels: ['red', 'blue'] was learnt, ['blue', 'red'] is asked" in said(
        labels=("blue", "red")
    )
    assert "size: 64 was learnt, 96 is asked" in said(size=96)
    assert "seed: 0 was learnt, 1 is asked" in said(plan=replace(plan, seed=1))
    assert "pictures: " in said(pictures=pictures[:1])
    crowded = replace(pictures[1], crowd=np.array([[0, 0, 9, 9, 0]], np.float32))
    assert "pictures: " in said(pictures=[pictures[0], crowded])
    assert "pictures: " in said(empty=pictures[:1])
    assert "weights at the start: " in said(network=Yolo(2, width=0.25, neck=16, depth=1))
    cv2.imwrite(str(pictures[1].path), np.zeros((90, 120, 3), np.uint8))
    assert "pictures: " in said()


def test_a_loss_that_is_not_finite_ends_it(tmp_path: Path) -> None:
    views = BoxViews(drawn(tmp_path, 2), 2, 64, 0)
    plan = Plan(views=4, batch=4, workers=0)
    with pytest.raises(TrainingError, match="step 0: the loss is nan"):
        train(
            small(), views, collate, lambda net, _: {"x": next(net.parameters()).sum() * np.nan},
            plan, {}, tmp_path / "work", CPU,
        )  # fmt: skip


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_used_by_a_processor_that_does_not_emulate_it(
    monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_supported", lambda: True)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    with lean(CPU):
        assert torch.is_autocast_enabled("cpu") == has


def test_the_learning_rate_goes_up_and_comes_down() -> None:
    plan = Plan(views=1600, batch=16, warmup=10)
    shares = [schedule(step, plan) for step in range(plan.steps)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == shares[10] == pytest.approx(1)
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[-1] < 0.02


def scores_of(network: Yolo) -> Tensor:
    """The weights of the scores of the first head."""
    head = network.heads[0]
    assert isinstance(head, Head)
    return head.scores.weight


def test_training_goes_on_from_an_exported_file(tmp_path: Path) -> None:
    network = small()
    for value in network.state_dict().values():  # what is equal would be stored once
        if value.is_floating_point():
            value.add_(torch.rand_like(value) / 10)
    weights = tmp_path / "begun.onnx"
    export(Columns(network), (64, 64), weights, half=False)
    stored = stored_weights(weights)
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(stored[name], value, msg=name)
    manifest = write_manifest(
        weights, "begun", task="detect", licence="Apache-2.0", input={"name": "images",
        "size": [64, 64], "scale": 1 / 255}, decoder="yolov8", labels=["a", "b"], threshold=0.2,
    )  # fmt: skip
    torch.manual_seed(1)
    other = Yolo(3, width=0.25, neck=16, depth=1)
    fresh = scores_of(other)[1].clone()
    begin(other, str(manifest), ("b", "new", "a"), ".scores.")
    old = scores_of(network)
    torch.testing.assert_close(scores_of(other)[0], old[1])
    torch.testing.assert_close(scores_of(other)[2], old[0])
    torch.testing.assert_close(scores_of(other)[1], fresh)
    torch.testing.assert_close(other.neck.state_dict(), network.neck.state_dict())


def test_a_start_of_another_kind_is_refused() -> None:
    with pytest.raises(DatasetError, match="start test-boxes: expected a model that is a Yolo"):
        begin(small(), "test-boxes", ("a", "b"), ".scores.")
