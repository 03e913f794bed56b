"""``mirante run-once`` on drawn frames, whose boxes are known, and under a debugger."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.manifest import ZOO
from engines.pictures import named_frame, read_frame
from engines.store.models import store
from mirante import Detections, FrameResult, Mask
from mirante.detections import UNTRACKED
from mirante.keypoints import Skeleton
from mirante.rotated import corners, enclosing
from pipeline.cameras.synthetic import LABELS, picture, truth
from pipeline.cli.drawn_result import COLOURS, draw_result, words
from tests.support import ROOT
from tests.support.outcome import Run
from tests.support.stand_in import StandIn

pytestmark = pytest.mark.slow
WIDTH, HEIGHT, FRAMES = 1280, 720, 4
STAGE = """
from dataclasses import replace

class Count:
    def __init__(self, least=0):
        self.least = least

    def __call__(self, frame, result):
        seen = len(result.detections) * 1000 + frame.shape[1]
        {line}
        return replace(result, timings={{"seen": float(seen)}})
"""
LOOK = """
        from mirante.detections import Attribute
        every = dict.fromkeys(range(len(result.detections)), {"colour": Attribute("dark", 0.75)})
        return replace(result, detections=result.detections.with_attributes(every))
"""
DECODER = """
from engines.decoders import Boxes
import numpy as np

def nothing(outputs, spec):
    shapes = {{name: array.ndim for name, array in outputs.items()}}
    {line}
    return Boxes(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for number in range(FRAMES):
        writer.write(cv2.cvtColor(picture(100 * number, WIDTH, HEIGHT), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """The clip's first frame as an image, which no process of its own has to read."""
    path = tmp_path / "shown.png"
    cv2.imwrite(str(path), cv2.cvtColor(picture(0, WIDTH, HEIGHT), cv2.COLOR_RGB2BGR))
    return path


def write_stage(folder: Path, line: str, name: str = "counting") -> None:
    (folder / f"{name}.py").write_text(STAGE.format(line=line))


def program(folder: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command in a process of its own, started in ``folder``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    code = "import sys; from pipeline.cli.app import run; sys.exit(run(sys.argv[1:]))"
    return [sys.executable, "-c", code, "run-once", *arguments], environment


def test_words_masks_and_a_picture(shown: Path, tmp_path: Path, mirante: Run) -> None:
    target = tmp_path / "found.png"
    models = ("--model", "test-boxes", "--model", "test-lane")
    outcome = mirante("run-once", str(shown), *models, "--picture", str(target))
    assert outcome.status == 0, outcome.err
    for label in LABELS:
        assert f"\n{label} " in f"\n{outcome.out}"
    assert "mask by test-lane" in outcome.out
    assert "stage 1 test-lane: " in outcome.out
    plain, drawn = read_frame(shown), read_frame(target)
    assert drawn.shape == plain.shape
    changed = np.abs(drawn.astype(int) - plain).max(axis=2) > 40  # more than two decoders differ
    assert 0.01 < changed.mean() < 0.9


def test_the_mask_of_an_object_is_told_with_it(shown: Path, mirante: Run) -> None:
    models = ("--model", "test-boxes", "--model", f"test-lane@{LABELS[1]}")
    outcome = mirante("run-once", str(shown), *models)
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    place = [line.split()[0] for line in lines[: len(LABELS)]].index(LABELS[1])
    (told,) = [line for line in lines if line.startswith("mask by ")]
    assert told.startswith(f"mask by test-lane of object {place}, ")


def test_the_mask_of_an_object_is_drawn() -> None:
    box, one, ids = np.array([[8, 8, 24, 24]]), np.ones(1), np.zeros(1)
    found = Detections(box.astype("f4"), one.astype("f4"), ids.astype("i4"), ("face",))
    mask = Mask.from_planes(("skin",), np.ones((1, 4, 4), bool), (10, 10, 20, 20))
    plain = FrameResult("gate", 0, 0, 0, "arrival", 32, 32, found)
    owned = replace(plain, detections=found.with_masks([(0, mask)]))
    black = np.zeros((32, 32, 3), np.uint8)
    changed = (draw_result(black, owned) != draw_result(black, plain)).any(axis=2)
    assert changed[10:20, 10:20].mean() > 0.9
    changed[10:20, 10:20] = False
    assert not changed.any()


def test_the_words_beside_an_object_hold_its_number() -> None:
    box, score, ids = np.zeros((2, 4)), np.array([0.874, 0.5]), np.zeros(2)
    found = Detections(box.astype("f4"), score.astype("f4"), ids.astype("i4"), ("person",))
    assert words(found, 0) == "person 0.87"
    tracked = replace(found, track_id=np.array([3, UNTRACKED]))
    assert [words(tracked, index) for index in (0, 1)] == ["person 3 0.87", "person 0.50"]


def test_rotated_boxes_are_told_and_drawn_turned(shown: Path, tmp_path: Path, mirante: Run) -> None:
    drawn = tmp_path / "drawn.png"
    outcome = mirante("run-once", str(shown), "--model", "test-oriented", "--picture", str(drawn))
    assert outcome.status == 0, outcome.err
    (band,) = [line for line in outcome.out.splitlines() if line.startswith("band")]
    assert re.search(r"\d+\.\d x \d+\.\d at \d+\.\d, \d+\.\d, -[2-6]\d\.\d°", band), band

    turned = np.array([[60, 50, 60, 20, np.pi / 4]], np.float32)
    box, one = enclosing(turned), np.ones(1, np.float32)
    objects = Detections(box, one, np.zeros(1, np.int32), ("band",), rotated=turned)
    frame = FrameResult("gate", 0, 0, 0, "arrival", 120, 100, objects)
    image = draw_result(np.zeros((100, 120, 3), np.uint8), frame)
    for x, y in corners(turned)[0]:
        assert image[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].any()
    left, _, right, bottom = box[0].round().astype(int)
    for x in (left, right):  # no upright box is drawn; its upper corners are under the words
        assert not image[bottom - 3 : bottom + 1, x - 2 : x + 3].any()


def test_key_points_are_told_by_name_and_drawn_with_their_lines(shown: Path, mirante: Run) -> None:
    outcome = mirante("run-once", str(shown), "--model", "test-pose")
    assert outcome.status == 0, outcome.err
    told = re.findall(r"^  (\w+) \[\d+\.\d, \d+\.\d\] 1\.00$", outcome.out, re.MULTILINE)
    assert told == ["top_left", "top_right", "bottom_right", "bottom_left", "centre"] * 3

    points = np.array([[[10, 80, 0.9], [50, 40, 0.9], [90, 80, 0.9], [0, 0, 0]]], np.float32)
    box, one = np.array([[1, 1, 99, 99]], np.float32), np.ones(1, np.float32)
    bones = Skeleton(("a", "b", "c", "d"), ((0, 1), (0, 3), (2, 3)))
    plain = Detections(box, one, np.zeros(1, np.int32), ("person",))
    posed = replace(plain, keypoints=points, skeletons={0: bones})
    black = np.zeros((100, 100, 3), np.uint8)
    before, after = (
        draw_result(black, FrameResult("gate", 0, 0, 0, "arrival", 100, 100, found))
        for found in (plain, posed)
    )
    changed = (before != after).any(axis=2)
    for x, y in ((10, 80), (50, 40), (90, 80), (30, 60), (20, 70)):
        assert changed[y, x], "a point, or the line between the first two"
    assert not changed[:30].any(), "no line leads to a point that is not there"
    assert not changed[60:, 40:80].any(), "no line joins points that are not joined"


def test_the_mask_of_an_instance_has_the_colour_of_its_class() -> None:
    box, one = np.array([[8, 8, 24, 24], [30, 8, 46, 24]], np.float32), np.ones(2, np.float32)
    found = Detections(box, one, np.array([0, 1], np.int32), ("car", "bus"))
    masks = [
        (i, Mask.from_planes((label,), np.ones((1, 4, 4), bool), tuple(box[i].tolist())))
        for i, label in enumerate(found.labels)
    ]
    frame = FrameResult("gate", 0, 0, 0, "arrival", 64, 32, found.with_masks(masks))
    image = draw_result(np.zeros((32, 64, 3), np.uint8), frame)
    inside = [image[20, 16].tolist(), image[20, 38].tolist()]
    assert inside == [[int(part * 0.5) for part in colour] for colour in COLOURS[:2]]


def test_the_stages_of_a_camera_and_a_stage_that_drops(
    shown: Path, tmp_path: Path, mirante: Run
) -> None:
    write_stage(tmp_path, "if seen < self.least: return None", "dropping")
    config = tmp_path / "site.yaml"
    stages = "[{model: test-boxes}, {python: 'dropping:Count', options: {least: LEAST}}]"
    text = f"cameras:\n  gate: {{url: 'test://', width: 320, stages: {stages}}}\n"
    config.write_text(text.replace("LEAST", "3320"))
    outcome = mirante("run-once", str(shown), "--config", str(config))
    assert (outcome.status, outcome.err) == (0, "")
    assert "seen 3320.00 ms" in outcome.out  # three boxes, at the camera's width
    config.write_text(text.replace("LEAST", "3321"))
    outcome = mirante("run-once", str(shown), "--config", str(config), "--camera", "gate")
    assert outcome.out == "dropped by stage 1 dropping:Count\n"
    outcome = mirante("run-once", str(shown), "--config", str(config), "--camera", "gat")
    assert (outcome.status, outcome.err.count('did you mean "gate"?')) == (2, 1)


def test_what_classifiers_say_of_a_box(shown: Path, tmp_path: Path, mirante: Run) -> None:
    write_stage(tmp_path, LOOK, "looking_at")
    config = tmp_path / "site.yaml"
    stages = "[{model: test-boxes}, {python: 'looking_at:Count'}]"
    config.write_text(f"cameras:\n  gate: {{url: 'test://', stages: {stages}}}\n")
    outcome = mirante("run-once", str(shown), "--config", str(config))
    assert outcome.status == 0, outcome.err
    assert re.search(r"^red 1\.000  \[.+\]  colour dark 0\.75$", outcome.out, re.MULTILINE)


@pytest.mark.parametrize("is_here", [True, False])
def test_without_stages_it_runs_what_can_be_had(
    shown: Path, tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch, is_here: bool
) -> None:
    stand_in = StandIn(tmp_path, monkeypatch)
    if is_here:
        stand_in.put(store())
    config = tmp_path / "one.yaml"
    config.write_text("cameras: {gate: {url: 'test://', preview: {blur: [face]}}}")
    for arguments, last in (((), "1"), (("--config", str(config)), "2")):
        outcome = mirante("run-once", str(shown), *arguments)
        assert outcome.status == 0, outcome.err
        words = "street: fewer objects found than with yolox-street; put objects.onnx into"
        assert outcome.err.startswith(words) is not is_here
        assert (f"  - store {store() / 'objects.onnx'}: no such file" in outcome.err) is not is_here
        ran = re.findall(r"^stage (\d) (\S+):", outcome.out, re.MULTILINE)
        assert ran[0] == ("0", "yolox-street" if is_here else "street")
        assert ran[1] == ("1", "bytetrack")
        assert ran[-1][0] == (last if is_here else "1")
    assert ("person" in outcome.out) is is_here, "it finds what is drawn"


def test_a_model_that_is_named_runs_or_is_an_error(
    shown: Path, tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandIn(tmp_path, monkeypatch)
    outcome = mirante("run-once", str(shown), "--model", "yolox-street")
    assert outcome.status == 1
    assert "model yolox-street: objects.onnx is not available anywhere" in outcome.err
    assert outcome.out == ""


def test_it_finds_what_is_drawn_on_that_frame_without_gstreamer(clip: Path) -> None:
    arguments = ["run-once", str(clip), "--frame", "2", "--model", "test-boxes", "--json"]
    code = (
        "import sys; from pipeline.cli.app import run\n"
        f"status = run({arguments!r})\n"
        'sys.exit(f\'{status} {sorted(m for m in sys.modules if m.partition(".")[0] == "gi")}\')'
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stderr.strip() == "0 []"
    message = json.loads(done.stdout)
    assert (message["camera"], message["seq"], message["size"]) == ("once", 2, [WIDTH, HEIGHT])
    expected, _ = truth(200, WIDTH, HEIGHT)
    found = {thing["label"]: thing["bbox"] for thing in message["objects"]}
    for label, (left, top, right, bottom) in zip(LABELS, expected.xyxy.tolist(), strict=True):
        assert found[label] == pytest.approx([left, top, right - left, bottom - top], abs=5)


def test_breakpoints_in_a_decoder_and_in_a_stage(shown: Path, tmp_path: Path) -> None:
    """In the decoder it stops when the model is tried out, and for the frame."""
    (tmp_path / "looking.py").write_text(DECODER.format(line="breakpoint()"))
    manifest = (ZOO / "test-boxes.yaml").read_text()
    lines = [line for line in manifest.splitlines() if not line.startswith("decoder:")]
    keys = "\n".join(lines).partition("\noptions:")
    assert not keys[1], "test-boxes has options now"
    (tmp_path / "mine.yaml").write_text(keys[0] + "\ndecoder: looking:nothing\n")
    (tmp_path / "test-boxes.onnx").write_bytes((ZOO / "test-boxes.onnx").read_bytes())
    write_stage(tmp_path, "breakpoint()")
    typed = "p sorted(shapes)\nc\n" * 2 + "p seen * 10\nc\n"
    stages = ("--model", "mine.yaml", "--stage", "counting:Count")
    command, env = program(tmp_path, str(shown), *stages, "--debug")
    done = subprocess.run(
        command, input=typed, env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"looking\.py\(\d+\)nothing\(\)", done.stdout)) == 2
    assert done.stdout.count("(Pdb) ['") == 2
    assert "each decoder is tried out on a grey image first" in done.stderr
    assert re.search(r"counting\.py\(\d+\)__call__\(\)", done.stdout)
    assert "(Pdb) 6400\n" in done.stdout  # no boxes, 640 pixels wide
    assert "seen 640.00 ms" in done.stdout


def test_leaving_the_debugger_ends_the_command(
    shown: Path, tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stage(tmp_path, "import pdb; pdb.Pdb().set_trace()", "leaving")  # not that of pytest
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("q\n"))
    outcome = mirante("run-once", str(shown), "--stage", "leaving:Count")
    assert (outcome.status, outcome.err) == (1, "")
    assert "(Pdb) " in outcome.out


def test_an_error_is_one_line_or_with_debug_a_traceback(
    shown: Path, tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stage(tmp_path, "raise RuntimeError(f'{seen} is too many')", "raising")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # no terminal
    asked = ("run-once", str(shown), "--stage", "raising:Count")
    outcome = mirante(*asked)
    assert (outcome.status, outcome.err) == (1, "mirante: 640 is too many\n")
    with pytest.raises(RuntimeError, match="640 is too many") as raised:
        mirante(*asked, "--debug")
    where = raised.traceback[-1]
    found = (Path(where.path).name, where.lineno + 1, where.name)
    assert found == ("raising.py", 10, "__call__")


def test_in_a_terminal_an_error_opens_the_debugger_where_it_was_raised(
    shown: Path, tmp_path: Path
) -> None:
    write_stage(tmp_path, "raise RuntimeError('too many')")
    command, environment = program(tmp_path, str(shown), "--stage", "counting:Count", "--debug")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=tmp_path
    ) as process:
        os.close(theirs)
        os.write(ours, b"p 7 * seen\nq\n")
        said = b""
        while chunk := _read(ours):
            said += chunk
        assert process.wait(timeout=60) == 1
    os.close(ours)
    assert b"RuntimeError: too many" in said
    assert b"(Pdb) 4480" in said.replace(b"p 7 * seen\r\n", b"")


def _read(terminal: int) -> bytes:
    """What the other end wrote; nothing once it is closed, which Linux tells as an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--frame", "99"], 2, "frame: 99; expected 0 to 3, as "),
        (["--model", "face"], 2, 'stages[0].on: nothing — "face" runs on crops'),
        (["--model", "stret"], 2, 'did you mean "street"?'),
        (["--stage", "nosuch:Thing"], 2, "No module named 'nosuch'"),
        (["--stage", "nosuch"], 2, "stages[0].python: "),
        (["--camera", "gate"], 2, "--camera: expected with --config"),
        (["--config", "x.yaml", "--model", "street"], 2, "--config: expected without --model"),
        (["--picture", "found.gif"], 2, "--picture: expected a .png or .jpg"),
    ],
)
def test_what_is_refused(
    arguments: list[str], status: int, words: str, clip: Path, mirante: Run
) -> None:
    outcome = mirante("run-once", str(clip), *arguments)
    assert outcome.status == status
    assert words in outcome.err


def test_no_clip(tmp_path: Path, mirante: Run) -> None:
    outcome = mirante("run-once", str(tmp_path / "none.mp4"), "--model", "test-boxes")
    assert (outcome.status, "no such file; expected a clip" in outcome.err) == (1, True)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(OSError, match="that OpenCV can read"):
        read_frame(tmp_path / "bad.mp4")
    outcome = mirante("run-once", str(tmp_path / "bad.mp4"), "--model", "test-boxes")
    assert (outcome.status, "clip that GStreamer can read: " in outcome.err) == (1, True)


def test_frames_by_name(clip: Path, tmp_path: Path) -> None:
    assert np.array_equal(named_frame(f"{clip}:3"), read_frame(clip, 3))
    assert not np.array_equal(named_frame(f"{clip}:3"), named_frame(str(clip)))
    file = tmp_path / "one:2.png"  # a colon that is part of the name
    cv2.imwrite(str(file), np.zeros((8, 9, 3), np.uint8))
    assert named_frame(str(file)).shape == (8, 9, 3)
    with pytest.raises(ValueError, match=r"frame: 1; expected 0, as .* is an image"):
        read_frame(file, 1)
