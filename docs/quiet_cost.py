"""Measures what the gate takes for a frame, in docs/quiet.md.

    .venv/bin/python docs/quiet_cost.py

Prints the median and the minimum of 300 frames of noise, in ms of processor time.
"""

from __future__ import annotations

import time

import cv2
import numpy as np

from plugins.gate.gate import Gate
from plugins.gate.scene import Scene

SIZES, FRAMES, WARM = ((640, 352), (1280, 720), (1920, 1080), (3840, 2160)), 300, 100


def took_ms(width: int, height: int) -> list[float]:
    """Return the milliseconds of each frame."""
    random, scene, gate = np.random.default_rng(0), Scene([]), Gate()
    grain = [random.normal(120, 20, (height, width)).clip(0, 255) for _ in range(4)]
    frames = [each.astype(np.uint8) for each in grain]
    taken = []
    for number in range(WARM + FRAMES):
        began_s = time.thread_time()
        gate.decide(scene.thumb(frames[number % 4]), number / 25)
        taken.append((time.thread_time() - began_s) * 1e3)
    return taken[WARM:]


if __name__ == "__main__":
    cv2.setNumThreads(1)
    for size in SIZES:
        taken = took_ms(*size)
        print("{}x{}:".format(*size), f"{np.median(taken):.3f} ms, at best {min(taken):.3f}")  # noqa: T201
