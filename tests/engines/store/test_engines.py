"""The store of engines: each whole or not there, built once, whatever dies when."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engines.builder.build import Request, build, find, list_engines
from engines.builder.key import wanted
from engines.files import writing
from engines.manifest import ZOO
from engines.model import load
from engines.runtimes import RefusedError
from engines.store import engines as shelf
from tests.support.built_engines import ask, faces, save_pictures, store, synthetic
from tests.support.head_networks import write_head
from tests.support.printed import printed

__all__ = ["store"]

pytestmark = pytest.mark.slow

# Builds in processes forked from one that has loaded all they take and built one engine. A line
# asks for some at once, which die at a call that changes the disk if its number is reached; a line
# says what became of each: 0 it built, 1 it found, -9 it died.
BUILDS = """
import json, os, signal, sys, tempfile, traceback
from pathlib import Path
from engines.store import engines as shelf
from engines.builder.build import Request, build

def dies(name, holder):
    call = getattr(holder, name)
    def counted(*arguments, **keys):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **keys)
    setattr(holder, name, counted)

def built(asked):
    global left
    left, request = asked["calls"], Path(asked["request"])
    os.environ["MIRANTE_HOME"], tempfile.tempdir = asked["home"], str(request.parent)
    return 0 if build(Request.from_json(request.read_text())).fresh else 1

for name, holder in (("write_text", Path), ("fsync", os), ("replace", Path), ("mkdir", Path),
                     ("mkdtemp", shelf.tempfile), ("rmtree", shelf.shutil)):
    dies(name, holder)
for number, line in enumerate(sys.stdin):
    asked, children = json.loads(line), []
    if number == 0:
        built(asked)
        continue
    for _ in range(asked["at_once"]):
        if (child := os.fork()) == 0:
            try:
                os._exit(built(asked))
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(2)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(ends), flush=True)
"""
NEVER = 1_000_000  # more calls than a build makes


@dataclass(frozen=True, slots=True)
class Builds:
    """Processes that build what a file asks for, forked from one."""

    process: subprocess.Popen[str]

    def ask(self, home: Path, request: Path, calls: int = NEVER, at_once: int = 1) -> None:
        """Ask for ``at_once`` of them, which are killed after so many calls."""
        assert self.process.stdin is not None
        said = {"home": str(home), "request": str(request), "calls": calls, "at_once": at_once}
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()

    def ends(self, *asked: Any, **keys: Any) -> list[int]:
        """Return what becomes of those asked for."""
        self.ask(*asked, **keys)
        ends: list[int] = json.loads(printed(self.process))
        return ends


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp("builds")
    request = folder / "request.json"
    request.write_text(drawn(folder).to_json())
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BUILDS]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        made = Builds(process)
        made.ask(folder / "home", request)
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(drawn(tmp_path).to_json())
    return path


def drawn(folder: Path, model: str = "test-boxes") -> Request:
    """For the engine of a model that finds what is drawn, which takes little to build."""
    return ask(model, frames=save_pictures(folder / "drawn.npz", synthetic()[:1]))


def asked(path: Path) -> Request:
    return Request.from_json(path.read_text())


@pytest.mark.parametrize("apart", [pytest.param(1, marks=pytest.mark.full), 3])
def test_killed_at_any_step_it_is_whole_or_not_there(
    home: Path, request_file: Path, builds: Builds, apart: int
) -> None:
    died = 0
    for step in range(0, 40, apart):
        if (end := builds.ends(home, request_file, calls=step)) == [0]:
            break
        assert end == [-signal.SIGKILL]
        died += 1
        engine = find(asked(request_file))
        if engine is not None:  # killed behind the rename: it must stand
            shelf.remove(engine.key)
    else:
        pytest.fail("it never came to its end")
    assert died >= 5
    assert find(asked(request_file)) is not None
    leftovers = [path.name for path in shelf.shelf().iterdir() if path.name.startswith(".")]
    assert leftovers == [".locks"]  # those of the killed ones went too


@pytest.mark.parametrize("lines", [2, pytest.param(4, marks=pytest.mark.full)])
def test_killed_by_the_clock(home: Path, request_file: Path, lines: int) -> None:
    """At a moment that the program does not choose."""
    command = [sys.executable, "-m", "engines.builder", str(request_file), "--nice", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        for _ in range(lines):
            running.stdout.readline()
        running.kill()
    engine = find(asked(request_file))
    if engine is not None:
        shelf.remove(engine.key)
    assert build(asked(request_file)).fresh


def test_two_processes_build_it_once(home: Path, request_file: Path, builds: Builds) -> None:
    assert list_engines() == []
    assert sorted(builds.ends(home, request_file, at_once=2)) == [0, 1]
    assert len(list_engines()) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "about"])
def test_a_damaged_engine_is_built_again(home: Path, request_file: Path, damage: str) -> None:
    engine = build(asked(request_file))
    assert not build(asked(request_file)).fresh
    content = engine.file.read_bytes()
    if damage == "cut":
        engine.file.write_bytes(content[:-1])
    elif damage == "changed":
        engine.file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "gone":
        engine.file.unlink()
    else:
        (engine.folder / shelf.ABOUT).write_text('{"files":')
    assert find(asked(request_file)) is None
    again = build(asked(request_file))
    assert again.fresh
    assert again.key == engine.key
    assert again.file.read_bytes() == content


def test_what_is_another_engine(home: Path, tmp_path: Path) -> None:
    def key(**changes: Any) -> str:
        return wanted(ask("face", **changes)).key

    pictures = save_pictures(tmp_path / "faces.npz", faces()[:2])
    first = key(frames=pictures)
    assert key() == first  # what it is compared on makes no other engine
    keys = {first}
    for changes in ({"batch": 2}, {"fold": True}, {"fold": True, "frame": (200, 160)}):
        keys.add(key(frames=pictures, **changes))
    for calibrate in (pictures, save_pictures(tmp_path / "others.npz", faces()[2:4])):
        keys.add(key(precision="int8", calibrate=calibrate))
    assert len(keys) == 6
    request = drawn(tmp_path)
    assert build(request).key == wanted(request).key


def test_thresholds_make_no_other_engine(home: Path, tmp_path: Path) -> None:
    source = ZOO / "test-boxes.yaml"
    (tmp_path / "test-boxes.onnx").write_bytes(source.with_suffix(".onnx").read_bytes())
    manifest = tmp_path / "test-boxes.yaml"
    text = source.read_text()
    manifest.write_text(text)
    first = build(drawn(tmp_path, str(manifest)))
    manifest.write_text(text.replace("threshold: 0.5", "threshold: 0.7"))
    second = build(drawn(tmp_path, str(manifest)))
    assert (second.key, second.fresh) == (first.key, False)
    assert "threshold: 0.7" in second.manifest.read_text()


def test_prune_keeps_the_newest_of_its_kind(
    home: Path, request_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build(asked(request_file))
    about = {**old.about, "built": "2020-01-01T00:00:00+00:00"}
    (old.folder / shelf.ABOUT).write_text(json.dumps(about))
    monkeypatch.setattr("engines.builder.key.RECIPE", 1_000)  # as a later version of the project
    new = build(asked(request_file))
    assert new.fresh
    (home / "engines" / ".test-boxes-onnxruntime-fp32-0123.x1y2").mkdir()
    (home / "engines" / "damaged").mkdir()
    assert sorted(shelf.prune()) == sorted([old.key, "damaged"])
    assert [engine.key for engine in list_engines()] == [new.key]
    left = sorted(path.name for path in (home / "engines").iterdir())
    assert left == sorted([".locks", new.key])


def test_removing_what_is_not_there(home: Path, request_file: Path) -> None:
    key = build(asked(request_file)).key
    for none in ("nothing", "", "..", ".locks", f"../engines/{key}"):
        with pytest.raises(ValueError, match=r"no engine .*; mirante engines list names them"):
            shelf.remove(none)
    assert [engine.key for engine in list_engines()] == [key]


def test_an_engine_with_damaged_weights_is_refused_by_its_manifest_too(
    home: Path, tmp_path: Path
) -> None:
    pytest.importorskip("openvino", reason="its engines are two files")
    frames = save_pictures(tmp_path / "faces.npz", faces()[:2])
    engine = build(ask("face", "openvino", frames=frames))
    assert load(str(engine.manifest)).name == "face"
    weights = engine.folder / "engine.bin"
    content = bytearray(weights.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1000] = bytes(1000)
    weights.write_bytes(content)
    with pytest.raises(RefusedError, match=r"damaged; build it again: mirante engines build"):
        load(str(engine.manifest))


@pytest.mark.parametrize("said", ['{"files": {}}', '{"files": []}', "[]", "7"])
def test_a_wrong_account_of_an_engine_is_a_damaged_engine(
    home: Path, request_file: Path, said: str
) -> None:
    engine = build(asked(request_file))
    (engine.folder / "build.json").write_text(said)
    assert list_engines() == []
    assert shelf.prune() == [engine.key]
    assert build(asked(request_file)).fresh


def test_prune_keeps_engines_of_other_pictures_and_of_other_networks(
    home: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    model = str(write_head(tmp_path, "yolov8"))
    for index in range(2):
        frames = save_pictures(tmp_path / f"{index}.npz", faces()[index : index + 1])
        build(ask(model, precision="int8", calibrate=frames))
    assert len(list_engines()) == 2
    assert shelf.prune() == []


def test_what_a_killed_build_was_working_on_is_in_the_store_too(
    home: Path, request_file: Path, tmp_path: Path, builds: Builds
) -> None:
    assert builds.ends(home, request_file, calls=12) == [-signal.SIGKILL]
    assert list(tmp_path.glob("mirante-build-*")) == []
    assert list(shelf.shelf().glob(".test-boxes*")) != []
    shelf.prune()
    assert list(shelf.shelf().glob(".test-boxes*")) == []


def test_a_full_disk_is_said_with_the_place(tmp_path: Path) -> None:
    said = pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}'")
    with said, writing(tmp_path), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    with pytest.raises(FileNotFoundError, match="/nowhere"), writing(tmp_path):
        Path("/nowhere").read_bytes()
