"""Which outbox an element writes to: the worker's, or one of its own by address."""

from __future__ import annotations

import logging
import os
import threading

from plugins.ledger import account_lost
from plugins.outbox.outbox import Outbox

log = logging.getLogger(__name__)

_lock = threading.Lock()
_worker: list[Outbox] = []
_by_url: dict[str, tuple[Outbox, int]] = {}  # the outbox and how many elements use it


def attach(outbox: Outbox) -> None:
    """Makes ``outbox`` the one of elements that name no Redis."""
    with _lock:
        _worker[:] = [outbox]


def detach() -> None:
    """Forgets the worker's outbox."""
    with _lock:
        _worker.clear()


def acquire(url: str) -> Outbox:
    """The outbox for a Redis URL, started on first use; empty stands for the worker's.

    Raises:
        ValueError: no URL, no worker and no MIRANTE_REDIS_URL.
    """
    with _lock:
        if not url and _worker:
            return _worker[0]
        url = url or os.environ.get("MIRANTE_REDIS_URL", "")
        if not url:
            raise ValueError("redis: not set; expected redis://HOST:PORT, or MIRANTE_REDIS_URL")
        outbox, users = _by_url.get(url, (None, 0))
        if outbox is None:
            outbox = Outbox(url, on_lost=account_lost)
            outbox.start()
        _by_url[url] = (outbox, users + 1)
        return outbox


def release(outbox: Outbox, timeout_s: float = 5.0) -> None:
    """Gives an acquired outbox back; the last user of one by address flushes and closes it."""
    with _lock:
        for url, (shared, users) in list(_by_url.items()):
            if shared is not outbox:
                continue
            if users > 1:
                _by_url[url] = (shared, users - 1)
                return
            del _by_url[url]
            break
        else:
            return
    if lost := outbox.close(timeout_s):
        log.warning("%d frames never reached Redis: %s", lost, outbox.state.words)
