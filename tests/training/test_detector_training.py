"""Learning boxes: who answers for what, what the loss says, views, and a toy set to the end."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")
from torch import Tensor

from training.datasets import BoxPicture, DatasetError
from training.nets.yolo import Columns, Head, Yolo
from training.recipes.assign import assign, generalised_overlap, overlap
from training.recipes.checkpoint import TrainingError
from training.recipes.detector import detection_loss, train_detector
from training.recipes.export import ExportError, export, stored_weights, write_manifest
from training.recipes.loop import Plan, schedule, train
from training.recipes.start import begin
from training.recipes.views import PAD, BoxViews, _without_crowds, collate, reduced, repeat_factors

pytestmark = pytest.mark.slow

RED, BLUE = (255, 0, 0), (0, 0, 255)
CPU = torch.device("cpu")
LABELS = ("red", "blue")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # so small a network gains nothing from more


def drawn(path: Path, count: int = 12) -> list[BoxPicture]:
    """Images of red (class 0) and blue (class 1) rectangles on grey."""
    random = np.random.default_rng(5)
    pictures = []
    for number in range(count):
        rgb = np.full((90, 120, 3), int(random.integers(90, 160)), np.uint8)
        kind = number % 2
        left, top = int(random.integers(5, 60)), int(random.integers(5, 40))
        box = (left, top, left + int(random.integers(25, 55)), top + int(random.integers(20, 45)))
        cv2.rectangle(rgb, box[:2], (box[2] - 1, box[3] - 1), (RED, BLUE)[kind], -1)
        file = path / f"{number:02}.png"
        cv2.imwrite(str(file), rgb[:, :, ::-1])
        pictures.append(
            BoxPicture(file, file.stem, rows(*box), np.array([kind]), np.ones(1, np.float32))
        )
    return pictures


def rows(*box: float) -> NDArray[np.float32]:
    return np.array([box], np.float32)


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


class TestViews:
    def test_the_number_and_the_seed_say_all(self, tmp_path: Path) -> None:
        pictures = drawn(tmp_path)
        one, two = (BoxViews(pictures, 2, 96, seed=3) for _ in range(2))
        for number in (0, 7, 40):
            assert torch.equal(one[number][0], two[number][0])
            assert torch.equal(one[number][1], two[number][1])
        other = BoxViews(pictures, 2, 96, seed=4)
        assert not torch.equal(one[0][0], other[0][0])

    def test_boxes_stay_on_what_they_are_of(self, tmp_path: Path) -> None:
        """In every view the middle of a box is red or blue, as its class says."""
        views, seen = BoxViews(drawn(tmp_path), 2, 128, seed=0), 0
        for number in range(80):
            picture, truth = views[number]
            for left, top, right, bottom, kind, score in truth.tolist():
                assert 0 <= left < right <= 128
                assert 0 <= top < bottom <= 128
                assert score == 1
                x, y = int((left + right) / 2), int((top + bottom) / 2)
                red, _, blue = picture[:, y, x].tolist()
                if abs(red - blue) > 40:  # not turned grey
                    assert (blue > red) == (kind == 1)
                    seen += 1
        assert seen > 60

    def test_a_box_lies_on_its_pixels(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To a fraction of a pixel, mirrored or not."""
        monkeypatch.setattr("training.recipes.views.MOSAIC", 0)
        monkeypatch.setattr("training.recipes.views.jitter", lambda rgb, _: rgb)
        rgb = np.zeros((200, 240, 3), np.uint8)
        cv2.rectangle(rgb, (80, 60), (159, 139), (255, 255, 255), -1)
        cv2.imwrite(str(tmp_path / "white.png"), rgb)
        white = BoxPicture(
            tmp_path / "white.png", "w", rows(80, 60, 160, 140), np.array([0]), np.ones(1, "f4")
        )
        views, seen = BoxViews([white], 1, 320, seed=1), 0
        for number in range(60):
            picture, truth = views[number]
            if len(truth) == 1 and truth[0, :2].min() > 2 and truth[0, 2:4].max() < 318:
                bright = (picture[0].float() - 120).clamp(min=0)
                x, y = (bright.sum(dim=axis) for axis in (0, 1))
                steps = torch.arange(320) + 0.5
                middle = torch.stack([(x * steps).sum() / x.sum(), (y * steps).sum() / y.sum()])
                np.testing.assert_allclose(middle, (truth[0, :2] + truth[0, 2:4]) / 2, atol=0.2)
                seen += 1
        assert seen > 20

    def test_small_views_first(self, tmp_path: Path) -> None:
        views = BoxViews(drawn(tmp_path, 2), 2, 160, seed=0, coarse=8)
        assert views[7][0].shape == (3, 128, 128)
        assert views[8][0].shape == (3, 160, 160)

    def test_crowds_are_no_background(self, tmp_path: Path) -> None:
        (picture,) = drawn(tmp_path, 1)
        crowd = np.array([[-5, -5, 500, 500, 0]], np.float32)
        none = np.zeros((0, 4), np.float32)
        hidden = replace(picture, crowd=crowd, xyxy=none, class_id=none[:, 0].astype(np.int64),
                         score=none[:, 0])  # fmt: skip
        shown, boxes = BoxViews([hidden], 2, 64, seed=0)[4]
        assert len(boxes) == 0
        assert int(shown.float().std(dim=(1, 2)).max()) == 0

    def test_what_was_drawn_in_a_crowd_is_shown(self, tmp_path: Path) -> None:
        (picture,) = drawn(tmp_path, 1)
        crowd = np.array([[0, 0, 120, 90, 0]], np.float32)
        shown = _without_crowds(replace(picture, crowd=crowd))
        left, top, right, bottom = picture.xyxy[0].astype(int)
        assert (shown[top:bottom, left:right] == RED).all()
        inside = (bottom - top) * (right - left)
        assert int((shown == PAD).all(axis=2).sum()) == 120 * 90 - inside

    def test_large_pictures_are_kept_as_small_as_views_show_them(self) -> None:
        rgb = np.zeros((300, 1000, 3), np.uint8)
        rgb[30:90, 100:200] = 255
        small, moved = reduced(rgb, rows(100, 30, 200, 90, 1, 0.5), 250)
        assert small.shape == (75, 250, 3)
        np.testing.assert_allclose(moved, [[25, 7.5, 50, 22.5, 1, 0.5]])
        left, top, right, bottom = moved[0, :4].round().astype(int)
        assert small[top : bottom - 1, left:right].min() > 100
        same, still = reduced(rgb, moved, 1000)
        assert same is rgb
        assert still is moved

    def test_rare_classes_come_more_often_and_empty_pictures_less(self) -> None:
        common, rare, none = np.array([0]), np.array([0, 1]), np.array([], np.int64)
        odds = repeat_factors([common] * 98 + [rare, none], 2)
        assert odds[0] == 1
        assert odds[98] == pytest.approx(np.sqrt(0.2 / 0.01))
        assert odds[99] < 1


def test_the_loss_falls_on_a_toy_set(tmp_path: Path) -> None:
    pictures = drawn(tmp_path)
    network = small()
    shown, truth = collate([BoxViews(pictures, 2, 64, seed=9)[number] for number in range(16)])

    def loss(net: Yolo) -> float:
        with torch.no_grad():
            return float(sum(detection_loss(net.eval(), shown.float() / 255, truth).values()))

    before = loss(network)
    plan = Plan(views=800, batch=8, rate=2e-2, warmup=5, ema=0.9, every=50, workers=0)
    trained = train_detector(network, LABELS, pictures, 64, plan, tmp_path / "work", CPU)
    assert loss(trained) < 0.85 * before


@pytest.mark.parametrize(("half", "gap"), [(False, 1e-4), (True, 2e-2)])
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
        export(Columns(small()), (64, 64), tmp_path / "toy.onnx")


@pytest.mark.parametrize("cut", ["power", "Ctrl-C"])
def test_going_on_from_a_checkpoint_ends_where_one_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    pictures = drawn(tmp_path, 4)
    plan = Plan(views=48, batch=4, warmup=2, coarse=0.5, every=3, workers=0)

    def run(folder: str) -> Yolo:
        return train_detector(small(), LABELS, pictures, 64, plan, tmp_path / folder, CPU)

    whole, steps = run("whole"), 0

    def cut_short(*arguments: Any) -> dict[str, Any]:
        nonlocal steps
        steps += 1
        if steps == 8:
            if cut == "power":
                raise MemoryError
            os.kill(os.getpid(), signal.SIGINT)
        return detection_loss(*arguments)

    monkeypatch.setattr("training.recipes.detector.detection_loss", cut_short)
    with pytest.raises(MemoryError if cut == "power" else KeyboardInterrupt):
        run("cut")
    resumed = run("cut")
    assert steps == 8 + {"power": 12 - 6, "Ctrl-C": 12 - 8}[cut]
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


def test_a_checkpoint_about_something_else_is_refused(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, 2)
    plan = Plan(views=4, batch=4, every=1, workers=0)
    train_detector(small(), LABELS, pictures, 64, plan, tmp_path / "work", CPU)

    def said(**other: Any) -> str:
        asked: dict[str, Any] = {
            "network": small(), "labels": LABELS, "pictures": pictures, "size": 64, "plan": plan
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
