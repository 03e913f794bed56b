from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from benchmarks.models import zoo as measure
from pipeline.cameras.synthetic import picture


def test_it_prints_a_line_per_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(tmp_path / "clip.avi")
    writer = cv2.VideoWriter(clip, cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for n in range(3):
        writer.write(cv2.cvtColor(picture(n, 320, 240), cv2.COLOR_RGB2BGR))
    writer.release()
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path))
    measure.run_zoo(clip, ["test-boxes", "test-lane"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "test-boxes", "test-lane"]
    call, *steps = map(float, lines[1].split()[1:])
    assert call >= max(steps) > 0


def test_what_is_no_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="expected a video of 2 frames or more"):
        measure.read_frames(str(tmp_path / "none.mp4"), 2)
