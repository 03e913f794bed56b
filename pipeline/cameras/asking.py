"""Questions to the network, asked on a thread of their own so that a stop need not wait for DNS."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from pipeline.cameras.state import Fault

NAME_SERVER_S = 4.0  # more than an answer, to find a camera's address
_TICK_S = 0.25

Answer = str | Fault | None


def ask(
    question: Callable[[], Answer],
    answer_s: float,
    stop: threading.Event,
    silent: Answer = None,
) -> Answer:
    """Ask, and wait for the answer.

    Args:
        question: asks, and takes ``answer_s`` at most once a name server has answered.
        answer_s: see there.
        stop: ends the wait.
        silent: the answer where none comes in time.

    Returns:
        The answer; ``silent`` without one in time, None when a stop was requested.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(question()), name="ask", daemon=True).start()
    until_s = time.monotonic() + answer_s + NAME_SERVER_S
    while not stop.is_set() and time.monotonic() < until_s:
        try:
            return answers.get(timeout=_TICK_S)
        except queue.Empty:
            continue
    return None if stop.is_set() else silent
