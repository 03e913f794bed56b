"""A subscriber in a process of its own, which loads no more than subscribers do.

``python -m tests.support.outage_listener URL FILE CAMERA...`` writes a line for each frame.
"""

import json
import sys
from pathlib import Path

import mirante


def listen(url: str, file: Path, cameras: list[str]) -> None:
    """Write what matters of each frame that comes."""
    with file.open("w", buffering=1) as out:
        for frame in mirante.subscribe(cameras, ("detections", "masks"), redis=url, since="0"):
            facts = (frame.camera, frame.seq, frame.entry_id, frame.lost_before)
            out.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    listen(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
