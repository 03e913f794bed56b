"""Images and results of a frame meet in any order; what never meets is bounded and counted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest

from dashboard.live.bundle import Bundle
from dashboard.live.pairing import PICTURES_MOST, RESULTS_MOST, WAIT_S, Pairing
from mirante.wire.framed import framed
from tests.support.bundles import band, masks_entry


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def picture(seq: int, epoch: int = 1) -> bytes:
    return framed({"camera": "gate", "seq": seq, "epoch": epoch}, b"jpeg %d" % seq)


def results(seq: int, epoch: int = 1, masks: int = 0) -> bytes:
    return json.dumps({"epoch": epoch, "seq": seq, "masks": masks}).encode()


def entry(seq: int) -> bytes:
    return b"1000-%d" % seq


MASKS = masks_entry("bits", band())
STEPS: dict[str, Callable[[Pairing, int], Bundle | None]] = {
    "picture": lambda pairing, n: pairing.picture(picture(n)),
    "detections": lambda pairing, n: pairing.detections(entry(n), results(n, masks=1)),
    "masks": lambda pairing, n: pairing.masks(entry(n), MASKS),
}


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)), ids="-".join)
def test_they_meet_in_any_order(order: tuple[str, ...]) -> None:
    pairing = Pairing("gate", Clock())
    *early, last = [STEPS[step](pairing, 5) for step in order]
    assert early == [None, None]
    assert last is not None
    assert last.parts == (b"jpeg 5", results(5, masks=1), MASKS[b"m0"])
    assert pairing.unpaired == 0


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)), ids="-".join)
def test_frames_that_come_mixed_up_are_not_mixed_up(order: tuple[str, ...]) -> None:
    pairing = Pairing("gate", Clock())
    found = [STEPS[step](pairing, n) for step in order for n in (8, 6, 7)]
    whole = [bundle for bundle in found if bundle is not None]
    said = [(one.parts[0], json.loads(one.parts[1])["seq"]) for one in whole]
    assert said == [(b"jpeg 8", 8), (b"jpeg 6", 6), (b"jpeg 7", 7)]


def test_a_frame_without_masks_does_not_wait_for_any() -> None:
    pairing = Pairing("gate", Clock())
    assert pairing.picture(picture(1)) is None
    assert pairing.detections(entry(1), results(1)) is not None


def test_a_frame_whose_masks_were_announced_waits_for_them() -> None:
    pairing = Pairing("gate", Clock())
    pairing.picture(picture(1))
    assert pairing.detections(entry(1), results(1, masks=2)) is None
    assert pairing.masks(entry(2), MASKS) is None, "masks of another frame"
    assert pairing.masks(entry(1), MASKS) is not None


def test_the_same_number_of_another_start_is_another_frame() -> None:
    pairing = Pairing("gate", Clock())
    pairing.picture(picture(1, epoch=1))
    assert pairing.detections(entry(1), results(1, epoch=2)) is None


def test_a_picture_is_given_once() -> None:
    pairing = Pairing("gate", Clock())
    pairing.picture(picture(1))
    assert pairing.detections(entry(1), results(1)) is not None
    assert pairing.detections(entry(1), results(1)) is None


def test_pictures_without_results_are_bounded_and_counted() -> None:
    pairing = Pairing("gate", Clock())
    for n in range(PICTURES_MOST + 5):
        assert pairing.picture(picture(n)) is None
    assert pairing.unpaired == 5
    assert pairing.detections(entry(4), results(4)) is None, "it was given up"
    assert pairing.detections(entry(5), results(5)) is not None


def test_a_picture_is_given_up_when_its_results_are_late() -> None:
    clock = Clock()
    pairing = Pairing("gate", clock)
    pairing.picture(picture(1))
    clock.now_s += WAIT_S + 0.1
    pairing.picture(picture(2))
    assert pairing.unpaired == 1
    assert pairing.detections(entry(1), results(1)) is None
    assert pairing.detections(entry(2), results(2)) is not None


def test_results_without_pictures_are_bounded() -> None:
    pairing = Pairing("gate", Clock())
    for n in range(RESULTS_MOST + 1):
        pairing.masks(entry(n), MASKS)
        pairing.detections(entry(n), results(n, masks=1))
    assert pairing.picture(picture(0)) is None, "it is forgotten"
    assert pairing.picture(picture(1)) is not None
    assert pairing.picture(picture(RESULTS_MOST)) is not None


def test_an_entry_that_is_sent_again_otherwise_leaves_nothing_behind() -> None:
    pairing = Pairing("gate", Clock())
    pairing.detections(entry(1), results(1))
    pairing.detections(entry(1), results(2))
    for n in range(3, RESULTS_MOST + 3):
        pairing.detections(entry(n), results(n))
    assert pairing.picture(picture(1)) is None
    assert pairing.picture(picture(2)) is None


def test_messages_that_are_broken_are_refused_and_the_next_are_not() -> None:
    pairing = Pairing("gate", Clock())
    with pytest.raises(ValueError, match="preview"):
        pairing.picture(b"no picture")
    with pytest.raises(ValueError, match="detections"):
        pairing.detections(entry(1), b"{")
    pairing.picture(picture(2))
    pairing.detections(entry(2), results(2, masks=1))
    with pytest.raises(ValueError, match="masks"):
        pairing.masks(entry(2), {b"m0": b"without a description"})
    pairing.picture(picture(3))
    assert pairing.detections(entry(3), results(3)) is not None
