"""``python -m fleet.gentle …``: a command of ``mirante`` that starts beside others that work.

What a worker imports takes a core for seconds. It is imported by a thread of low priority, so that
the cameras of other workers of the machine go first; then the command runs as any other. A thread
may lower its own priority without any right, and nobody has to raise one again.
"""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import suppress

NICENESS = 10  # weighs a tenth of what works
FIRST = ("numpy", "cv2")  # whose threads stay, and are to have the priority of the process
MODULES = (
    "pipeline.cli",
    "pipeline.cli.configured",
    "pipeline.cli.live",
    "pipeline.config.load",
    "pipeline.gst.camera",
    "pipeline.worker.process",
)


def load() -> None:
    """Import what ``mirante up`` does, by a thread of low priority."""
    for name in FIRST:
        importlib.import_module(name)
    thread = threading.Thread(target=_load, name="load")
    thread.start()
    thread.join()


def _load() -> None:
    os.nice(NICENESS)  # of this thread alone, on Linux
    for name in MODULES:
        with suppress(Exception):  # which the command says
            importlib.import_module(name)


def main() -> None:
    """The module as a command."""
    load()
    from pipeline.cli import main

    main()


if __name__ == "__main__":
    main()
