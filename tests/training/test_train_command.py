"""``mirante train``: from a folder to a model that runs, and what it says of what cannot be."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import cv2
import pytest

from pipeline.cameras.synthetic import picture
from tests.support.drawn_folders import write_picture
from tests.support.outcome import Run

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")

pytestmark = pytest.mark.slow


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Pictures of the synthetic camera, which nobody has labelled."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(0, 96, 4):
        bgr = cv2.cvtColor(picture(number, 320, 180), cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / f"{number}.png"), bgr)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("steps", [4, pytest.param(50, marks=pytest.mark.full)])
def test_classes_of_ones_own_are_learnt_from_the_shipped_model(
    mirante: Run, street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Twenty-four pictures, labelled by a teacher, and twelve with nothing in them.

    After four steps it has learnt nothing yet; test_segmenter_training.py learns enough to see.
    """
    torch.set_num_threads(1)
    # Images so small are learnt faster in full precision, also by a CPU that has bfloat16.
    monkeypatch.setattr("training.recipes.loop.lean", lambda device: nullcontext())
    empty = tmp_path / "empty"
    for number in range(12):
        write_picture(empty / f"{number}.png", 320, 180)
    command = (
        *("train", "street", "--data", str(street), "--out", str(tmp_path / "own")),
        *("--name", "colours", "--teacher", "test-boxes", "--classes", "red,green,blue"),
        *("--size", "128", "--views", str(4 * steps), "--batch", "4", "--workers", "0"),
        *("--rate", "4e-3", "--empty", str(empty)),
    )
    done = mirante(*command)
    assert done.status == 0, done.err
    manifest = tmp_path / "own" / "colours.yaml"
    assert done.out.splitlines()[0] == str(manifest)
    assert f"step {steps} of {steps}" in done.err
    assert "33 images to learn (10 known to be empty), 2 for thresholds, 1 held out" in done.err

    figures = tmp_path / "figures.json"
    measured = mirante(
        *("eval", str(manifest), "--data", str(street), "--truth", "test-boxes"),
        *("--json", str(figures)),
    )
    assert measured.status == 0, measured.err
    said = json.loads(figures.read_text())
    assert said["ap50"] > 0.8 or steps < 50
    outcome = mirante("eval", str(manifest), "--data", str(empty), "--empty")
    assert outcome.status == 0, outcome.err
    assert "truth: none of the classes is there" in outcome.out

    if steps == 50:
        again = mirante(*command)
        assert "resumed" in again.err
        assert f"step {steps} of {steps}" not in again.err
    else:  # it looks at the same checkpoint, and makes no model again
        again = mirante(*command, "--size", "160")
        assert again.status == 1
        assert "size: 128 was learnt, 160 is asked" in again.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("train", "strete", "--data", "."), 'no recipe "strete"; did you mean "street"?'),
        (("train", "street", "--data", "nowhere"), "nowhere: expected a folder of images"),
        (("train", "street", "--data", ".", "--device", "tpu"), "expected auto, cpu or a cuda"),
        (
            ("train", "road", "--data", ".", "--empty", "yard"),
            "empty: expected with boxes only, got yard for road",
        ),
        (
            ("train", "street", "--data", ".", "--classes", "cat"),
            "classes: cat need a teacher that knows them",
        ),
        (
            ("train", "street", "--data", ".", "--classes", "cat, dog ,"),
            "classes: cat, dog need a teacher that knows them",
        ),
    ],
)
def test_what_is_wrong_is_said(mirante: Run, arguments: tuple[str, ...], expected: str) -> None:
    done = mirante(*arguments)
    assert done.status == 2
    assert expected in done.err


def test_without_torch_the_extra_is_named(mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.cli.training.find_spec", lambda name: None)
    done = mirante("train", "street", "--data", ".")
    assert done.status == 1
    assert "training needs torch and onnx: pip install 'mirante[train]'" in done.err
