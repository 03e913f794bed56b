"""AP in cases that can be worked out by hand, and as pycocotools' own way from JSON to figures."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from tests.support.scenes import found, random_scene, truth
from training.evaluation.average_precision import EvaluationError, average_precision
from training.evaluation.matching import Found, Truth

BOX = (10, 10, 50, 50)


def test_perfect_is_one() -> None:
    scenes = [(truth((*BOX, 0)), found((*BOX, 0, 0.9))), (truth(), found())]
    ap, ap50 = average_precision(scenes, 1)
    assert (ap.tolist(), ap50.tolist()) == ([pytest.approx(1)], [pytest.approx(1)])


def test_a_shift_counts_for_the_overlaps_below_it() -> None:
    """40 px wide, 4 px off: 36 / 44 = .818 is enough for seven of the ten overlaps."""
    scenes = [(truth((*BOX, 0)), found((14, 10, 54, 50, 0, 0.9)))]
    ap, ap50 = average_precision(scenes, 1)
    assert (ap[0], ap50[0]) == (pytest.approx(0.7), pytest.approx(1))


def test_elsewhere_or_of_another_class_is_zero_and_absent_is_unknown() -> None:
    scenes = [(truth((*BOX, 0), (*BOX, 1)), found((40, 10, 80, 50, 0, 0.9), (*BOX, 2, 0.9)))]
    ap, ap50 = average_precision(scenes, 3)
    np.testing.assert_array_equal(ap, [0, 0, np.nan])
    np.testing.assert_array_equal(ap50, [0, 0, np.nan])


@pytest.mark.parametrize(("score", "expected"), [(0.9, 0.5), (0.1, 1.0)])
def test_a_false_alarm_costs_only_what_is_less_sure(score: float, expected: float) -> None:
    boxes = found((*BOX, 0, 0.5), (100, 100, 140, 140, 0, score))
    ap, _ = average_precision([(truth((*BOX, 0)), boxes)], 1)
    assert ap[0] == pytest.approx(expected)


def test_half_of_what_is_there() -> None:
    """Recall ends at .5: precision is 1 at 51 of the 101 recalls 0, .01 … 1."""
    scenes = [(truth((*BOX, 0), (100, 100, 140, 140, 0)), found((*BOX, 0, 0.9)))]
    assert average_precision(scenes, 1)[1][0] == pytest.approx(51 / 101)


def test_small_boxes_and_crowds_do_not_count() -> None:
    there = truth((*BOX, 0), (100, 100, 120, 180, 0), (200, 0, 300, 100, 0, 1))
    seen = found(
        (*BOX, 0, 0.3),
        (100, 100, 120, 180, 0, 0.9),  # 20 px wide, as the truth
        (210, 10, 240, 40, 0, 0.9),  # in the crowd
        (250, 10, 280, 40, 0, 0.9),  # in the crowd, too
        (400, 0, 410, 99, 0, 0.9),  # 10 px wide, where nothing is
    )
    ap, _ = average_precision([(there, seen)], 1, least_side_px=24)
    assert ap[0] == pytest.approx(1)
    ap, _ = average_precision([(there, seen)], 1)
    assert ap[0] < 1


def test_it_is_what_pycocotools_makes_of_the_same_json() -> None:
    """Through loadRes and summarize, which nothing here uses, on 40 random images."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(5)
    scenes = [random_scene(random) for _ in range(40)]
    expected = COCO()
    expected.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(scenes))],
        "categories": [{"id": i} for i in range(3)],
        "annotations": [
            {**row, "id": number, "area": row["bbox"][2] * row["bbox"][3]}
            for number, row in enumerate(_rows(scenes, 0), 1)
        ],
    }
    expected.createIndex()
    evaluation = COCOeval(expected, expected.loadRes(_rows(scenes, 1)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    ap, ap50 = average_precision(scenes, 3)
    assert 0.1 < ap.mean() < 0.9
    assert (ap.mean(), ap50.mean()) == (
        pytest.approx(evaluation.stats[0]),
        pytest.approx(evaluation.stats[1]),
    )


def _rows(scenes: list[tuple[Truth, Found]], part: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes):
        boxes = scene[part]
        for index, (left, top, right, bottom) in enumerate(boxes.xyxy.astype(float).tolist()):
            last = (
                {"iscrowd": int(boxes.crowd[index])}
                if isinstance(boxes, Truth)
                else {"score": float(boxes.score[index])}
            )
            box = {"bbox": [left, top, right - left, bottom - top], **last}
            rows.append({"image_id": number, "category_id": int(boxes.class_id[index]), **box})
    return rows


def test_without_pycocotools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(EvaluationError, match=r"pip install 'mirante\[train\]'"):
        average_precision([], 1)
