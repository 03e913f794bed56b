"""The loop of the process that has the package ``trackers``: a sequence a line, and its numbers.

It runs in another environment, and so imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib import import_module
from statistics import median
from typing import Any


def main() -> None:
    """Answer each line of standard input with one of standard output."""
    warnings.simplefilter("ignore")
    package, numpy = import_module("trackers"), import_module("numpy")
    boxes_of = import_module("supervision").Detections
    for line in sys.stdin:
        job = json.loads(line)
        if job["tracker"] == "bytetrack":
            tracker = package.ByteTrackTracker(frame_rate=job["fps"])
        else:  # there are no images that it could look at
            tracker = package.BoTSORTTracker(frame_rate=job["fps"], enable_cmc=False)
        ids, took_ms = [], []
        for xyxy, score in job["frames"]:
            found = boxes_of(
                xyxy=numpy.array(xyxy, float).reshape(-1, 4),
                confidence=numpy.array(score, float),
                class_id=numpy.zeros(len(score), int),
                data={"place": numpy.arange(len(score))},
            )
            began_s = time.thread_time()
            tracked = tracker.update(found)
            took_ms.append((time.thread_time() - began_s) * 1e3)
            ids.append(_ids(tracked, len(score)))
        sys.stdout.write(json.dumps([ids, median(took_ms)]) + "\n")
        sys.stdout.flush()


def _ids(tracked: Any, count: int) -> list[int]:
    """Return the number of each box in the order in which they were given."""
    ids = [-1] * count
    if len(tracked):
        for place, number in zip(tracked.data["place"], tracked.tracker_id, strict=True):
            ids[int(place)] = int(number)
    return ids


if __name__ == "__main__":
    main()
