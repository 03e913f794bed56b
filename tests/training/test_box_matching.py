"""Hits, false alarms, misses and confusions, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.scenes import found, random_scene, truth
from training.evaluation.matching import Found, Truth, confuse, judge

BOX, OTHER = (10, 10, 50, 50), (100, 100, 140, 140)


def test_hits_false_alarms_and_misses() -> None:
    there = truth((*BOX, 0), (*OTHER, 1))
    verdict = judge(there, found((12, 10, 52, 50, 0, 0.4), (*BOX, 1, 0.9), (0, 0, 5, 5, 0, 0.9)))
    assert verdict.hit.tolist() == [True, False, False]
    assert verdict.false.tolist() == [False, True, True]
    assert verdict.missed.tolist() == [False, True]


def test_an_object_is_found_once_by_the_surest() -> None:
    verdict = judge(truth((*BOX, 0)), found((*BOX, 0, 0.5), (14, 10, 54, 50, 0, 0.9)))
    assert verdict.hit.tolist() == [False, True]
    assert verdict.false.tolist() == [True, False]


def test_just_half_is_enough() -> None:
    """40 px wide: 20 shared of 40 is 1/2; a shift of 13.4 px leaves 26.6 / 53.4 = .498."""
    assert judge(truth((*BOX, 0)), found((10, 10, 50, 30, 0, 0.9))).hit.all()
    assert judge(truth((*BOX, 0)), found((23.4, 10, 63.4, 50, 0, 0.9))).missed.all()


def test_what_does_not_count_is_neither_hit_nor_missed() -> None:
    there = truth((10, 10, 30, 90, 0), (100, 0, 200, 100, 0, 1), (*BOX, 1))
    boxes = found((10, 10, 30, 90, 0, 0.9), (110, 10, 140, 40, 0, 0.9), (150, 10, 190, 40, 0, 0.9))
    verdict = judge(there, boxes, least_side_px=24)
    assert verdict.counted.tolist() == [False, False, True]
    assert not verdict.hit.any()
    assert not verdict.false.any()
    assert verdict.missed.tolist() == [False, False, True]


def test_a_box_that_counts_is_taken_first() -> None:
    there = truth((0, 0, 100, 100, 0, 1), (10, 10, 50, 44, 0))
    verdict = judge(there, found((*BOX, 0, 0.9)))
    assert verdict.hit.all()
    assert not verdict.missed.any()


def test_it_judges_as_pycocotools() -> None:
    """Its matches at an overlap of .5, of which it makes no precision at a score."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.default_rng(6)
    for _ in range(30):
        there, boxes = random_scene(random)
        sides = [_annotations(there, there.crowd), _annotations(boxes, boxes.score)]
        for one, rows in zip(datasets := (COCO(), COCO()), sides, strict=True):
            classes = [{"id": number} for number in range(3)]
            one.dataset = {"images": [{"id": 0}], "categories": classes, "annotations": rows}
            one.createIndex()
        evaluation = COCOeval(*datasets, "bbox")
        evaluation.params.areaRng = [[0, 1e9]]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        expected: dict[int, Any] = {}
        for each in filter(None, evaluation.evalImgs):
            flags = zip(each["dtMatches"][0] > 0, each["dtIgnore"][0], strict=True)
            expected |= dict(zip(each["dtIds"], flags, strict=True))
        verdict = judge(there, boxes)
        for index, (hit, false) in enumerate(zip(verdict.hit, verdict.false, strict=True), 1):
            matched, ignored = expected[index]
            assert (hit, false) == (matched and not ignored, not matched and not ignored)


def _annotations(boxes: Truth | Found, last: NDArray[Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": index,
            "image_id": 0,
            "category_id": int(boxes.class_id[index - 1]),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "area": 1,
            "iscrowd": int(last[index - 1] if isinstance(boxes, Truth) else 0),
            "score": float(last[index - 1]),
        }
        for index, box in enumerate(boxes.xyxy.astype(float).tolist(), 1)
    ]


def test_confusion() -> None:
    there = truth((*BOX, 0), (*OTHER, 1), (200, 0, 240, 40, 1))
    boxes = found(
        (*BOX, 1, 0.9),  # found as another class
        (*OTHER, 0, 0.9),  # more, but of the wrong class; the next is right
        (104, 100, 144, 140, 1, 0.4),
        (300, 0, 340, 40, 0, 0.9),
    )
    np.testing.assert_array_equal(confuse(there, boxes, 2), [[0, 1, 0], [0, 1, 1], [2, 0, 0]])


def test_confusion_leaves_out_what_does_not_count() -> None:
    there = truth((0, 0, 100, 100, 0, 1), (200, 0, 220, 90, 0))
    boxes = found((*BOX, 1, 0.9), (200, 0, 220, 90, 0, 0.9), (300, 0, 310, 40, 0, 0.9))
    assert confuse(there, boxes, 2, least_side_px=24).sum() == 0
    assert confuse(truth(), found(), 2).tolist() == [[0] * 3] * 3
