"""OpenVINO's queue of asynchronous requests beside the line: readers that wait for no result.

A thread for each camera reads frames as the loops do; an ``AsyncInferQueue`` of as many requests as
there are cores, of one thread each, runs them; objects are decoded and sent where a request ends,
so that results of one camera may be in another order than its frames. The precision is what
OpenVINO takes by itself, bfloat16 where the processor has it.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from queue import SimpleQueue
from typing import Any

import cv2

from benchmarks.line.loops import Batches, Input, Loop, objects, stream_of


@dataclass(slots=True)
class _Camera:
    """The part of a camera that its requests share.

    Attributes:
        outbox: the way to Redis, for one request at a time.
        idle: inputs that no request reads.
        published: results so far.
    """

    outbox: Batches
    idle: SimpleQueue[Input] = field(default_factory=SimpleQueue)
    published: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class OpenvinoQueue:
    """A loop over the frames of cameras whose inferences are requests of one queue.

    Args:
        loop: what is read, at which size, and where results go.
    """

    def __init__(self, loop: Loop) -> None:
        cv2.setNumThreads(1)
        openvino = import_module("openvino")
        cores = len(os.sched_getaffinity(0))
        config = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, "ENABLE_CPU_PINNING": False}
        network = openvino.Core().compile_model(loop.network, "CPU", config)
        self._loop = loop
        self._queue = openvino.AsyncInferQueue(network, cores)
        self._queue.set_callback(self._on_result)
        self._starting = threading.Lock()  # a queue takes requests of one thread at a time
        self._requests = cores

    def run(self) -> int:
        """Run over all frames; return how many were published.

        Raises:
            RuntimeError: a result could not be decoded or sent.
        """
        loop = self._loop
        streams = [stream_of(index) for index in range(len(loop.sources))]
        cameras = [_Camera(Batches(loop.redis, stream, loop.batch_s)) for stream in streams]
        with ThreadPoolExecutor(len(cameras)) as threads:
            list(threads.map(self._read, range(len(cameras)), cameras))
        self._queue.wait_all()  # raises what a callback raised
        for camera in cameras:
            camera.outbox.send()
        return sum(camera.published for camera in cameras)

    def _read(self, index: int, camera: _Camera) -> None:
        for _ in range(self._requests + 1):  # all at work, and one that is filled
            camera.idle.put(Input(self._loop.at))
        for image in self._loop.images(index):
            model_input = camera.idle.get()
            model_input.fill(image)
            with self._starting:  # waits for an idle request
                began_s = time.perf_counter()
                told = camera, model_input, began_s
                self._queue.start_async(model_input.tensor, told, share_inputs=True)

    def _on_result(self, request: Any, told: tuple[_Camera, Input, float]) -> None:
        camera, model_input, began_s = told
        infer_ms = (time.perf_counter() - began_s) * 1e3
        camera.idle.put(model_input)  # whatever becomes of the result: its reader waits for it
        found = objects(request.get_output_tensor(0).data[0], self._loop.at)
        with camera.lock:
            camera.outbox.put({"number": None, "infer": infer_ms, "objects": found})
            camera.published += 1
