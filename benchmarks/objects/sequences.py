"""Sequences of the MOT Challenge: scores of trackers, and the best possible score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.objects.camera import BEGAN_NS, LABELS
from benchmarks.objects.identities import Trackers, cell, score
from benchmarks.objects.identity import Numbered, judge
from benchmarks.objects.library import NOT_HERE
from engines.agreement import IOU, overlaps
from mirante.detections import Detections
from mirante.frame import FrameResult
from plugins.track.assignment import assign

FPS = 25.0

Table = NDArray[np.float64]  # (n, 7 or more): frame from 1, number, left, top, width, height, score


class _Sequence(NamedTuple):
    frames: list[FrameResult]
    truth: list[Numbered]


def sequence_rows(folders: Sequence[Path], trackers: Trackers) -> list[tuple[str, ...]]:
    """Return a row for each folder: the best possible IDF1, then that of each tracker.

    Args:
        folders: each with ``det.txt`` and ``gt.txt`` at ``FPS`` frames a second.
        trackers: by name; None for what is not here.

    Raises:
        OSError, ValueError: a file is missing, or no such table.
    """
    rows = []
    for folder in folders:
        frames, truth = _read(folder)
        cells = [
            NOT_HERE if tracker is None else cell([score(tracker, FPS, frames, truth)])
            for tracker in trackers.values()
        ]
        best = judge(truth, [_best(*each) for each in zip(frames, truth, strict=True)])
        rows.append((folder.name, f"{best.idf1:.3f}", *cells))
    return rows


def _best(frame: FrameResult, truth: Numbered) -> Numbered:
    """Return the boxes that match somebody, with their true numbers."""
    boxes = frame.detections.xyxy.astype(np.float64)
    alike = overlaps(truth.xyxy, boxes)
    rows, columns = assign(np.where(alike >= IOU, 1 - alike, np.inf), 2.0)
    return Numbered(truth.numbers[rows], boxes[columns])


def _read(folder: Path) -> _Sequence:
    found, real = (np.loadtxt(folder / name, delimiter=",") for name in ("det.txt", "gt.txt"))
    real = real[real[:, 6] > 0]  # others are not to be judged
    last = int(max(found[:, 0].max(), real[:, 0].max()))
    width, height = np.ceil((found[:, 2:4] + found[:, 4:6]).max(axis=0)).astype(int).tolist()
    frames, truth = [], []
    for number in range(1, last + 1):
        some, known = found[found[:, 0] == number], real[real[:, 0] == number]
        captured_ns = BEGAN_NS + round((number - 1) / FPS * 1e9)
        detections = Detections(
            _xyxy(some).astype(np.float32),
            some[:, 6].astype(np.float32),
            np.zeros(len(some), np.int32),
            LABELS,
        )
        epoch = BEGAN_NS // 1_000_000
        frames.append(
            FrameResult(
                "sequence", number, epoch, captured_ns, "arrival", width, height, detections
            )
        )
        truth.append(Numbered(known[:, 1].astype(np.int64), _xyxy(known)))
    return _Sequence(frames, truth)


def _xyxy(table: Table) -> Table:
    return np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
