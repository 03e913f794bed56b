"""Requests to a worker, answered as its main loop does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.control.rpc import Requests


@contextmanager
def polled(requests: Requests) -> Iterator[None]:
    """Answer requests on a thread."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(0.01):
            requests.poll()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
