"""GStreamer of Debian 13 beside the system's: what ``newer_gstreamer.sh`` has put into a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

FOLDER = ROOT / ".cache/gst-1.26"


class NewerGStreamer:
    """Runs programs of it with our elements, each to its end.

    Args:
        folder: keeps what GStreamer knows of its plugins, which it takes a second to find out.
    """

    def __init__(self, folder: Path) -> None:
        if not (FOLDER / "run").exists():
            pytest.skip(
                "needs GStreamer 1.24 or later, which ./run test fetches on Debian: "
                f"{FOLDER.relative_to(ROOT)} is not there"
            )
        registry = str(folder / "registry-1.26.bin")
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GST_")},
            "GST_PLUGIN_PATH": str(ROOT / "plugins"),
            "GST_REGISTRY": registry,
        }

    def run(self, *command: str) -> str:
        """Return what a program prints; fails with its last words where it fails."""
        ended = subprocess.run(
            [str(FOLDER / "run"), *command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]
        return ended.stdout

    def launch(self, line: str) -> str:
        """Return what gst-launch-1.0 prints on a line."""
        return self.run("gst-launch-1.0", "-q", *line.split())

    def python(self, module: str, *arguments: str) -> str:
        """Return what a module of the tests prints."""
        return self.run("python3.13", "-m", module, *arguments)
