"""A model's network within a time limit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

from engines.made import network_of
from engines.manifest import Manifest
from engines.store.models import ModelUnavailableError


def network_within(manifest: Manifest, limit_s: float) -> tuple[Manifest, Path]:
    """Return what ``network_of`` does, or give up when time is up.

    Name servers, network folders, proxies, and servers that send a byte a second have no time
    limit in common. The search therefore runs on a thread of its own. A thread that is late is left
    behind: it stops at the next piece that arrives, and removes its partial file.

    Args:
        manifest: the model's.
        limit_s: seconds for all places together, and for making the network.

    Raises:
        ModelUnavailableError: as ``network_of``, or time is up.
        ManifestError: as ``network_of``.
    """
    until_s = time.monotonic() + limit_s
    words = f"not ready within {limit_s:g} s"
    tried: list[str] = []
    found: Future[tuple[Manifest, Path]] = Future()

    def progress(_done: int, _total: int | None) -> None:
        if time.monotonic() > until_s:
            raise TimeoutError(words)

    def search() -> None:
        try:
            found.set_result(network_of(manifest, progress, tried))
        except Exception as error:  # noqa: BLE001 raised again for whoever waits
            found.set_exception(error)

    threading.Thread(target=search, name=f"network-of-{manifest.name}", daemon=True).start()
    try:
        return found.result(limit_s)
    except TimeoutError:
        raise ModelUnavailableError(f"model {manifest.name}: {words}", [*tried, words]) from None
