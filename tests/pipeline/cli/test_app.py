"""What every command has in common: a fast start, and errors in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.outcome import Run

pytestmark = pytest.mark.slow

BAD = "cameras:\n  gate: {url: 'rtsp://me:hunter2@/x', fps: -3}\n"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli.app import run; status = run(['--help'])\n"
        "heavy = {'cv2', 'onnxruntime', 'gi', 'numpy', 'pydantic', 'redis', 'yaml'}\n"
        "sys.exit(f'{status} {heavy & set(sys.modules)}')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert result.stderr.strip() == "0 set()"
    commands = ["up", "demo", "camera", "tail", "models", "size", "check", "doctor", "bench"]
    assert not [name for name in commands if f"\n  {name} " not in result.stdout]


@pytest.mark.parametrize(
    "words",
    [
        *(
            "up",
            "camera",
            "tail",
            "models",
            "models import",
            "engines",
            "run-once",
            "size",
            "check",
        ),
        *("doctor", "demo", "dashboard", "eval", "train", "bench", "bench line"),
    ],
)
def test_help_of_each_command(words: str, mirante: Run) -> None:
    outcome = mirante(*words.split(), "--help")
    assert outcome.status == 0
    assert outcome.out.startswith(f"Usage: mirante {words}")


def test_the_old_name_of_a_command_runs_it(mirante: Run) -> None:
    outcome = mirante("dashboard", "bench", "--cameras", "0")
    assert outcome.status == 2
    assert "now called mirante bench dashboard" in outcome.err
    assert "--cameras" in outcome.err.partition("now called")[2]


def test_version(mirante: Run) -> None:
    assert mirante("--version").out.startswith("mirante 0.")


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["up"], ["tail"], ["camera", "add", "gate"], ["--nosuch"]]
)
def test_wrong_usage_is_status_2(arguments: list[str], mirante: Run) -> None:
    outcome = mirante(*arguments)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("typed", "meant"), [("tial", "tail"), ("flet", "fleet"), ("modls", "models")]
)
def test_a_mistyped_command_is_told_the_one_that_is_meant(
    typed: str, meant: str, mirante: Run
) -> None:
    outcome = mirante(typed, "list")
    assert outcome.status == 2
    assert outcome.err.rstrip().endswith(f"No such command '{typed}'. Did you mean '{meant}'?")


@pytest.mark.parametrize(("command", "status"), [("up", 2), ("check", 1)])
def test_bad_configuration(command: str, status: int, tmp_path: Path, mirante: Run) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    outcome = mirante(command, str(file))
    assert outcome.status == status
    assert outcome.err.splitlines() == [
        "cameras.gate.fps: -3 — expected a number greater than 0",
        'cameras.gate.url: "rtsp://***@/x" — no host in "rtsp://***@/x"; expected rtsp://host/path',
    ]
    assert outcome.out == ""


def test_debug_tells_where(tmp_path: Path, mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRANTE_DEBUG", "1")
    with pytest.raises(ValueError, match="No such file"):
        mirante("up", str(tmp_path / "none.yaml"))
    monkeypatch.delenv("MIRANTE_DEBUG")
    with pytest.raises(ValueError, match="No such file"):
        mirante("--debug", "up", str(tmp_path / "none.yaml"))


def test_redis_that_does_not_answer(mirante: Run) -> None:
    outcome = mirante("camera", "list", "--redis", "redis://me:hunter2@127.0.0.1:1")
    assert outcome.status == 1
    assert outcome.err.startswith("mirante: no answer from Redis at redis://***@127.0.0.1:1: ")
    assert len(outcome.err.splitlines()) == 1


def test_an_error_of_ours_is_one_line(mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> None:
        raise KeyError("rtsp://me:hunter2@h/x")

    monkeypatch.setattr("pipeline.doctor.examine", break_down)
    outcome = mirante("doctor")
    assert outcome.status == 1
    assert outcome.err.startswith("mirante: unexpected KeyError: ")
    assert "hunter2" not in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_configuration_that_is_not_there(mirante: Run) -> None:
    outcome = mirante("up", "/no/such/file")
    assert (outcome.status, outcome.err) == (2, "/no/such/file: No such file or directory\n")


REFUSED = ("bundle", "--split", "1")  # the refusal that loads least
WORDS = 'mirante: --split: expected a size of 1M or more, such as 60M, got "1"\n'


def test_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("mirante")
    result = subprocess.run([script, *REFUSED], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, WORDS)


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_the_exit_status_is_the_same_where_nothing_can_be_said(where: str) -> None:
    script = Path(sys.executable).with_name("mirante")
    line = " ".join((str(script), *REFUSED, where))
    result = subprocess.run(["sh", "-c", line], check=False)
    assert result.returncode == 2


def test_a_place_that_cannot_be_written_is_said(
    mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_HOME", "/dev/null/here")
    said = mirante("engines", "build", "test-boxes", "--runtime", "openvino")
    assert said.err.splitlines()[-1] == "mirante: /dev/null/here/engines/.locks: Not a directory"
