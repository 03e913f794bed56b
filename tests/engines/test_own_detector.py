"""The street detector that ships: as it was trained, and good enough on what training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engines.store.models import show
from tests.support import ROOT, SHARED, golden_logits
from tests.support.shared_clips import CLIPS
from training.evaluation.detector import ClassFigures, DetectorFigures
from training.evaluation.measured import measure
from training.evaluation.request import Choice, Request

pytestmark = pytest.mark.slow  # it measures

MOST_PARAMETERS = 2_200_000
SIX = ("person", "bicycle", "car", "motorcycle", "bus", "truck")


def figures(data: Path, **keys: Any) -> dict[str, ClassFigures]:
    """By class, of the images or the clip at ``data``; skips the test where it is not here."""
    if not data.exists():
        pytest.skip(f"no {data.name} in {data.parent}")
    part, every, held_out = (keys.pop(key, None) for key in ("part", "every", "held_out"))
    choice = Choice(str(data), part=part, every=every or 1, held_out=bool(held_out))
    found = measure(Request(model="street", choice=choice, **keys)).figures
    assert isinstance(found, DetectorFigures)
    return {of.label: of for of in found.classes}


def test_the_file_says_what_it_said_when_it_was_trained(home: Path) -> None:
    golden = np.load(golden_logits.FOLDER / "street.npz")["columns"]
    columns = golden_logits.columns("street")
    np.testing.assert_allclose(columns[:4], golden[:4], rtol=1e-3, atol=0.02)
    # Scores of an image of nothing are small; each class has some that would be missed.
    assert golden[4:].max(axis=1).min() > 1e-3
    np.testing.assert_allclose(columns[4:], golden[4:], rtol=1e-2, atol=1e-5)


def test_it_is_as_small_as_its_card_says(home: Path) -> None:
    _, listing = show("street")
    assert listing.place == "file"
    assert listing.path is not None
    tensors = onnx.load(listing.path).graph.initializer
    assert sum(int(np.prod(tensor.dims)) for tensor in tensors) < MOST_PARAMETERS
    assert listing.path.with_suffix(".md").read_text(encoding="utf-8").startswith("# street\n")


@pytest.mark.parametrize(
    ("clip", "every", "least"),
    [
        pytest.param(CLIPS / "highway.mp4", 8, {"car": 0.8}, marks=pytest.mark.full),
        pytest.param(CLIPS / "lanes.mp4", 4, {"car": 0.6}, marks=pytest.mark.full),
        (ROOT / ".cache" / "demo" / "vtest.avi", 30, {"person": 0.6, "car": 0.6}),
    ],
    ids=["highway", "lanes", "vtest"],
)
def test_it_agrees_with_its_teacher_at_the_end_of_clips(
    clip: Path, every: int, least: dict[str, float], weights: Path
) -> None:
    found = figures(
        clip, part="0.75:1", every=every, truth="deimv2-femto", truth_threshold=0.4, classes=SIX
    )
    assert {label: found[label].ap50 for label in least if found[label].ap50 < least[label]} == {}


@pytest.mark.parametrize("every", [pytest.param(6, marks=pytest.mark.full), 12])
def test_faces_in_a_car(every: int, weights: Path) -> None:
    clip = CLIPS / "carphone.mp4"
    keys = {"truth": "yunet", "truth_threshold": 0.7, "least_side_px": 24.0, "classes": ("face",)}
    face = figures(clip, every=every, **keys)["face"]
    assert face.boxes == 120 // every
    assert face.recall >= 0.9
    assert face.precision >= 0.9


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.full), 2])
def test_street_photographs_that_training_never_saw(every: int, home: Path) -> None:
    found = figures(SHARED / "training", held_out=True, every=every)
    assert found["person"].boxes > 100 / every
    assert found["person"].ap50 >= 0.4
    assert found["car"].ap50 >= 0.4
    assert found["bicycle"].ap50 >= 0.2
    assert found["motorcycle"].ap50 >= 0.2
