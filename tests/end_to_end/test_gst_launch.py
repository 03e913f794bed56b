"""Our elements for somebody who has never seen our Python: gst-inspect-1.0 and gst-launch-1.0."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import mirante
from mirante.client.plan import FrameKind
from pipeline.cameras.synthetic import picture, truth

ELEMENTS = {
    "mirrgb": {"planes", "thermal-range"},
    "mirinfer": {"model", "on", "threshold", "thresholds", "threads", "max-failures"},
    "mirstage": {"python", "options", "max-failures"},
    "mirpreview": {"fps", "quality", "redis", "max-failures"},
    "mirpublish": {"camera", "redis", "masks", "holds", "max-failures"},
}
RGB = "decodebin ! mirrgb"


def published(url: str, camera: str, kinds: tuple[FrameKind, ...] = ("detections",)) -> list[Any]:
    return list(mirante.subscribe(camera, kinds, since="0", redis=url, timeout_s=1.0))


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Thirty frames of the synthetic camera, each a JPEG: H.264 leaves trails of moving boxes."""
    clip = tmp_path / "numbered.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 360))
    for n in range(30):
        writer.write(cv2.cvtColor(picture(n, 640, 360), cv2.COLOR_RGB2BGR))
    writer.release()
    return clip


@pytest.mark.parametrize(
    "element",
    ["mirinfer", *(pytest.param(e, marks=pytest.mark.full) for e in ELEMENTS if e != "mirinfer")],
)
def test_inspect_lists_typed_bounded_documented_properties(
    run: Callable[..., Any], element: str
) -> None:
    done = run("gst-inspect-1.0", element)
    assert done.returncode == 0, done.stderr
    listed = done.stdout.partition("Element Properties:")[2]
    properties = dict(
        re.findall(r"^  ([a-z-]+) +: (.*?)(?=^  [a-z-]+ +: |\Z)", listed, re.M | re.S)
    )
    assert set(properties) >= ELEMENTS[element]
    for name in ELEMENTS[element]:
        blurb, *rest = properties[name].splitlines()
        assert len(blurb) > 10, name
        kind = " ".join(rest)
        assert re.search(
            r"(String|Boolean)\. Default|(Integer|Double)\. Range: .* Default: ", kind
        ), kind


def test_a_launch_line_publishes_the_truth(
    run: Callable[..., Any], redis_url: str, numbered: Path
) -> None:
    done = run(
        *f"gst-launch-1.0 -q filesrc location={numbered} ! {RGB} ! mirinfer model=test-boxes "
        f"! mirinfer model=test-lane ! mirpublish camera=drawn redis={redis_url}".split()
    )
    assert done.returncode == 0, done.stderr
    frames = published(redis_url, "drawn", ("detections", "masks"))
    assert [frame.seq for frame in frames] == list(range(30))
    for frame in frames:
        boxes, lane = truth(frame.seq, 640, 360)
        assert [label for label, _, _ in frame.detections] == [label for label, _, _ in boxes]
        assert np.abs(frame.detections.xyxy - boxes.xyxy).max() <= 2
        seen, drawn = frame.masks[0].on_frame("lane", 640, 360), lane.on_frame("lane", 640, 360)
        assert (seen & drawn).sum() / (seen | drawn).sum() > 0.97
        assert frame.counts.balanced
        assert (frame.counts.decoded, frame.counts.published) == (frame.seq + 1, frame.seq + 1)


@pytest.mark.full  # a real clip through the line that docs/plugins.md shows: test_readme.py
def test_the_launch_line_of_the_docs_finds_the_cars(
    run: Callable[..., Any], redis_url: str, clips: Path
) -> None:
    done = run(
        *f"gst-launch-1.0 -q filesrc location={clips / 'highway.mp4'} "
        f"! {RGB.replace('decodebin', 'decodebin ! identity eos-after=150')} "
        f"! mirinfer model=street ! mirpublish camera=highway redis={redis_url}".split(),
        timeout_s=110,
    )
    assert done.returncode == 0, done.stderr
    frames = published(redis_url, "highway")
    # Results are kept for a minute, and a busy machine may take longer than that.
    count = frames[-1].seq + 1
    assert 150 <= count < 200  # with those that were in the decoder
    assert [frame.seq for frame in frames] == list(range(frames[0].seq, count))
    cars = [len(frame.detections.of("car")) for frame in frames]
    assert np.mean(cars) > 1.5
    assert frames[-1].counts.published == count


# Its parts: plugins/test_elements.py has stages with options in a line of the test's process,
# test_readme.py this example; above, elements of ours in a line as a process.
@pytest.mark.full
def test_a_stage_of_ones_own_runs_in_a_launch_line(
    run: Callable[..., Any], redis_url: str, numbered: Path
) -> None:
    done = run(
        *f"gst-launch-1.0 -q filesrc location={numbered} ! {RGB} ! mirinfer model=test-boxes "
        "! mirstage python=crowd:Crowd".split(),
        'options={"label": "green"}',
        *f"! mirpublish camera=own redis={redis_url}".split(),
    )
    assert done.returncode == 0, done.stderr
    frames = published(redis_url, "own")
    assert len(frames) == 30
    assert all([label for label, _, _ in frame.detections] == ["green"] for frame in frames)
    assert all(frame.timings["brightness"] > 0 for frame in frames)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ("mirinfer model=yolo-nano ! mirpublish camera=a redis={url}", 'did you mean "yolox-nano"'),
        # In a process of the test: plugins/test_elements.py.
        pytest.param(
            "mirpublish camera=a/b redis={url}",
            "camera: expected 1 to 64 letters",
            marks=pytest.mark.full,
        ),
        pytest.param("mirpublish camera=a redis=http://x", "redis", marks=pytest.mark.full),
    ],
)
def test_a_mistake_ends_the_line_with_words(
    run: Callable[..., Any], redis_url: str, numbered: Path, elements: str, words: str
) -> None:
    line = f"gst-launch-1.0 -q filesrc location={numbered} ! {RGB} ! {elements}"
    done = run(*line.format(url=redis_url).split())
    assert done.returncode != 0
    assert words in done.stderr
