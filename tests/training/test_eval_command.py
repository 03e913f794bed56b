"""``mirante eval`` on drawn images, whose exact figures are known."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from typer.core import TyperGroup

from engines.manifest import ZOO
from engines.placement import around
from pipeline.cameras.synthetic import LABELS, picture, truth
from pipeline.cli.app import make_command
from tests.support import ROOT
from tests.support.drawn_folders import write_picture
from tests.support.images import read_image
from tests.support.outcome import Outcome, Run

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 640, 360
NUMBERS = (0, 7, 41, 500)


def draw(folder: Path) -> Path:
    for number in NUMBERS:
        bgr = cv2.cvtColor(picture(number, WIDTH, HEIGHT), cv2.COLOR_RGB2BGR)
        folder.mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / f"{number}.png"), bgr)
    return folder


def label(folder: Path, boxes: dict[int, list[tuple[int, list[float]]]]) -> Path:
    """COCO JSON of (class, left, top, right, bottom) by number of the image."""
    rows = [(number, *box) for number, found in boxes.items() for box in found]
    data = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in boxes],
        "annotations": [
            {
                "id": index,
                "image_id": number,
                "category_id": kind,
                "bbox": [left, top, right - left, bottom - top],
            }
            for index, (number, kind, (left, top, right, bottom)) in enumerate(rows, 1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(LABELS)],
    }
    (folder / "boxes.json").write_text(json.dumps(data))
    return folder


def there(number: int, shift_px: float = 0.0) -> list[tuple[int, list[float]]]:
    boxes, _ = truth(number, WIDTH, HEIGHT)
    shift = np.array([shift_px, 0, shift_px, 0], np.float32)
    return [(i, (box + shift).tolist()) for i, box in enumerate(boxes.xyxy)]


def figures(mirante: Run, model: str, data: Path, tmp_path: Path, *options: str) -> Any:
    file = tmp_path / "figures.json"
    outcome = mirante("eval", model, "--data", str(data), "--json", str(file), *options)
    assert outcome.status == 0, outcome.err
    return json.loads(file.read_text())


def row(outcome: Outcome, name: str) -> list[str]:
    return next(line.split() for line in outcome.out.splitlines() if line.startswith(f"{name} "))


def test_exact_boxes_are_perfect(mirante: Run, tmp_path: Path) -> None:
    data = label(draw(tmp_path / "set"), {n: there(n) for n in NUMBERS})
    outcome = mirante("eval", "test-boxes", "--data", str(data))
    assert outcome.status == 0, outcome.err
    assert "test-boxes on 4 images of" in outcome.out
    assert "truth: the images' labels" in outcome.out
    for name in LABELS:
        expected = [name, "4", "0", *["100.0"] * 4, "0.50", "0", "0"]
        assert row(outcome, name) == expected
    assert "\nmean           12     0            100.0  100.0\n" in outcome.out


def test_a_decoder_in_the_current_folder_is_found(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "decoder_of_this_folder.py").write_text(
        "from engines.decoders.end_to_end import decode as shipped\n\n\n"
        "def decode(outputs, spec):\n    return shipped(outputs, spec)\n"
    )
    text = (ZOO / "test-boxes.yaml").read_text()
    text = text.replace("file: test-boxes.onnx", f"file: {ZOO / 'test-boxes.onnx'}")
    text = text.replace("decoder: end_to_end", "decoder: decoder_of_this_folder:decode")
    (tmp_path / "own.yaml").write_text(text)
    data = label(draw(tmp_path / "set"), {n: there(n) for n in NUMBERS})
    outcome = mirante("eval", "own.yaml", "--data", str(data))
    assert outcome.status == 0, outcome.err
    assert row(outcome, "red") == ["red", "4", "0", *["100.0"] * 4, "0.50", "0", "0"]


def test_shifted_labels_have_the_ap_of_their_overlap(mirante: Run, tmp_path: Path) -> None:
    """A box of width w, s px off, overlaps by (w - s) / (w + s): with widths of 106, 128 and 80
    px and 17 px these are .724, .765 and .649, enough for 5, 6 and 3 of COCO's ten overlaps.
    """
    data = label(draw(tmp_path / "set"), {n: there(n, 17) for n in NUMBERS})
    found = figures(mirante, "test-boxes", data, tmp_path)
    assert [found["classes"][name]["ap"] for name in LABELS] == pytest.approx([0.5, 0.6, 0.3])
    assert [found["classes"][name]["ap50"] for name in LABELS] == pytest.approx([1, 1, 1])
    far = label(data, {n: there(n, 60) for n in NUMBERS})
    found = figures(mirante, "test-boxes", far, tmp_path)
    assert (found["ap"], found["ap50"]) == (0, 0)
    assert found["classes"]["red"] | {"threshold": 0} == {
        "boxes": 4, "uncounted": 0, "ap": 0, "ap50": 0, "threshold": 0,
        "precision": 0, "recall": 0, "hits": 0, "false": 4, "missed": 4,
    }  # fmt: skip


def test_a_missing_and_a_wrong_label(mirante: Run, tmp_path: Path) -> None:
    boxes = {n: there(n) for n in NUMBERS}
    boxes[7] = boxes[7][1:]  # no red
    boxes[41][2] = (1, boxes[41][2][1])  # blue is said to be green
    data, sheet = label(draw(tmp_path / "set"), boxes), tmp_path / "sheet.png"
    found = figures(mirante, "test-boxes", data, tmp_path, "--sheet", str(sheet))
    red, green, blue = (found["classes"][name] for name in LABELS)
    assert (red["precision"], red["recall"], red["false"]) == (0.75, 1, 1)
    assert (green["precision"], green["recall"], green["missed"]) == (1, 0.8, 1)
    assert (blue["precision"], blue["recall"]) == (0.75, 1)
    unequal = [red["ap"], green["ap"], blue["ap"]]
    # All are equally sure, so that images come in their order: of red hit, false, hit, hit, whose
    # precision is 1 up to a recall of 1/3 (34 of 101 points) and 3/4 from there on; of blue hit,
    # hit, false, hit.
    by_hand = [(34 + 67 * 0.75) / 101, 81 / 101, (67 + 34 * 0.75) / 101]
    assert unequal == pytest.approx(by_hand)
    assert found["ap"] == pytest.approx(sum(unequal) / 3)
    assert found["ap_by_boxes"] == pytest.approx(np.average(unequal, weights=[3, 5, 3]))
    assert found["confusion"] == [[3, 0, 0, 0], [0, 4, 1, 0], [0, 0, 3, 0], [1, 0, 0, 0]]
    assert [caption.split()[0] for caption in found["worst"]][:2] == ["41.png", "7.png"]
    assert "F1 0.67: 2 found, 1 missed, 1 false" in found["worst"][0]
    assert read_image(sheet).shape == (2 * (270 + 24) + 24, 2 * 480, 3)


def test_images_are_fitted_into_a_frame(mirante: Run, tmp_path: Path) -> None:
    """The frame's bars are grey, and boxes come back to the image's own pixels."""
    data = label(draw(tmp_path / "set"), {n: there(n) for n in NUMBERS})
    found = figures(mirante, "test-boxes", data, tmp_path, "--frame", "800x360")
    assert found["frame"] == [800, 360]
    assert found["ap50"] == 1
    assert found["ap"] > 0.9
    # A sixteenth of the size: what is found is as coarse as the frame's pixels.
    small = figures(mirante, "test-boxes", data, tmp_path, "--frame", "40x30")
    assert small["ap"] < found["ap"]
    outcome = mirante("eval", "test-lane", "--data", str(data), "--frame", "800x360")
    assert "least-side, frame and empty: expected with a detector only" in outcome.err


def test_false_boxes_where_nothing_is(mirante: Run, tmp_path: Path) -> None:
    """Of four images two show nothing, as their labels have it; in one of these three are found."""
    boxes = {n: there(n) for n in NUMBERS} | {7: []}
    data = draw(tmp_path / "set")
    write_picture(data / "500.png", WIDTH, HEIGHT)
    boxes[500] = []
    outcome = mirante("eval", "test-boxes", "--data", str(label(data, boxes)))
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("images with none of the"))
    assert lines[at + 1].split() == ["2", "1", "3"]
    found = figures(mirante, "test-boxes", data, tmp_path)
    assert found["empty"] == {"pictures": 2, "with_false": 1, "false": 3}
    one = figures(mirante, "test-boxes", data, tmp_path, "--classes", "red")
    assert one["empty"] == {"pictures": 2, "with_false": 1, "false": 1}


def test_images_without_labels_that_show_nothing(mirante: Run, tmp_path: Path) -> None:
    data = draw(tmp_path / "set")
    found = figures(mirante, "test-boxes", data, tmp_path, "--empty")
    assert found["empty"] == {"pictures": 4, "with_false": 4, "false": 12}
    assert (found["truth"], found["ap50"]) == ("empty", None)
    grey = write_picture(tmp_path / "grey" / "one.png").parent
    quiet = figures(mirante, "test-boxes", grey, tmp_path, "--empty")
    assert quiet["empty"] == {"pictures": 1, "with_false": 0, "false": 0}


def test_small_boxes_do_not_count(mirante: Run, tmp_path: Path) -> None:
    """All are 56 px high."""
    data = label(draw(tmp_path / "set"), {n: there(n) for n in NUMBERS})
    found = figures(mirante, "test-boxes", data, tmp_path, "--least-side", "57")
    assert found["ap"] is None
    assert found["classes"]["red"]["uncounted"] == 4
    found = figures(mirante, "test-boxes", data, tmp_path, "--least-side", "56", "--classes", "red")
    assert list(found["classes"]) == ["red"]
    assert (found["classes"]["red"]["boxes"], found["ap"]) == (4, pytest.approx(1))


def test_exact_planes_are_perfect(mirante: Run, tmp_path: Path) -> None:
    data = draw(tmp_path / "set")
    for number in NUMBERS:
        plane = truth(number, WIDTH, HEIGHT)[1].plane("lane")
        assert cv2.imwrite(str(data / f"{number}_band.png"), plane.astype(np.uint8) * 255)
    sheet = tmp_path / "sheet.jpg"
    outcome = mirante(
        "eval", "test-lane", "--data", str(data), "--match", "lane=band", "--sheet", str(sheet)
    )
    assert outcome.status == 0, outcome.err
    assert row(outcome, "lane")[:3] == ["lane", "4", "4"]
    assert set(row(outcome, "lane")[3:9]) == {"100.0"}
    assert sheet.stat().st_size > 1000


def test_a_plane_that_is_shifted(mirante: Run, tmp_path: Path) -> None:
    """The band's rows are equally wide but for their ends: shifted by s, (w - s) / (w + s)."""
    data = draw(tmp_path / "set")
    shared = either = 0
    for number in NUMBERS:
        plane = truth(number, WIDTH, HEIGHT)[1].plane("lane")
        shifted = np.roll(plane, 10, axis=1)
        shared += int((plane & shifted).sum())
        either += int((plane | shifted).sum())
        (data / "masks" / "lane").mkdir(parents=True, exist_ok=True)
        mask = shifted.astype(np.uint8) * 255
        assert cv2.imwrite(str(data / "masks" / "lane" / f"{number}.png"), mask)
        (data / "images").mkdir(exist_ok=True)
        (data / f"{number}.png").rename(data / "images" / f"{number}.png")
    lane = figures(mirante, "test-lane", data, tmp_path)["planes"]["lane"]
    assert lane["iou"] == pytest.approx(shared / either)
    assert lane["iou"] == pytest.approx(70 / 90, abs=0.01)  # the band is 80 px wide
    wide = figures(mirante, "test-lane", data, tmp_path, "--tolerance", "10")["planes"]["lane"]
    assert lane["boundary_f1"] < 0.2 < wide["boundary_f1"]
    assert wide["line_f1"] == 1


def test_a_model_as_the_truth(mirante: Run, tmp_path: Path) -> None:
    data = draw(tmp_path / "set")
    found = figures(mirante, "test-boxes", data, tmp_path, "--truth", "test-boxes")
    assert (found["truth"], found["pictures"], found["ap"]) == ("test-boxes", 4, pytest.approx(1))
    options = ("--truth", "test-lane", "--every", "2", "--least-share")  # it covers 4 %
    found = figures(mirante, "test-lane", data, tmp_path, *options, "lane=0.03")
    assert (found["pictures"], found["planes"]["lane"]["iou"]) == (2, 1)
    outcome = mirante("eval", "test-lane", "--data", str(data), *options, "lane=0.05")
    assert outcome.status == 2
    assert "least-share: no image has" in outcome.err


def test_crops_are_measured_in_the_frame(mirante: Run, tmp_path: Path) -> None:
    """Crops around the lowest box reach into the band: what is there of it is all that is found."""
    manifest = yaml.safe_load((ZOO / "test-lane.yaml").read_text())
    manifest |= {"crop": {"margin": 3.0}, "file": str(ZOO / "test-lane.onnx")}
    (tmp_path / "crop.yaml").write_text(yaml.safe_dump(manifest))
    data = draw(tmp_path / "set")
    for number in NUMBERS:
        boxes, lane = truth(number, WIDTH, HEIGHT)
        left, top, right, bottom = around(boxes.xyxy[2], 3.0, (WIDTH, HEIGHT))
        plane = lane.plane("lane")
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        plane = plane & (x > left) & (x < right) & (y > top) & (y < bottom)
        assert cv2.imwrite(str(data / f"{number}_lane.png"), plane.astype(np.uint8) * 255)
    crops = ("--on-detector", "test-boxes", "--on", "blue")
    found = figures(mirante, str(tmp_path / "crop.yaml"), data, tmp_path, *crops)
    assert found["planes"]["lane"]["present"] > 0
    assert found["planes"]["lane"]["iou"] > 0.95
    whole = figures(mirante, "test-lane", data, tmp_path)
    assert whole["planes"]["lane"]["iou"] < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["test-boxes", "--data", "gone"], "gone: expected a folder"),
        (["test-boxs", "--data", "."], 'did you mean "test-boxes"?'),
        (
            ["test-boxes", "--data", ".", "--truth", "test-lane"],
            "expected a detector, test-lane is a segmenter",
        ),
        (["test-boxes", "--data", ".", "--on", "red"], "expected with a segmenter only"),
        (["test-heads", "--data", "."], "expected a model of one task, it is a detector and a seg"),
        (["test-embedding", "--data", "."], "it is an embedder, for which no labels are read"),
        (["test-lane", "--data", ".", "--on", "red"], "on: expected with on-detector only"),
        (["test-lane", "--data", ".", "--least-side", "3"], "expected with a detector only"),
        (["test-lane", "--data", ".", "--empty"], "empty: expected with a detector only"),
        (
            ["test-boxes", "--data", ".", "--empty", "--truth", "test-boxes"],
            "empty: expected without a truth, got test-boxes",
        ),
        (["test-lane", "--data", ".", "--match", "lane"], "--match: expected NAME=VALUE"),
        (["test-lane", "--data", ".", "--least-share", "lane=2"], "expected 0 to 1, got lane=2"),
        (
            ["test-lane", "--data", ".", "--truth", "test-lane", "--on-detector", "test-boxes"],
            "on: expected a class of test-boxes: red, green, blue",
        ),
        (
            ["test-lane", "--data", ".", "--truth", "test-lane", "--on-detector", "test-lane"],
            "on-detector: expected a detector",
        ),
    ],
)
def test_what_is_wrong_is_said(
    mirante: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(draw(tmp_path / "set"))
    outcome = mirante("eval", *arguments)
    assert outcome.status == 2
    assert message in outcome.err


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("docs/evaluation.md", 7),
        ("docs/training.md", 10),
        ("engines/weights/street.md", 8),
        ("engines/weights/road.md", 9),
        ("engines/weights/face.md", 4),
    ],
)
def test_the_commands_of_a_page_are_understood(page: str, least: int) -> None:
    text = (ROOT / page).read_text().replace("\\\n", " ")
    lines = re.findall(r"^ *(?:\./run|mirante) ((?:train|eval|camera) .*)$", text, re.M)
    assert len(lines) >= least
    for line in lines:
        command: Any = make_command()
        context = command.make_context(line, [], resilient_parsing=True)
        words = shlex.split(re.sub(r"\[.*\]", "", line))
        while isinstance(command, TyperGroup):
            command = command.get_command(context, words.pop(0))
        command.make_context(line, words)


@pytest.mark.parametrize(
    ("option", "target", "message"),
    [
        ("--sheet", "sheet.gif", "--sheet: expected .png or .jpg"),
        ("--sheet", "gone/sheet.png", "--sheet: expected a file in a folder that is there"),
        ("--json", "gone/figures.json", "--json: expected a file in a folder that is there"),
        ("--json", ".", "--json: expected a file in a folder that is there"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_measured(
    mirante: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    target: str,
    message: str,
) -> None:
    monkeypatch.setattr("training.evaluation.measured.measure", None)
    outcome = mirante("eval", "test-boxes", "--data", ".", option, str(tmp_path / target))
    assert outcome.status == 2
    assert message in outcome.err
