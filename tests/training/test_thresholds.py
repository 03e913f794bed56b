"""Default thresholds: from images that were not learnt, those with nothing in them among them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from engines.inference import Inference
from mirante.detections import Detections
from pipeline.cameras.synthetic import LABELS, picture, truth
from tests.support.drawn_folders import write_coco, write_picture
from training.datasets import BoxPicture, is_held_out, to_learn
from training.recipes import thresholds
from training.recipes.thresholds import LEAST_BOXES, MOST_FALSE, best_thresholds

Rows = Sequence[tuple[float, int, float]]  # place, class, score
Fit = Callable[..., dict[str, float]]


def boxes_at(rows: Rows) -> NDArray[np.float32]:
    """10 px squares, 20 px apart."""
    left = np.array([20 * place for place, _, _ in rows], np.float32)
    low = np.zeros_like(left)
    return np.column_stack([left, low, left + 10, low + 10])


def shown(folder: Path, number: int, rows: Rows) -> BoxPicture:
    """An image whose pixels are its number, and what is there, with a teacher's scores."""
    file = folder / f"{number}.png"
    assert cv2.imwrite(str(file), np.full((20, 40, 3), number, np.uint8))
    score = np.array([score for _, _, score in rows], np.float32)
    kind = np.array([kind for _, kind, _ in rows], np.int64)
    return BoxPicture(file, str(number), boxes_at(rows), kind, score)


@dataclass
class Model:
    """What it finds, by the number of the image."""

    found: dict[int, Rows]
    labels: tuple[str, ...] = ("a", "b")

    def __call__(self, rgb: NDArray[np.uint8]) -> Inference:
        rows = self.found.get(int(rgb[0, 0, 0]), [])
        score = np.array([score for _, _, score in rows], np.float32)
        kind = np.array([kind for _, kind, _ in rows], np.int32)
        return Inference(Detections(boxes_at(rows), score, kind, self.labels), (), {})


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Fit:
    def best(
        model: Model, pictures: Sequence[BoxPicture], otherwise: float = 0.35
    ) -> dict[str, float]:
        monkeypatch.setattr("engines.load", lambda *_, **__: model)
        return best_thresholds("made-up", pictures, ("a", "b"), otherwise)

    return best


def busy(folder: Path, low: float = 0.5, false: float = 0.3) -> tuple[Model, list[BoxPicture]]:
    """Twelve of class a are found at ``low`` and above, three false alarms at ``false``."""
    there: Rows = [(place, 0, 1.0) for place in range(12)]
    hits = [(place, 0, low + place / 100) for place in range(12)]
    return Model({1: [*hits, *((50 + i, 0, false) for i in range(3))]}), [shown(folder, 1, there)]


def test_a_threshold_is_where_precision_and_recall_are_best(tmp_path: Path, fit: Fit) -> None:
    best = fit(*busy(tmp_path))
    assert 0.3 < best["a"] <= 0.5


def test_a_class_that_is_hardly_there_is_judged_with_all_others(tmp_path: Path, fit: Fit) -> None:
    model, pictures = busy(tmp_path)
    model.found = {1: [*model.found[1], (70, 1, 0.2)]}
    best = fit(model, pictures)
    assert best["b"] == best["a"]


def test_what_a_teacher_doubts_and_a_crowd_are_neither_hit_nor_false(
    tmp_path: Path, fit: Fit
) -> None:
    model, (only,) = busy(tmp_path)
    doubted = np.concatenate([only.score, np.full(3, 0.2, np.float32)])
    all_three = replace(
        only,
        xyxy=boxes_at([*((p, 0, 1) for p in range(12)), *((50 + i, 0, 1) for i in range(3))]),
        class_id=np.zeros(15, np.int64),
        score=doubted,
    )
    assert fit(model, [all_three])["a"] < 0.3
    crowd = np.array([[900, 0, 1200, 20, 0]], np.float32)
    assert fit(model, [replace(only, crowd=crowd)])["a"] < 0.3


@pytest.mark.parametrize(("alarms", "raised"), [(3, False), (4, True)])
def test_images_with_nothing_in_them_raise_thresholds(
    tmp_path: Path, fit: Fit, alarms: int, raised: bool
) -> None:
    """Of twenty empty images three may have a false box; class b has none there and stays."""
    there: Rows = [(place, place % 2, 1.0) for place in range(40)]
    hits = [(place, place % 2, 0.4 + place / 100) for place in range(40)]
    finds: dict[int, Rows] = {1: hits}
    finds |= {100 + i: [(0, 0, 0.585 + i / 1000)] for i in range(alarms)}
    empty = [shown(tmp_path, number, []) for number in range(100, 120)]
    assert int(len(empty) * MOST_FALSE) == 3
    best = fit(Model(finds), [shown(tmp_path, 1, there), *empty])
    assert (best["a"] > 0.585) == raised
    assert best["a"] < 0.62
    assert best["b"] <= 0.41


def test_false_alarms_surer_than_all_that_is_right_are_said(
    tmp_path: Path, fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    model, pictures = busy(tmp_path)
    model.found[100] = [(0, 0, 0.95)]
    with caplog.at_level(logging.WARNING):
        best = fit(model, [*pictures, shown(tmp_path, 100, [])])
    assert best["a"] < 0.7, "it still finds something"
    assert "1 false boxes stay in 1 images with nothing in them" in caplog.text


def test_too_little_to_decide_on_is_said(
    tmp_path: Path, fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    few: Rows = [(place, 0, 1.0) for place in range(LEAST_BOXES - 1)]
    with caplog.at_level(logging.WARNING):
        assert fit(Model({1: few}), [shown(tmp_path, 1, few)], 0.4) == {"a": 0.4, "b": 0.4}
    assert f"expected {LEAST_BOXES} boxes in images that are not learnt, got 9" in caplog.text
    assert fit(Model({}), []) == {"a": 0.35, "b": 0.35}


def test_a_tenth_decides_a_tenth_is_held_out_and_the_rest_is_learnt() -> None:
    none = np.zeros((0, 4), np.float32)
    pictures = [
        BoxPicture(Path(f"{i}.png"), f"{i}", none, none[:, 0].astype(np.int64), none[:, 0])
        for i in range(2000)
    ]
    held = [p.path for p in pictures if p.is_held_out]
    deciding = [p.path for p in pictures if p.is_for_thresholds]
    learnt = [p.path for p in to_learn(pictures)]
    assert sorted([*held, *deciding, *learnt]) == sorted(p.path for p in pictures)
    assert 150 < len(held) < 250
    assert 150 < len(deciding) < 250
    assert held == [p.path for p in pictures if is_held_out(p.group)]


def test_a_folders_own_split_holds_and_what_has_no_group_is_learnt() -> None:
    none = np.zeros((0, 4), np.float32)
    one = BoxPicture(Path("a.png"), "", none, none[:, 0].astype(np.int64), none[:, 0])
    assert to_learn([one]) == [one]
    second = next(str(i) for i in range(100) if replace(one, group=str(i)).is_for_thresholds)
    assert not replace(one, group=second, own_split=True).is_for_thresholds
    assert replace(one, group=second, own_split=False).is_for_thresholds


def test_the_command_fits_a_model_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, empty = tmp_path / "data", tmp_path / "empty"
    boxes: dict[str, list[tuple[str, list[float]]]] = {}
    for number in (0, 7, 41, 500, 610, 720):
        bgr = cv2.cvtColor(picture(number, 640, 360), cv2.COLOR_RGB2BGR)
        data.mkdir(exist_ok=True)
        assert cv2.imwrite(str(data / f"{number}.png"), bgr)
        corners = truth(number, 640, 360)[0].xyxy
        sides = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()
        boxes[f"{number}.png"] = list(zip(LABELS, sides, strict=True))
    write_coco(data / "boxes.json", boxes)
    write_picture(empty / "grey.png")
    arguments = ["thresholds", "test-boxes", "--data", str(data), "--empty", str(empty)]
    monkeypatch.setattr("sys.argv", arguments)
    thresholds.main()
    said = yaml.safe_load(capsys.readouterr().out)["thresholds"]
    assert sorted(said) == sorted(LABELS)
    assert set(said.values()) == {thresholds.CANDIDATES[0]}, "all are found and nothing else"
    write_coco(data / "boxes.json", {"0.png": [("cat", [0, 0, 10, 10])]})
    with pytest.raises(ValueError, match=r"classes: .*cat"):
        thresholds.main()
