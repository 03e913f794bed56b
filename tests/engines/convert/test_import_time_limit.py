"""An import that takes long says so, and one that takes too long ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engines.convert import ConvertError
from engines.convert.watch import Watch
from tests.support.conversions import imported
from tests.support.onnx_networks import COLOURS, planes


def test_between_two_steps_the_time_is_looked_at(tmp_path: Path) -> None:
    planes(tmp_path / "net.onnx", ["n", 3, 32, 32])
    with pytest.raises(ConvertError, match=r"made: gave up after 1e-06 s while .*--time-limit"):
        imported(tmp_path / "net.onnx", tmp_path / "out", labels=COLOURS, time_limit=1e-6)
    assert Watch("made", 60).step == "reading"


SLOW = """
import sys
import time
from engines.convert import from_onnx, watch
watch.FIRST_WORD_S = watch.NEXT_WORD_S = 0.3
write = from_onnx.OnnxNetwork.write
from_onnx.OnnxNetwork.write = lambda self, path: (write(self, path), time.sleep(100))
from pipeline.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.slow
def test_an_import_that_takes_too_long_ends_and_says_what_it_was_at(tmp_path: Path) -> None:
    planes(tmp_path / "net.onnx", ["n", 3, 32, 32])
    command = [sys.executable, "-c", SLOW, "models", "import", str(tmp_path / "net.onnx")]
    command += ["--name", "slow", "--out", str(tmp_path / "out"), "--time-limit", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("mirante: slow: ")
    assert "of 8 s" in lines[0]
    assert lines[-1].startswith("mirante: slow: gave up after 8 s while ")
    assert lines[-1].endswith(", and nothing is kept; --time-limit 40 gives it longer")
    assert not list((tmp_path / "out").iterdir())
