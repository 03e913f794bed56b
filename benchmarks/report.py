"""The JSON file of a bench's figures, for ``--json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check_report(path: Path | None) -> None:
    """Check, before anything is measured, that a file can be written; None: none is asked for.

    Raises:
        ValueError: it cannot.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError(f"--json: expected a file in a folder that is there, got {path}")


def write_report(path: Path | None, report: Mapping[str, Any]) -> None:
    """Write figures to the file, if one is asked for."""
    if path is not None:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
