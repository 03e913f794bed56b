from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import OptionError, Spec, bind
from engines.decoders.argmax import _argmax
from tests.support.decoded import planes_of

ROAD: list[str | None] = [None, "road", "curb"]


def spec(labels: tuple[str, ...], threshold: float | list[float] = np.nan) -> Spec:
    least = np.broadcast_to(np.array(threshold, np.float32), len(labels)).copy()
    return Spec(labels, least, 0.5, (16, 12))


def scores(channels: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 2, (1, channels, 12, 16)).astype(np.float32)


@pytest.mark.parametrize("channels", ["first", "last"])
def test_argmax_gives_one_plane_per_label(channels: str) -> None:
    tensor = scores(3)
    expected = tensor[0].argmax(axis=0)
    fed = tensor if channels == "first" else np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    decode = bind("argmax", {"planes": {"out": ROAD}, "channels": channels})
    planes = planes_of(decode({"out": fed}, spec(("curb", "road"))))
    np.testing.assert_array_equal(planes, [expected == 2, expected == 1])


def test_argmax_takes_the_first_of_equals() -> None:
    tensor = np.random.default_rng(2).integers(0, 3, (5, 40, 40)).astype(np.float32)
    np.testing.assert_array_equal(_argmax(tensor), tensor.argmax(axis=0))


def test_planes_of_several_outputs_may_overlap() -> None:
    drivable, lane = np.zeros((1, 2, 4, 4), np.float32), np.zeros((1, 2, 4, 4), np.float32)
    drivable[0, 1, 1:] = 1
    lane[0, 1, :, 2] = 1
    options = {"planes": {"a": [None, "drivable"], "b": [None, "lane"]}}
    found = bind("argmax", options)({"a": drivable, "b": lane}, spec(("drivable", "lane")))
    planes = planes_of(found)
    assert planes.dtype == np.bool_
    np.testing.assert_array_equal(planes[0], drivable[0, 1] == 1)
    np.testing.assert_array_equal(planes[1], lane[0, 1] == 1)
    assert (planes[0] & planes[1]).sum() == 3


@pytest.mark.parametrize("logits", [True, False])
def test_sigmoid_has_a_threshold_per_label(logits: bool) -> None:
    tensor = scores(3)
    likely = 1 / (1 + np.exp(-tensor.astype(np.float64)))
    fed = tensor if logits else likely.astype(np.float32)
    options = {"planes": {"out": ["skin", None, "hair"]}, "logits": logits}
    found = bind("sigmoid", options)({"out": fed}, spec(("skin", "hair"), [0.5, 0.9]))
    planes = planes_of(found)
    np.testing.assert_array_equal(planes, [likely[0, 0] >= 0.5, likely[0, 2] >= 0.9])


@pytest.mark.parametrize(("threshold", "all_of_it"), [(0.0, True), (1.0, False)])
def test_the_ends_of_the_threshold(threshold: float, all_of_it: bool) -> None:
    options = {"planes": {"out": ["skin"]}, "logits": True}
    found = bind("sigmoid", options)({"out": scores(1)}, spec(("skin",), threshold))
    assert (planes_of(found) == all_of_it).all()


def test_sigmoid_without_a_threshold_is_an_error() -> None:
    decode = bind("sigmoid", {"planes": {"out": ["skin"]}, "logits": True})
    with pytest.raises(OptionError, match="threshold: expected with decoder sigmoid, got none"):
        decode({"out": scores(1)}, spec(("skin",)))


@pytest.mark.parametrize(
    ("planes", "labels", "message"),
    [
        ({"out": ROAD}, ("road",), r"options\.planes: expected \['road'\], got \['curb', 'road'\]"),
        ({"out": [None, "road"]}, ("road",), r"expected an output \(1, 2, h, w\), got \(1, 3, 12"),
        ({"in": ROAD}, ("road", "curb"), 'no output "in"; the network has out'),
    ],
)
def test_planes_that_do_not_fit(
    planes: dict[str, list[str | None]], labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        bind("argmax", {"planes": planes})({"out": scores(3)}, spec(labels))


def test_outputs_of_two_sizes_are_an_error() -> None:
    outputs = {"a": scores(2), "b": scores(2)[..., :8]}
    decode = bind("argmax", {"planes": {"a": [None, "x"], "b": [None, "y"]}})
    with pytest.raises(OptionError, match="expected outputs of one size"):
        decode(outputs, spec(("x", "y")))
