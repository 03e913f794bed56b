"""``mirante bench masks``: how large a segmenter's masks are on the wire, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, get_args

import cv2
import numpy as np
import typer

import engines
from benchmarks.machine import describe_machine
from engines.console import print_table
from mirante.mask import Mask
from mirante.wire.masks import decode_mask, encode_mask
from mirante.wire.messages import MaskEncoding


def run_masks(clip: Path, model: str, frames: int) -> None:
    """Prints a row per encoding and per plane, medians over ``frames`` frames of the clip."""
    typer.echo(describe_machine())
    masks = _masks(clip, model, frames)
    rows = []
    for encoding in get_args(MaskEncoding):
        for labels in (*((label,) for label in masks[0].labels), masks[0].labels):
            parts = [_only(mask, labels) for mask in masks]
            rows.append((encoding, " + ".join(labels), *_row(parts, encoding)))
    typer.echo(f"\n{model} on {clip.name}, {len(masks)} frames, {masks[0].width}x{masks[0].height}")
    headings = ("encoding", "planes", "bytes", "of 1 byte a pixel", "write ms", "read ms", "IoU")
    print_table(headings, rows)


def _masks(clip: Path, model: str, frames: int) -> list[Mask]:
    loaded = engines.load(model, threads=2)
    capture = cv2.VideoCapture(str(clip))
    masks: list[Mask] = []
    while len(masks) < frames and (got := capture.read())[0]:
        rgb = np.asarray(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB), np.uint8)
        masks += loaded(rgb).masks
    if not masks:
        raise ValueError(f"--model {model}: makes no mask of {clip}; expected a segmenter")
    return masks


def _only(mask: Mask, labels: tuple[str, ...]) -> Mask:
    planes = np.stack([mask.plane(label) for label in labels])
    return Mask.from_planes(labels, planes, mask.xyxy)


def _row(masks: list[Mask], encoding: MaskEncoding) -> tuple[str, ...]:
    sizes, writes_ms, reads_ms, overlaps = [], [], [], []
    for mask in masks:
        (part, data), write_ms = timed(encode_mask, mask, 0, encoding)
        read, read_ms = timed(decode_mask, part, data)
        both, either = (mask.planes & read.planes).sum(), (mask.planes | read.planes).sum()
        sizes.append(len(data))
        writes_ms.append(write_ms)
        reads_ms.append(read_ms)
        overlaps.append(both / either if either else 1.0)
    share = median(sizes) / masks[0].planes.size
    return (
        f"{median(sizes):.0f}",
        f"{share:.2%}",
        f"{median(writes_ms):.2f}",
        f"{median(reads_ms):.2f}",
        f"{median(overlaps):.3f}",
    )


def timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Return what a call returns, and its milliseconds."""
    began_s = time.perf_counter()
    made = call(*arguments)
    return made, (time.perf_counter() - began_s) * 1e3
