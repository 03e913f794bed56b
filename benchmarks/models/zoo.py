"""Milliseconds and accuracy of the zoo's models in one frame: ``mirante bench zoo CLIP``."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.models.accuracy import CLASSES, Accuracy, accuracy_of
from engines.manifest import zoo_names
from engines.model import load

FRAMES = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """Median milliseconds of one model: of a whole call, and of its steps."""

    call: float
    preprocess: float
    infer: float
    decode: float


def measure(name: str, frames: Sequence[NDArray[np.uint8]], threads: int) -> Cost:
    """Runs a model over RGB frames; the first only warms up.

    Raises:
        ManifestError, ModelUnavailableError: as ``engines.load``.
    """
    model = load(name, threads=threads)
    calls, steps = [], []
    for rgb in frames:
        started = time.perf_counter()
        inference = model(rgb)
        calls.append((time.perf_counter() - started) * 1e3)
        steps.append(inference.timings)
    medians = [statistics.median(s[key] for s in steps[1:]) for key in steps[0]]
    return Cost(statistics.median(calls[1:]), *medians)


def read_frames(clip: str, count: int) -> list[NDArray[np.uint8]]:
    """The first frames of a video as RGB.

    Raises:
        OSError: it cannot be read.
    """
    video = cv2.VideoCapture(clip)
    frames: list[NDArray[np.uint8]] = []
    while len(frames) < count and (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
    video.release()
    if len(frames) < 2:
        raise OSError(f"{clip}: expected a video of 2 frames or more")
    return frames


def run_zoo(
    clip: str,
    names: Sequence[str] | None = None,
    threads: int = 1,
    photographs: Path | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Print one line per model.

    Args:
        clip: a video whose first frames are used.
        names: models; None for the whole zoo.
        threads: inside one inference.
        photographs: a labelled folder; each photograph is fitted into a frame of the clip's size,
            so that accuracy and time are of the same work. None for time alone.
        classes: those that accuracy is of; none for the street's six.
    """
    classes = classes or CLASSES
    frames = read_frames(clip, FRAMES)
    height, width = frames[0].shape[:2]
    of_time = f"ms, {threads} threads, {width}x{height}"
    of_photographs = f"% of {', '.join(classes)} in {photographs}"
    heading = f"{'model':18} call  preprocess   infer  decode   "
    shares = "" if photographs is None else "  AP50  precision  recall   "
    told = of_time if photographs is None else f"{of_time}; {of_photographs}"
    sys.stdout.write(f"{heading}{shares}{told}\n")
    for name in names or zoo_names():
        cost = measure(name, frames, threads)
        line = (
            f"{name:17} {cost.call:6.2f}      {cost.preprocess:6.2f}  {cost.infer:6.2f}  "
            f"{cost.decode:6.2f}"
        )
        if photographs is not None:
            line += _shares(accuracy_of(name, photographs, (width, height), classes, threads))
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _shares(found: Accuracy | None) -> str:
    if found is None:
        return f"{'-':>9}{'-':>11}{'-':>8}"
    shares = (found.ap50, found.precision, found.recall)
    return "".join(
        f"{100 * share:{width}.1f}" for share, width in zip(shares, (9, 11, 8), strict=True)
    )
