"""The accuracy of a detector on labelled photographs, by the command ``mirante eval``.

Measuring milliseconds and judging results are rooms that do not know each other: one is asked as
its users ask it, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.manifest import find
from pipeline.worker.redis_server import DIE_WITH_PARENT

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
_MIRANTE = "import sys; from pipeline.cli import main; sys.argv[0] = 'mirante'; main()"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The figures of a detector on photographs, shares of 1.

    Attributes:
        ap50: mean over the classes that are there, at an overlap of .5.
        precision: of all boxes that reach the manifest's thresholds, the share that is right.
        recall: of all boxes that are there, the share that they find.
        pictures: how many photographs.
    """

    ap50: float
    precision: float
    recall: float
    pictures: int


def accuracy_of(
    name: str,
    photographs: Path,
    frame: tuple[int, int],
    classes: Sequence[str] = CLASSES,
    threads: int = 1,
) -> Accuracy | None:
    """Measure a model on photographs that are each fitted into a frame.

    Args:
        name: a zoo model, or the path of a manifest.
        photographs: a folder with labels in a layout of docs/evaluation.md.
        frame: width and height.
        classes: those that count, of the model's.
        threads: inside one inference.

    Returns:
        None where the model finds boxes of none of the classes.

    Raises:
        RuntimeError: they cannot be measured on; the command's own words.
    """
    known = set(find(name).box_labels)
    counted = [label for label in classes if label in known]
    if not counted:
        return None
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        options = {
            "--data": str(photographs),
            "--frame": f"{frame[0]}x{frame[1]}",
            "--classes": ",".join(counted),
            "--threads": str(threads),
            "--json": str(figures),
        }
        words = [word for option in options.items() for word in option]
        done = subprocess.run(
            [*DIE_WITH_PARENT, sys.executable, "-c", _MIRANTE, "eval", name, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RuntimeError(f"{name}: {said[-1] if said else 'mirante eval ended'}")
        return _read(json.loads(figures.read_text(encoding="utf-8")))


def _read(data: dict[str, object]) -> Accuracy:
    classes = data["classes"]
    assert isinstance(classes, dict)
    hits, false, missed = (
        sum(each[key] for each in classes.values()) for key in ("hits", "false", "missed")
    )
    ap50, pictures = data["ap50"], data["pictures"]
    assert isinstance(pictures, int)
    return Accuracy(
        float(str(ap50)) if ap50 is not None else float("nan"),
        hits / max(hits + false, 1),
        hits / max(hits + missed, 1),
        pictures,
    )
