"""A stand-in for Frigate, written from its public documents: no part of it is Frigate's.

Its documents say that motion is looked for in a grey image of 100 rows, beside a slow average;
that the detector sees square regions of the full frame, 320 pixels at least, around what moves and
around objects that are not stationary; that five frames a second are looked at; and that
stationary objects are looked at again every 50 frames.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import engines
from benchmarks.line.job import Job
from benchmarks.line.loops import PROMPT
from engines.agreement import overlaps
from mirante.detections import Detections
from mirante.frame import FrameResult
from plugins.gate.gate import MOTION, STILL
from plugins.outbox.outbox import Outbox

FPS = 5.0
ROWS, ALPHA, DIFFERS, AREA = 100, 0.01, 30, 10  # of motion: its documents' defaults
REGION, AROUND = 320, 1.35  # pixels at least, and times the size of what is in it
CHECK = 50  # frames
STATIONARY, SAME = 10, 0.8  # frames, and overlap, of an object that stands
SLOW_START = 30  # frames in which the average is quicker

Image = NDArray[np.uint8]
Region = tuple[int, int, int, int]
Detect = Callable[[Image], Detections]


class Crops:
    """One camera.

    Args:
        detect: the detector, of an image (height, width, 3) uint8 RGB.
    """

    def __init__(self, detect: Detect) -> None:
        self._detect = detect
        self._average: NDArray[np.float32] | None = None
        self._frames = 0
        self._found: Detections | None = None
        self._stood: NDArray[np.int64] = np.zeros(0, np.int64)  # frames, of each object

    def look(self, image: Image) -> tuple[Detections, bool]:
        """Return the objects in a frame, and whether the detector saw any of it."""
        self._frames += 1
        height, width = image.shape[:2]
        boxes = self._motion(image)
        if self._frames == 1:  # what is there already
            boxes = [[0.0, 0.0, float(width), float(height)]]
        before = self._found
        if before is not None:
            is_due = self._frames % CHECK == 0
            boxes += before.xyxy[is_due | (self._stood < STATIONARY)].tolist()
        found: Detections | None = None
        regions = regions_of(boxes, width, height)
        for left, top, right, bottom in regions:
            there = self._detect(np.ascontiguousarray(image[top:bottom, left:right]))
            shift = np.array([left, top, left, top], np.float32)
            there = Detections(there.xyxy + shift, there.score, there.class_id, there.labels)
            found = there if found is None else found.merge(there)
        self._keep(found, regions)
        return Detections.empty() if self._found is None else self._found, bool(regions)

    def _motion(self, image: Image) -> list[list[float]]:
        """Return what moves: left, top, right, bottom in pixels of the frame."""
        height, width = image.shape[:2]
        scale = height / ROWS
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (round(width / scale), ROWS), interpolation=cv2.INTER_LINEAR)
        if self._average is None:
            self._average = small.astype(np.float32)
        off = cv2.absdiff(small, cv2.convertScaleAbs(self._average))
        cv2.accumulateWeighted(small, self._average, ALPHA if self._frames > SLOW_START else 0.2)
        moving = cv2.dilate((off > DIFFERS).astype(np.uint8), np.ones((3, 3), np.uint8))
        outlines, _ = cv2.findContours(moving, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        found = []
        for outline in outlines:
            if cv2.contourArea(outline) > AREA:
                x, y, wide, tall = cv2.boundingRect(outline)
                found.append([x * scale, y * scale, (x + wide) * scale, (y + tall) * scale])
        return found

    def _keep(self, found: Detections | None, regions: Sequence[Region]) -> None:
        """Keep what was found, once each, and what lies outside the regions."""
        before, stood = self._found, self._stood
        if found is None:
            return
        if before is not None:
            centres = (before.xyxy[:, :2] + before.xyxy[:, 2:]) / 2
            outside = np.array(
                [not any(_has(each, at) for each in regions) for at in centres], bool
            )
            found = found.merge(before.select(outside)) if outside.any() else found
        boxes = found.xyxy.astype(np.float64)
        sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        ids = found.class_id.astype(np.int32)
        nms: Any = cv2.dnn.NMSBoxesBatched
        kept = np.asarray(nms(sides, found.score, ids, 0.0, 0.45), np.intp)
        self._found = found.select(kept.reshape(-1))
        self._stood = _stood(self._found, before, stood)


def regions_of(boxes: Sequence[list[float]], width: int, height: int) -> list[Region]:
    """Return square regions of a frame that hold boxes; those that overlap are one."""
    left_over = [list(box) for box in boxes]
    regions: list[Region] = []
    while left_over:
        box = left_over.pop()
        region = _square(box, width, height)
        while near := [each for each in left_over if _overlaps(region, each)]:
            left_over = [each for each in left_over if each not in near]
            for each in near:
                box = [*map(min, box[:2], each[:2]), *map(max, box[2:], each[2:])]
            region = _square(box, width, height)
        regions.append(region)
    return regions


def _square(box: Sequence[float], width: int, height: int) -> Region:
    """Return the square around a box, moved into the frame and cut off by it."""
    left, top, right, bottom = box
    side = round(max(REGION, AROUND * max(right - left, bottom - top)))
    x = max(0, min(round((left + right - side) / 2), width - side))
    y = max(0, min(round((top + bottom - side) / 2), height - side))
    return x, y, min(width, x + side), min(height, y + side)


def _overlaps(region: Region, box: Sequence[float]) -> bool:
    left, top, right, bottom = region
    return box[0] < right and box[2] > left and box[1] < bottom and box[3] > top


def _has(region: Region, at: Sequence[float]) -> bool:
    left, top, right, bottom = region
    return bool(left <= at[0] < right and top <= at[1] < bottom)


def _stood(
    found: Detections, before: Detections | None, stood: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return for how many frames each object has been where it is."""
    if before is None or not len(before) or not len(found):
        return np.zeros(len(found), np.int64)
    alike = overlaps(found.xyxy, before.xyxy)
    place = alike.argmax(axis=1)
    return np.where(alike.max(axis=1) >= SAME, stood[place] + 1, 0)


def run_crops(job: Job) -> None:
    """Run live cameras until the process is terminated, and publish as a camera does."""
    cv2.setNumThreads(1)
    prompt = "|".join(f"{name};{value}" for name, value in PROMPT.items())
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = prompt
    model, outbox = engines.load(job.model, threads=1), Outbox(job.redis)
    outbox.start()

    def run(number: int) -> None:
        _camera(job.urls[number], f"bench{number}", lambda image: model(image).detections, outbox)

    with ThreadPoolExecutor(len(job.urls)) as threads:
        list(threads.map(run, range(len(job.urls))))


def _camera(url: str, name: str, detect: Detect, outbox: Outbox) -> None:
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    held_ns = round(1e9 / capture.get(cv2.CAP_PROP_FPS))  # FFmpeg holds a frame until the next
    crops, looked_ns, number = Crops(detect), 0, 0
    while capture.grab():
        now_ns = time.time_ns()
        if now_ns - looked_ns < 0.9e9 / FPS:
            continue
        bgr, looked_ns = capture.retrieve()[1], now_ns
        found, looked = crops.look(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))
        height, width = bgr.shape[:2]
        result = FrameResult(name, number, 0, now_ns - held_ns, "arrival", width, height, found)
        outbox.publish(replace(result, looked=MOTION) if looked else replace(result, skipped=STILL))
        number += 1
    raise RuntimeError(f"{url}: the camera ended")
