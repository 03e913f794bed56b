from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from pipeline.config.settings import Log
from pipeline.logs import configure_logs


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def log_something() -> None:
    log = logging.getLogger("pipeline.gst.camera")
    log.info("opened %s", "rtsp://me:hunter2@h/x?password=hunter2")
    try:
        raise RuntimeError("cannot open rtsp://me:hunter2@h/x")
    except RuntimeError:
        log.exception("failed")
    log.debug("not wanted")


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log())
    log_something()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("INFO    pipeline.gst.camera: opened rtsp://***@h/x?password=***")
    assert lines[-1] == "RuntimeError: cannot open rtsp://***@h/x"
    assert "hunter2" not in "".join(lines)


def test_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log(format="json", level="info"))
    log_something()
    text = capsys.readouterr().err
    entries = [json.loads(line) for line in text.splitlines()]
    assert [entry["level"] for entry in entries] == ["info", "error"]
    assert entries[0]["message"] == "opened rtsp://***@h/x?password=***"
    assert entries[0]["time"].endswith("Z")
    assert "RuntimeError: cannot open rtsp://***@h/x" in entries[1]["error"]
    assert "hunter2" not in text
