from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from benchmarks.models import zoo as measure
from pipeline.cameras.synthetic import LABELS, picture, truth
from tests.support.drawn_folders import write_coco, write_picture


@pytest.fixture
def clip(tmp_path: Path, home: Path) -> str:
    path = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for n in range(3):
        writer.write(cv2.cvtColor(picture(n, 320, 240), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_it_prints_a_line_per_model(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    measure.run_zoo(clip, ["test-boxes", "test-lane"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "test-boxes", "test-lane"]
    call, *steps = map(float, lines[1].split()[1:])
    assert call >= max(steps) > 0


def test_what_is_no_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="expected a video of 2 frames or more"):
        measure.read_frames(str(tmp_path / "none.mp4"), 2)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two images of 640x360 with the boxes that are in them, in a third no box but a label."""
    boxes = {}
    for n in (0, 7, 41):
        bgr = cv2.cvtColor(picture(n, 640, 360), cv2.COLOR_RGB2BGR)
        write_picture(tmp_path / "set" / f"{n}.png")
        assert cv2.imwrite(str(tmp_path / "set" / f"{n}.png"), bgr if n < 41 else bgr // 9 * 0 + 90)
        found, _ = truth(n, 640, 360)
        corners = zip(LABELS, found.xyxy.tolist(), strict=True)
        boxes[f"{n}.png"] = [(c, [x, y, r - x, b - y]) for c, (x, y, r, b) in corners]
    write_coco(tmp_path / "set" / "boxes.json", boxes)
    return tmp_path / "set"


@pytest.mark.slow
def test_accuracy_is_of_photographs_in_the_clips_frame(
    clip: str, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure.run_zoo(clip, ["test-boxes", "test-lane"], 1, photographs, LABELS)
    heading, boxes, lane = capsys.readouterr().out.splitlines()
    assert heading.split()[5:8] == ["AP50", "precision", "recall"]
    assert f"320x240; % of red, green, blue in {photographs}" in heading
    ap50, precision, recall = map(float, boxes.split()[5:])
    # Two of three images are found whole: of 101 points of recall those up to 2/3.
    assert (ap50, precision, recall) == pytest.approx((100 * 67 / 101, 100, 200 / 3), abs=0.1)
    assert lane.split()[5:] == ["-", "-", "-"]


@pytest.mark.slow
def test_what_cannot_be_measured_on_is_said_in_the_commands_words(
    clip: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match=r"test-boxes: mirante: .*empty: expected"):
        measure.run_zoo(clip, ["test-boxes"], 1, tmp_path / "empty", LABELS)
