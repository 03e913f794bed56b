"""The loops that an engineer writes without a pipeline: a reader, ONNX Runtime, Redis.

They do what ``mirinfer model=yolox-nano ! mirpublish`` does, without a graph, an account, an
outbox, timings or reconnecting, and as well as such loops can: on the line's own network at its
own size, in sessions that have as many threads as the line's and do not spin, with one thread for a
decoder, cells without an object left out before classes are looked at, and results sent in batches.
Live cameras are read over TCP, with FFmpeg told to hold nothing back; it holds each frame until the
next one begins all the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np
import onnxruntime as ort
import redis
from numpy.typing import NDArray

if TYPE_CHECKING:  # a peer's process has no engines
    from engines.placement import Placement

Image = NDArray[np.uint8]
Reader = Callable[[str, tuple[int, int]], Iterator[Image]]
STRIDES = (8, 16, 32)
SCORE, OVERLAP = 0.3, 0.45
BATCH, BATCH_S = 16, 0.1  # results of one exchange with Redis, and how long the first one waits
PROMPT = {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"}


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop over the frames of cameras, a thread for each. A message has the number in the image,
    where one is looked for, the milliseconds of the inference, and the objects.

    Attributes:
        read: yields the frames of a clip or a live camera, BGR, at a size.
        sources: the clip or the address of each camera.
        network: a file of yolox-nano.
        at: the place of a frame in its input tensor, from the top left corner.
        redis: address of a Redis.
        threads: of one inference.
        frames: of each; None for all.
        number: reads the number of a frame.
        batch_s: how long the first result of an exchange with Redis waits.
    """

    read: Reader
    sources: tuple[str, ...]
    network: Path
    at: Placement
    redis: str
    threads: int
    frames: int | None = None
    number: Callable[[Image], int | None] | None = None
    batch_s: float = BATCH_S

    def prepare(self) -> Callable[[], int]:
        """Load; the call runs over all frames and returns how many were published."""
        cv2.setNumThreads(1)
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        session = ort.InferenceSession(str(self.network), options, providers=providers)

        def run() -> int:
            cameras = range(len(self.sources))
            with ThreadPoolExecutor(len(cameras)) as threads:
                return sum(threads.map(partial(self._camera, session), cameras))

        return run

    def _camera(self, session: Any, index: int) -> int:
        model_input = Input(self.at)
        outbox = Batches(self.redis, stream_of(index), self.batch_s)
        published = 0
        for image in self.images(index):
            number = self.number(image) if self.number else None
            model_input.fill(image)
            began_s = time.perf_counter()
            (raw,) = session.run(None, {"images": model_input.tensor})
            infer_ms = (time.perf_counter() - began_s) * 1e3
            found = objects(raw[0], self.at)
            outbox.put({"number": number, "infer": infer_ms, "objects": found})
            published += 1
        outbox.send()
        return published

    def images(self, index: int) -> Iterator[Image]:
        """Yield the frames of a camera, BGR, as large as they are in the tensor."""
        left, top, right, bottom = self.at.content
        return islice(self.read(self.sources[index], (right - left, bottom - top)), self.frames)


class Input:
    """An input of the network: ``tensor``, (1, 3, height, width) float32, and what writes frames
    into it.
    """

    def __init__(self, at: Placement) -> None:
        left, top, right, bottom = at.content
        self.tensor = np.full((1, 3, at.size[1], at.size[0]), 114, np.float32)
        self._content = self.tensor[0, :, top:bottom, left:right]
        self._planes = [np.empty((bottom - top, right - left), np.uint8) for _ in range(3)]

    def fill(self, image: Image) -> None:
        """Write a frame, BGR of the size that it has there."""
        cv2.split(image, self._planes)
        for channel, plane in zip(self._content, self._planes, strict=True):
            channel[...] = plane


def stream_of(index: int) -> str:
    """Return the key of the stream that a loop's camera fills."""
    return f"loop:{index}"


class Batches:
    """Results on their way to a stream."""

    def __init__(self, url: str, stream: str, wait_s: float) -> None:
        self._client, self._stream, self._wait_s = redis.Redis.from_url(url), stream, wait_s
        self._waiting: list[bytes] = []
        self._since_s = 0.0

    def put(self, message: dict[str, Any]) -> None:
        """Take a result; send all if there are enough, or the first has waited long enough."""
        if not self._waiting:
            self._since_s = time.monotonic()
        self._waiting.append(msgspec.json.encode(message))
        if len(self._waiting) >= BATCH or time.monotonic() - self._since_s > self._wait_s:
            self.send()

    def send(self) -> None:
        """Send all that wait."""
        pipe = self._client.pipeline(transaction=False)
        for each in self._waiting:
            pipe.xadd(self._stream, {"json": each}, maxlen=1000, approximate=True)
        pipe.execute()
        self._waiting.clear()


def by_opencv(source: str, size: tuple[int, int]) -> Iterator[Image]:
    """Yield the frames of a clip or a camera, BGR of ``size``, read by OpenCV with one thread."""
    if is_live(source):
        prompt = "|".join(f"{name};{value}" for name, value in PROMPT.items())
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = prompt
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    resized = np.empty((size[1], size[0], 3), np.uint8)
    while (got := capture.read())[0]:
        cv2.resize(got[1], size, dst=resized)
        yield resized


def is_live(source: str) -> bool:
    """Return True for the address of a camera, False for a file."""
    return "://" in source


def by_pyav(source: str, size: tuple[int, int]) -> Iterator[Image]:
    """Yield the frames of a clip or a camera, BGR of ``size``, decoded by PyAV with one thread.

    Frames are I420. Planes are scaled by OpenCV and then converted: the fastest of what PyAV's own
    ``reformat``, conversion before scaling, and this were measured to be.
    """
    width, height = size[0] + size[0] % 2, size[1] + size[1] % 2
    planes = np.empty((height * 3 // 2, width), np.uint8)
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    bgr = np.empty((height, width, 3), np.uint8)
    targets = (planes[:height], chroma[0], chroma[1])
    options = PROMPT if is_live(source) else {}
    with import_module("av").open(source, options=options) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for decoded in container.decode(stream):
            is_halved = decoded.format.name in ("yuv420p", "yuvj420p")
            frame = decoded if is_halved else decoded.reformat(format="yuv420p")
            for plane, target in zip(frame.planes, targets, strict=True):
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                seen = rows[: plane.height, : plane.width]
                cv2.resize(seen, target.shape[::-1], dst=target)
            cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420, dst=bgr)
            yield bgr[: size[1], : size[0]]


READERS: dict[str, Reader] = {"cv2_loop": by_opencv, "pyav_loop": by_pyav}


def objects(raw: NDArray[np.float32], at: Placement) -> list[dict[str, Any]]:
    """Return the objects in the (cells, 5 + classes) output of YOLOX, in pixels of the frame."""
    likely = np.flatnonzero(raw[:, 4] >= SCORE)
    cells = raw[likely]
    scores = cells[:, 4:5] * cells[:, 5:]
    class_id = scores.argmax(1)
    score = scores[np.arange(len(cells)), class_id]
    grid = _grid(at.size)[likely]
    size = np.exp(cells[:, 2:4]) * grid[:, 2:]
    centre = (cells[:, :2] + grid[:, :2]) * grid[:, 2:]
    offset, scale = np.array(at.offset, np.float32), np.array(at.scale * 2, np.float32)
    boxes = np.concatenate([centre - size / 2 - offset, size], 1) / scale
    nms: Any = cv2.dnn.NMSBoxesBatched
    kept = nms(boxes.astype(np.float64), score, class_id.astype(np.int32), SCORE, OVERLAP)
    return [
        {"class": int(class_id[i]), "score": float(score[i]), "bbox": boxes[i].tolist()}
        for i in kept
    ]


_grids: dict[tuple[int, int], NDArray[np.float32]] = {}


def _grid(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return column, row and stride of each cell of an input of ``size``."""
    if size not in _grids:
        grids = []
        for stride in STRIDES:
            x, y = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride))
            grids.append(np.stack((x, y, np.full_like(x, stride)), 2).reshape(-1, 3))
        _grids[size] = np.concatenate(grids).astype(np.float32)
    return _grids[size]
