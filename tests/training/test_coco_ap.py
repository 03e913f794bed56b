"""The AP that the public detectors are known to have, on 206 images of COCO's val2017.

Needs those images with their instances JSON in the folder that MIRANTE_COCO_VAL names; they are
too large for the repository. What stands in for it everywhere is ``test_zoo.py``: the decoder
equals an independent one at every score from .01 on.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.evaluation.detector import DetectorFigures
from training.evaluation.measured import measure
from training.evaluation.request import Choice, Request

KNOWN = {"yolox-nano": (28.1, 44.9), "deimv2-femto": (33.3, 48.4)}


STREET_AP50 = 54.9  # of yolox-street's six classes


@pytest.fixture
def photographs() -> str:
    folder = os.environ.get("MIRANTE_COCO_VAL")
    if not folder:
        pytest.skip("MIRANTE_COCO_VAL names no folder of COCO images and their instances JSON")
    return folder


@pytest.mark.models
@pytest.mark.parametrize("name", KNOWN)
def test_the_known_ap_is_reproduced(photographs: str, weights: Path, name: str) -> None:
    figures = measure(Request(model=name, choice=Choice(photographs))).figures
    assert isinstance(figures, DetectorFigures)
    assert (100 * figures.ap, 100 * figures.ap50) == pytest.approx(KNOWN[name], abs=0.5)


@pytest.mark.models
def test_the_known_ap_of_the_streets_classes_is_reproduced(photographs: str, weights: Path) -> None:
    figures = measure(Request(model="yolox-street", choice=Choice(photographs))).figures
    assert isinstance(figures, DetectorFigures)
    assert len(figures.classes) == 6
    assert 100 * figures.ap50 == pytest.approx(STREET_AP50, abs=0.5)
