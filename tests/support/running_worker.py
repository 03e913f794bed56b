"""A worker on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.worker.worker import Worker


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    """Let a worker run until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join()
