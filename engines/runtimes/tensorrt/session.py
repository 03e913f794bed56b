"""TensorRT 10 and 11, and TensorRT-RTX: engines on an NVIDIA GPU, one session class for all.

What they share is the API by names of tensors: shapes and addresses are set on a context, and
``execute_async_v3`` queues the work on a stream. What differs is how CUDA graphs come about: see
``tensorrt_lane``.
"""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.around import Around, Kept, whole
from engines.cuda.launching import Kernels
from engines.runtimes import FeedError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.shared import SharedSessions
from engines.runtimes.tensorrt.cuda import Cuda, CudaError
from engines.runtimes.tensorrt.engine import Engine
from engines.runtimes.tensorrt.lane import Lane
from engines.runtimes.tensorrt.library import Library, library
from engines.runtimes.tensorrt.plan import check_plan, read_plan

log = logging.getLogger(__name__)

# Two: while one call's images and results are copied, another's are computed. A GPU runs the
# kernels of one engine at a time or little faster, so that more would only take its memory.
_LANES = 2


class TensorrtSession:
    """An engine on the GPU, tried out and ready.

    ``run`` may be called by several threads: two run at once, each with a stream, a context and
    buffers of its own; others wait. GPU memory is freed by ``close``, or with the last reference.

    Args:
        library: TensorRT or TensorRT-RTX.
        cuda: CUDA, with the index of the GPU.
        path: the engine's file.
        driver: CUDA's driver, as of ``Kernels``.

    Raises:
        RefusedError: the file is no engine, damaged, or for another version or GPU.
        RuntimeError: there is no GPU or driver, or its memory is full.
    """

    lanes = _LANES  # calls that run at once

    def __init__(self, library: Library, cuda: Cuda, path: Path, driver: Any = None) -> None:
        plan = read_plan(path)
        check_plan(plan, path, library.runtime, library.version)
        try:
            gpu = cuda.gpu()
        except RuntimeError as error:
            raise RuntimeError(
                f"{path}: {library.runtime} runs on an NVIDIA GPU: {error}"
            ) from error
        self._engine = Engine(library, path, plan, gpu)
        self.inputs: Mapping[str, TensorInfo] = self._engine.inputs
        self.outputs: Mapping[str, TensorInfo] = self._engine.outputs
        self._idle: queue.SimpleQueue[Lane | None] = queue.SimpleQueue()  # None: closed
        self._closing = threading.Lock()
        self._lanes: list[Lane] = []
        self._cuda, self._driver = cuda, driver
        self._kernels: list[Kernels] = []  # one, once it was asked for
        self._loading, self._refused = threading.Lock(), False
        self._finalizer = weakref.finalize(self, _release, self._lanes, self._kernels)
        self._finalizer.atexit = False  # the process gives all back by itself
        try:
            for _ in range(self.lanes):
                lane = Lane(self._engine, cuda)
                self._lanes.append(lane)
                self._warm_up(lane)
                self._idle.put(lane)
        except BaseException:
            self._finalizer()
            raise
        self._engine.save_cache()

    @property
    def largest_batch(self) -> int:
        """Most images in one call."""
        return min((each.largest[0] for each in self._engine.profiles.values()), default=1)

    @property
    def gpu(self) -> int:
        """The index of the GPU that it is on."""
        return self._cuda.index

    @property
    def works_around(self) -> bool:
        """Whether ``run_around`` can be called: kernels are loaded when this is first asked.

        Where they cannot be, the log says why, once.
        """
        with self._loading:
            if not self._kernels and not self._refused:
                try:
                    self._kernels.append(Kernels(self._cuda, self._driver))
                except (ImportError, RuntimeError) as error:
                    self._refused = True
                    words = "the host prepares images and reads whole outputs"
                    log.warning("%s: %s: %s", self._engine.path, words, error)
            return bool(self._kernels)

    def run_around(
        self, feeds: Tensors, arounds: Sequence[Around], by_s: float | None = None
    ) -> list[Kept]:
        """Run a batch with kernels before and after the network; return what came back of each.

        Args:
            feeds: the inputs that no kernel fills, their first axis as long as ``arounds``.
            arounds: the work for each image; all have one key.
            by_s: not used: who waits for a lane gets it in his turn.

        Raises:
            FeedError: an input is missing, or has another shape or type than the engine's.
            RuntimeError: as of ``run``.
        """
        del by_s
        self._check(whole(feeds, arounds, self.inputs))
        with self._lane() as lane:
            return lane.run_around(feeds, arounds, self._kernels[0])

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name; the arrays are the caller's own.

        Raises:
            FeedError: an input is missing, is not the engine's, or has another shape or type.
            RuntimeError: the GPU or the library fails, or the session is closed.
        """
        self._check(feeds)
        with self._lane() as lane:
            return lane.run(feeds)

    def close(self) -> None:
        """Waits for the calls that run, then frees the GPU's memory; later calls are refused."""
        with self._closing:
            if self.is_closed:
                return
            for _ in self._lanes:
                self._idle.get()
            self._engine.save_cache()
            self._finalizer()
            self._idle.put(None)

    @property
    def is_closed(self) -> bool:
        """True once ``close`` was called."""
        return not self._finalizer.alive

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """Lend an idle lane."""
        lane = self._idle.get()
        try:
            if lane is None:
                raise RuntimeError(f"{self._engine.path}: the session is closed")
            yield lane
        finally:
            self._idle.put(lane)

    def _warm_up(self, lane: Lane) -> None:
        """Twice, so that what the first call allocates and the second records is done."""
        zeros = {
            name: np.zeros(profile.likeliest, self.inputs[name].dtype)
            for name, profile in self._engine.profiles.items()
        }
        for _ in range(2):
            lane.run(zeros)

    def _check(self, feeds: Tensors) -> None:
        check_feeds(self.inputs, feeds)
        for name, profile in self._engine.profiles.items():
            if not profile.holds(feeds[name].shape):
                raise FeedError(
                    f"input {name}: expected {profile}, for which the engine was built, "
                    f"got {feeds[name].shape}"
                )


def _release(lanes: list[Lane], kernels: list[Kernels]) -> None:
    while lanes:
        lanes.pop().close()
    while kernels:
        try:
            kernels.pop().close()
        except CudaError as error:  # as where memory is given back
            log.warning("%s", error)


def _sessions(runtime: str) -> SharedSessions:
    return SharedSessions(lambda path, _threads: TensorrtSession(library(runtime), Cuda(), path))


_TENSORRT, _RTX = _sessions("tensorrt"), _sessions("tensorrt-rtx")
_LEAN = _sessions("tensorrt-lean")
_THREADS = 0  # of no meaning: the work is the GPU's


def open_session(path: Path, threads: int) -> Session:
    """The process's one session for this engine of TensorRT (as its file is now).

    Args:
        path: the engine, a file that ``engines.builder.tensorrt`` made.
        threads: not used: the work is the GPU's.

    Raises:
        ImportError: TensorRT or cuda-bindings are not installed; names the extra.
        RefusedError: the file is no engine, damaged, or for another version or GPU.
        RuntimeError: there is no GPU or driver, or its memory is full.
    """
    return _TENSORRT.open(path, _THREADS)


def open_lean_session(path: Path, threads: int) -> Session:
    """The same for an engine that TensorRT built for its lean runtime, which runs it."""
    return _LEAN.open(path, _THREADS)


def open_rtx_session(path: Path, threads: int) -> Session:
    """The same for an engine of TensorRT-RTX.

    What the library compiles for the GPU here is kept beside the engine as ``<file>.cache``.
    """
    return _RTX.open(path, _THREADS)
