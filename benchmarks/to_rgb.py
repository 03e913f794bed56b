"""Measures what decoding, scaling and converting to RGB costs with ``mirrgb``, and without.

usage: python -m benchmarks.to_rgb CLIP …    (H.264 in MP4)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import typer

from benchmarks.machine import describe_machine
from engines.console import print_table
from pipeline.gst.floor import prepare_decoding, trim_clip

FRAMES, ROUNDS = 120, 9
WAYS = {
    "mirrgb": "mirrgb",
    "videoscale, videoconvert": "capssetter caps=video/x-raw,colorimetry=bt601 join=true "
    "! videoscale add-borders=false ! videoconvert",
}


def main(clips: list[Path]) -> None:
    """Time each clip in each way, in turn, so that a slow minute meets them all."""
    typer.echo(describe_machine())
    rows = []
    for clip in clips:
        trimmed = trim_clip(clip, FRAMES, Path(".cache/bench"))
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, times in taken.items():
                began_s = time.process_time()
                prepare_decoding(trimmed, 1, to_rgb=WAYS[way])()
                times.append((time.process_time() - began_s) / FRAMES * 1000)
        rows += [
            (clip.name, way, f"{min(times):.2f}", f"{median(times):.2f}")
            for way, times in taken.items()
        ]
    print_table(("clip", "by", "least CPU ms/frame", "median"), rows)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
