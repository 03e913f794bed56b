"""Makes docs/images/demo.jpg from a running demo, as any consumer of it could.

    ./run demo                              # in one terminal
    .venv/bin/python docs/demo_picture.py   # in another

It listens to each camera's preview channel, finds the results of the very same frame in the
streams, and draws them.
"""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import redis

import mirante
from mirante.keys import key
from pipeline.worker_file import redis_address

CAMERAS = ("street", "face", "road")
HEIGHT, WARM_UP_S = 300, 6.0
COLOURS = ((80, 200, 80), (60, 160, 255), (230, 120, 60), (200, 80, 200))  # BGR


def preview(client: redis.Redis, camera: str) -> tuple[int, Any]:
    """The number of a frame and its picture, (height, width, 3) uint8 BGR."""
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(key(camera, "preview"))
        until_s = time.monotonic() + WARM_UP_S
        message = None
        while time.monotonic() < until_s or message is None:
            message = channel.get_message(timeout=1.0) or message
    data = message["data"]
    (length,) = struct.unpack(">I", data[:4])
    header = json.loads(data[4 : 4 + length])
    return header["seq"], cv2.imdecode(np.frombuffer(data[4 + length :], np.uint8), 1)


def drawn(picture: Any, frame: mirante.FrameResult) -> Any:
    """The picture at ``HEIGHT`` with tinted masks and labelled boxes."""
    width = round(HEIGHT * frame.width / frame.height)
    shown = cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for mask in frame.masks:
        planes = [mask.on_frame(label, frame.width, frame.height) for label in mask.labels]
        largest_first = sorted(zip(planes, COLOURS, strict=False), key=lambda p: -p[0].sum())
        for plane, colour in largest_first:  # so that a lane line is seen on its road
            inside = (
                cv2.resize(plane.astype(np.uint8), (width, HEIGHT), interpolation=cv2.INTER_NEAREST)
                > 0
            )
            shown[inside] = (0.55 * shown[inside] + 0.45 * np.array(colour)).astype(np.uint8)
    scale = HEIGHT / frame.height
    for label, score, xyxy in frame.detections:
        left, top, right, bottom = (round(v) for v in xyxy * scale)
        cv2.rectangle(shown, (left, top), (right, bottom), (40, 220, 255), 1, cv2.LINE_AA)
        words = f"{label} {score:.2f}"
        (length, _), _ = cv2.getTextSize(words, 0, 0.36, 1)
        at = (max(0, min(left, width - length)), max(10, top - 3))
        for colour, thickness in (((0, 0, 0), 3), ((40, 220, 255), 1)):
            cv2.putText(shown, words, at, 0, 0.36, colour, thickness, cv2.LINE_AA)
    return shown


def main() -> None:
    """Writes the picture."""
    url = redis_address()
    client = redis.Redis.from_url(url, protocol=3)
    tiles = []
    for camera in CAMERAS:
        seq, picture = preview(client, camera)
        kinds = ("detections", "masks")
        found = mirante.subscribe(camera, kinds, since=WARM_UP_S + 5, redis=url)
        tiles.append(drawn(picture, next(f for f in found if f.seq == seq)))
    target = Path(__file__).parent / "images/demo.jpg"
    cv2.imwrite(str(target), np.hstack(tiles), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
