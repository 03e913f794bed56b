"""A model's network, its file within a time limit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

from engines.made import network_of
from engines.manifest import Manifest
from engines.store.models import ModelUnavailableError, resolve_file

POLL_S = 0.2


def network_within(manifest: Manifest, limit_s: float) -> tuple[Manifest, Path]:
    """Return what ``network_of`` does, or give up when its file is late.

    Name servers, network folders, proxies, and servers that send a byte a second have no time
    limit in common. The search therefore runs on a thread of its own. A thread that is late is left
    behind: it stops at the next piece that arrives, and removes its partial file. A process that
    ends meanwhile does not wait for it.

    Args:
        manifest: the model's.
        limit_s: seconds for all places together; making the network has its own time.

    Raises:
        ModelUnavailableError: as ``network_of``, or the file is late.
        ManifestError: as ``network_of``.
    """
    until_s = time.monotonic() + limit_s
    words = f"not ready within {limit_s:g} s"
    tried: list[str] = []
    found: Future[Path] = Future()

    def progress(_done: int, _total: int | None) -> None:
        if time.monotonic() > until_s:
            raise TimeoutError(words)

    def search() -> None:
        try:
            found.set_result(resolve_file(manifest, progress, tried))
        except Exception as error:  # noqa: BLE001 raised again for whoever waits
            found.set_exception(error)

    threading.Thread(target=search, name=f"network-of-{manifest.name}", daemon=True).start()
    while not found.done():
        try:
            found.result(POLL_S)
        except TimeoutError:
            if time.monotonic() > until_s or not threading.main_thread().is_alive():
                late = f"model {manifest.name}: {words}"
                raise ModelUnavailableError(late, [*tried, words]) from None
    found.result()
    return network_of(manifest)
