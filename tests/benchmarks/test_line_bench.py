"""The loops measured beside the line find what it finds; and the tables of both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.line import line
from benchmarks.line.clips import folder_of
from benchmarks.line.job import Measured
from benchmarks.line.loops import Loop, by_opencv, objects
from benchmarks.line.plan import Plan
from benchmarks.line.pyav import open_pyav
from engines.decoders import bind
from engines.fit import spec_of, thresholds
from engines.found import Boxes
from engines.made import network_of
from engines.manifest import find
from engines.placement import place
from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import encode_pictures
from pipeline.gst.floor import trim_clip


def cells(size: tuple[int, int], seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return an output of YOLOX in which few cells show something, some of them the same."""
    chance = np.random.default_rng(seed)
    count = sum(size[0] // stride * (size[1] // stride) for stride in (8, 16, 32))
    raw = chance.uniform(0, 0.2, (1, count, 85)).astype(np.float32)
    raw[..., :2] = chance.normal(0.5, 0.2, (1, count, 2))
    raw[..., 2:4] = chance.normal(1.0, 0.4, (1, count, 2))
    shown = chance.choice(count, 40, replace=False)
    shown = np.concatenate([shown, np.minimum(shown[:20] + 1, count - 1)])
    raw[0, shown, 4] = chance.uniform(0.5, 1, len(shown))
    raw[0, shown, 5 + chance.integers(0, 3, len(shown))] = 0.95
    return raw


@pytest.mark.parametrize("picture", [(640, 352), (1920, 1080), (352, 640)])
def test_a_loop_finds_what_the_line_finds(picture: tuple[int, int]) -> None:
    manifest = find("yolox-nano")
    head, spec = manifest.parts[0], manifest.input
    at = place(picture, spec.size, spec.resize, spec.multiple)
    raw = cells(at.size, 3)
    decode = bind(head.decoder, head.options)
    ours = decode({"output": raw}, spec_of(head, thresholds(manifest, None), at.size))
    assert isinstance(ours, Boxes)
    theirs = objects(raw[0], at)
    assert len(theirs) == len(ours.score) > 10
    xyxy = at.to_picture(ours.xyxy)
    for each, box, score, class_id in zip(theirs, xyxy, ours.score, ours.class_id, strict=True):
        left, top, width, height = each["bbox"]
        assert each["class"] == class_id
        assert each["score"] == pytest.approx(score)
        assert [left, top, left + width, top + height] == pytest.approx(box, abs=0.01)


def test_a_loop_reads_a_clip_at_the_size_of_the_model(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for grey in (40, 80, 120):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    seen = [(image.shape, float(image.mean())) for image in by_opencv(str(clip), (32, 24))]
    assert [shape for shape, _ in seen] == [(24, 32, 3)] * 3
    assert [mean for _, mean in seen] == pytest.approx([40, 80, 120], abs=3)


def test_a_row_counts_redis_and_compares_round_by_round() -> None:
    ours = [Measured(100, 1.0, 1.0, 200, redis_s=0.1), Measured(100, 2.0, 2.0, 210, redis_s=0.2)]
    theirs = [replace(each, cpu_s=2 * each.cpu_s, redis_s=2 * each.redis_s) for each in ours]
    row = line.throughput_row("loop", theirs, ours)
    assert row == ("loop", "75.0", "33.00", "3.00", "205", "0.50")


def test_loops_that_cannot_read_a_model_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert line.loops_of("test-boxes") == []
    assert "they read YOLOX alone, not test-boxes" in capsys.readouterr().err


def test_a_clip_with_fewer_frames_is_measured_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name may have blanks, and another of that name is another clip."""
    clip = tmp_path / "a clip.mp4"
    encode_pictures((picture(n, 64, 48) for n in range(40)), 10, clip)
    plan, other = Plan(clip, frames=50), tmp_path / "other" / clip.name
    assert line.frames_of(trim_clip(clip, 35, tmp_path), replace(plan, frames=35)) == 35
    assert capsys.readouterr().err == ""
    assert line.frames_of(trim_clip(clip, 50, tmp_path), plan) == 40
    assert f"{clip}: 40 frames, not 50: all are measured" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"a clip\.mp4: 7 frames; expected 30 at least"):
        line.frames_of(trim_clip(clip, 7, tmp_path), plan)
    other.parent.mkdir()
    other.write_bytes(b"another")
    assert folder_of(clip) != folder_of(other)


def test_pyav_is_left_out_where_it_cannot_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And is installed again for another Python."""
    statuses, tags = iter([1, 0, 0]), ["cpython-311", "cpython-313"]

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(command[command.index("--target") + 1]).mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, next(statuses), stderr="ERROR: no network")

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", pip)
    assert open_pyav() is None
    assert "the loop with PyAV is left out: ERROR: no network" in caplog.text
    folders = []
    for tag in tags:
        monkeypatch.setattr(sys.implementation, "cache_tag", tag)
        folders += [open_pyav(), open_pyav()]
    assert folders[0] == folders[1] != folders[2] == folders[3]


def test_a_file_that_cannot_be_measured_is_named(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"nothing of the kind, but a text.\n" * 100)
    with pytest.raises(RuntimeError, match=r"clip\.mp4: expected an H\.264 MP4: "):
        trim_clip(clip, 30, tmp_path)


def test_a_loop_that_breaks_off_says_why() -> None:
    manifest = find("test-boxes")
    at = place((64, 48), manifest.input.size, manifest.input.resize, manifest.input.multiple)

    def broken(clip: str, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        raise OSError(f"{clip} cannot be read at {size}")

    loop = Loop(broken, ("a clip",), network_of(manifest)[1], at, "redis://127.0.0.1:1", 1)
    with pytest.raises(OSError, match="a clip cannot be read"):
        loop.prepare()()
