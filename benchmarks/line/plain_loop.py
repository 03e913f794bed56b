"""The loop that a user would write: OpenCV, ONNX Runtime and Redis, one thread per camera.

It does what ``mirinfer model=yolox-nano ! mirpublish`` does, without a graph, an account, an
outbox, timings or reconnecting. Its sessions have as many threads as the line's: with the options
that ONNX Runtime comes with, those of several cameras spin on all cores and take twice the time.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import redis
from numpy.typing import NDArray

SIZE = 416


def run_plain(
    clip: Path, weights: Path, cameras: int, frames: int, redis_url: str, threads: int
) -> int:
    """Run ``cameras`` threads over the first ``frames`` frames of a clip; return frames done.

    Args:
        threads: of one inference.
    """
    done = [0] * cameras
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads

    def camera(index: int) -> None:
        session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        client = redis.Redis.from_url(redis_url)
        capture = cv2.VideoCapture(str(clip))
        while done[index] < frames:
            more, picture = capture.read()
            if not more:
                break
            blob, scale = _letterbox(picture)
            (raw,) = session.run(None, {"images": blob})
            objects = _objects(raw[0], scale)
            client.xadd(f"plain:{index}", {"json": json.dumps(objects)}, maxlen=1000)
            done[index] += 1

    loops = [threading.Thread(target=camera, args=(i,)) for i in range(cameras)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    return sum(done)


def _letterbox(picture: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    scale = min(SIZE / picture.shape[0], SIZE / picture.shape[1])
    size = (int(picture.shape[1] * scale), int(picture.shape[0] * scale))
    padded = np.full((SIZE, SIZE, 3), 114, np.uint8)
    padded[: size[1], : size[0]] = cv2.resize(picture, size)
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32), scale


def _objects(raw: NDArray[np.float32], scale: float) -> list[dict[str, Any]]:
    grids, strides = [], []
    for stride in (8, 16, 32):
        cells = SIZE // stride
        x, y = np.meshgrid(np.arange(cells), np.arange(cells))
        grids.append(np.stack((x, y), 2).reshape(-1, 2))
        strides.append(np.full((cells * cells, 1), stride))
    grid, stride_of = np.concatenate(grids), np.concatenate(strides)
    centre = (raw[:, :2] + grid) * stride_of
    size = np.exp(raw[:, 2:4]) * stride_of
    scores = raw[:, 4:5] * raw[:, 5:]
    class_id, score = scores.argmax(1), scores.max(1)
    boxes = np.concatenate([centre - size / 2, size], 1) / scale
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), score.tolist(), 0.3, 0.45)
    return [
        {"class": int(class_id[i]), "score": float(score[i]), "bbox": boxes[i].tolist()}
        for i in np.array(kept, int).flatten()
    ]
