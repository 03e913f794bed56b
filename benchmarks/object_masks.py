"""The cost of an object's mask: mixed from prototypes, and on the wire."""

from __future__ import annotations

from statistics import median

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.masks import timed
from engines.console import print_table
from engines.decoders import Spec
from engines.decoders.candidates import Candidates
from engines.decoders.prototypes import with_masks
from engines.found import Instances
from mirante.mask import Mask
from mirante.wire.masks import encode_mask

SIDE_PX = 640  # of the input; the prototypes are a quarter of it
PROTOTYPES = 32
OBJECTS = 16
SIZES = ((40, 100), (160, 160), (320, 320), (640, 640))  # width, height of boxes
ROUNDS = 30


def run_object_masks() -> None:
    """Prints a row per size of boxes: ms an object, bytes, as a share of box and of frame."""
    grid = SIDE_PX // 4
    typer.echo(f"\nmasks of objects, of {PROTOTYPES} prototypes of {grid}x{grid}, encoding bits")
    rows = [_row(width, height) for width, height in SIZES]
    headings = ("box", "mask", "ms an object", "bytes", "of its box", f"of {SIDE_PX}x{SIDE_PX}")
    print_table(headings, rows)


def _row(width: int, height: int) -> tuple[str, ...]:
    random = np.random.default_rng(1)
    boxes, prototypes = _made(random, width, height)
    spec = Spec(("a",), np.array([0.5], np.float32), 0.5, (SIDE_PX, SIDE_PX))
    runs = [timed(with_masks, boxes, prototypes, spec, 2) for _ in range(ROUNDS)]
    found: Instances = runs[0][0]
    plane = found.planes[0]
    coded = [len(encode_mask(mask, 0, "bits")[1]) for mask in _masks(found)]
    size = median(coded)
    return (
        f"{width}x{height}",
        f"{plane.shape[1]}x{plane.shape[0]}",
        f"{median(ms for _, ms in runs) / OBJECTS:.3f}",
        f"{size:.0f}",
        f"{size / (width * height):.2%}",
        f"{size / SIDE_PX**2:.3%}",
    )


def _made(
    random: np.random.Generator, width: int, height: int
) -> tuple[Candidates, NDArray[np.float32]]:
    """Boxes with coefficients, and prototypes that vary about as fast as a network's."""
    grid = SIDE_PX // 4
    noise = random.normal(0, 1, (PROTOTYPES, grid, grid)).astype(np.float32)
    prototypes = np.stack([cv2.GaussianBlur(each, (0, 0), 5.0) for each in noise])
    size = np.array([width, height])
    corner = random.random((OBJECTS, 2)) * (SIDE_PX - size)
    xyxy = np.hstack([corner, corner + size]).astype(np.float32)
    mixes = random.normal(0, 1, (OBJECTS, PROTOTYPES)).astype(np.float32)
    score, ids = np.ones(OBJECTS, np.float32), np.zeros(OBJECTS, np.int32)
    return Candidates(xyxy, score, ids, mixes), prototypes.astype(np.float32)


def _masks(found: Instances) -> list[Mask]:
    return [
        Mask.from_planes(("a",), plane[None], (region[0], region[1], region[2], region[3]), "m")
        for plane, region in zip(found.planes, found.regions.tolist(), strict=True)
    ]
