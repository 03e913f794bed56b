"""Attributes of boxes go the ways of the boxes."""

import numpy as np
import pytest

from mirante import Attribute, Detections
from mirante.detections import NO_ATTRIBUTES
from mirante.shapes import ShapeError
from tests.support.wire_frames import some_detections

RED, BLUE = {"colour": Attribute("red", 0.9)}, {"colour": Attribute("blue", 0.8)}


def test_there_are_none_where_nothing_classifies() -> None:
    plain = some_detections()
    assert plain.attributes == ()
    assert plain.attributes_of(1) == NO_ATTRIBUTES == {}
    assert plain.with_attributes({}) is plain


def test_a_second_classifier_adds_to_the_first() -> None:
    hat = {"hat": Attribute("helmet", 0.7)}
    named = some_detections().with_attributes({1: RED}).with_attributes({0: BLUE, 1: hat})
    assert named.attributes == (BLUE, {**RED, **hat})
    assert named.with_attributes({1: BLUE}).attributes_of(1) == {**BLUE, **hat}


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (np.array([False, True]), (BLUE,)),
        (np.array([1, 0, 1]), (BLUE, RED, BLUE)),
        (np.array([-1]), (BLUE,)),
        (np.empty(0, np.intp), ()),
    ],
)
def test_they_are_selected_with_their_boxes(
    index: np.ndarray, expected: tuple[dict[str, Attribute], ...]
) -> None:
    named = some_detections().with_attributes({0: RED, 1: BLUE})
    assert named.select(index).attributes == expected


def test_a_class_keeps_its_own() -> None:
    named = some_detections().with_attributes({0: RED, 1: BLUE})
    assert named.of("person").attributes == (BLUE,)


def test_merged_boxes_without_attributes_have_none() -> None:
    named, plain = some_detections().with_attributes({0: RED}), some_detections()
    assert named.merge(plain).attributes == (RED, {}, {}, {})
    assert plain.merge(named).attributes == ({}, {}, RED, {})
    assert plain.merge(plain).attributes == ()
    assert named.merge(Detections.empty(("x",))).attributes == (RED, {})


def test_they_are_as_many_as_boxes() -> None:
    with pytest.raises(ShapeError, match="attributes: expected boxes below 2, got"):
        some_detections().with_attributes({2: RED})
    plain = some_detections()
    with pytest.raises(ShapeError, match="attributes: expected none or 2, got 1"):
        Detections(plain.xyxy, plain.score, plain.class_id, plain.labels, plain.track_id, (RED,))
