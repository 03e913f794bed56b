"""A camera's stages on one frame, on the thread that calls: no GStreamer, no Redis, no account.

A debugger works in every stage and decoder, as nothing else runs and standard input and output are
left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import is_picture
from engines.pictures import read_frame
from mirante.frame import Counts, FrameResult
from pipeline.cameras.clip_frame import clip_frame
from pipeline.cameras.view import Turn, kept
from pipeline.config.camera import CameraOptions
from pipeline.config.stages.base import StageKind
from plugins.blackout.zones import Blackout
from plugins.frame import Frame, Larger
from plugins.stage import Stage


@dataclass(frozen=True, slots=True)
class Ran:
    """The record of one frame's run.

    Attributes:
        result: what the stages left; None when one of them dropped the frame.
        elapsed_ms: milliseconds of each stage that ran, by its number and name.
    """

    result: FrameResult | None
    elapsed_ms: dict[str, float]


def make_stages(specs: Sequence[StageKind], threads: int) -> list[tuple[str, Stage]]:
    """The stages of a camera's list as the elements make them, with their names.

    Args:
        specs: as the configuration says them.
        threads: of one inference.

    Raises:
        ValueError, OSError, RuntimeError: a stage is unknown or does not load. What a stage of the
            user's raises is passed on.
    """
    return [(spec.name, spec.make(threads)) for spec in specs]


def shown_frame(path: Path, number: int, options: CameraOptions) -> NDArray[np.uint8]:
    """A frame of a clip, or an image, as a camera with these options shows it, but not scaled.

    Args:
        path: the clip or image.
        number: of the frame, from 0.
        options: the camera's.

    Returns:
        (height, width, 3) uint8 RGB: turned, cut and painted.

    Raises:
        ValueError: there is no frame of that number.
        OSError: there is no clip or image, or it cannot be read.
    """
    if is_picture(path) or not path.is_file():
        return shown(read_frame(path, number), options)
    return clip_frame(path, number, options)


def shown(rgb: NDArray[np.uint8], options: CameraOptions) -> NDArray[np.uint8]:
    """An image as a camera's graph shows it: turned, cut and painted as the options say.

    Args:
        rgb: (height, width, 3) uint8 RGB, turned as its Exif data say.
        options: the camera's.

    Returns:
        An array of its own.
    """
    seen = _deinterlaced(rgb) if options.deinterlace == "on" else rgb
    turn = Turn.of_options(options)
    seen = np.rot90(seen[:, ::-1] if turn.mirrored else seen, -turn.quarters).copy()
    Blackout(options.mask).apply(seen)
    left, top, right, bottom = kept(options, (seen.shape[1], seen.shape[0]))
    return np.ascontiguousarray(seen[top:bottom, left:right])


def _deinterlaced(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rows of the upper field, and between them the mean of their neighbours."""
    rows, upper = rgb.copy(), rgb[::2].astype(np.uint16)
    below = np.concatenate([upper[1:], upper[-1:]])[: len(rows[1::2])]
    rows[1::2] = (upper[: len(below)] + below + 1) // 2
    return rows


def analysed(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The frame as a camera's graph hands it to the stages: in the same shape, within the analysis
    size, never enlarged.

    The graph scales what the decoder gives, before it is RGB, so single pixels may differ a little.
    """
    size = (rgb.shape[1], rgb.shape[0])
    ratio = min(width / size[0], height / size[1])
    if ratio >= 1:
        return rgb
    smaller = [max(1, round(side * ratio)) for side in size]
    return np.asarray(cv2.resize(rgb, smaller, interpolation=cv2.INTER_LINEAR), np.uint8)


def run_once(
    stages: Sequence[tuple[str, Stage]],
    frame: NDArray[np.uint8],
    source: tuple[int, int],
    camera: str = "once",
    number: int = 0,
    larger: Larger | None = None,
) -> Ran:
    """Brings one frame before each stage in turn.

    Args:
        stages: names and stages, as from ``make_stages``.
        frame: (height, width, 3) uint8 RGB at the analysis size.
        source: width and height of the source frame, in whose pixels results are.
        camera: the name in the result.
        number: the frame's.
        larger: what it was scaled from, for stages that look at parts of it.

    Raises:
        TypeError: a stage returned something else than a result or None. What it raises is passed
            on.
    """
    counts = Counts(decoded=1, published=1)
    result = FrameResult(camera, number, 0, time.time_ns(), "arrival", *source, counts=counts)
    elapsed_ms: dict[str, float] = {}
    for index, (name, stage) in enumerate(stages):
        began_ns = time.perf_counter_ns()
        after = stage(Frame(frame, larger), result)
        elapsed_ms[f"{index} {name}"] = (time.perf_counter_ns() - began_ns) / 1e6
        if after is None:
            return Ran(None, elapsed_ms)
        result = after
    return Ran(result, elapsed_ms)
