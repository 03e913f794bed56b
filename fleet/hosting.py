"""A worker of ``mirante up`` as a child process of what places it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirante.backoff import Backoff
from pipeline.worker.redis_server import DIE_WITH_PARENT

log = logging.getLogger(__name__)

LOOK_S = 0.1
END_S = 25.0  # to hand its cameras over, and to send what is left


def settings_of(
    worker: str, node: str | None, cores: float | None, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the configuration of a worker of the fleet.

    Args:
        worker: its name.
        node: the machine that it is on, as the fleet calls it; None for its host name.
        cores: that its cameras may use; None for what it finds.
        extra: further keys.
    """
    fleet: dict[str, Any] = {"join": True, "node": node, "cores": cores}
    said = {**(extra or {}), "worker": worker}
    return {
        "metrics": {"port": None},
        "dashboard": {"port": None},
        **said,
        "fleet": {**said.get("fleet", {}), **fleet},
    }


class HostedWorker:
    """Runs ``mirante up`` and starts it again when it ends. It ends when this process does, however
    that ends, and hands its cameras over first.

    A process of its own, so that GStreamer and what hosts it share no threads or memory.

    Args:
        url: address of Redis, which nobody sees in a list of processes.
        settings: the worker's configuration.
    """

    def __init__(self, url: str, settings: Mapping[str, Any]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mirante-fleet-")
        config = Path(self._folder.name) / "worker.yaml"
        config.write_text(json.dumps(settings), encoding="utf-8")
        program = [sys.executable, "-c", "from pipeline.cli import main; main()"]
        self._command = [*DIE_WITH_PARENT, *program, "up", str(config), "--standby"]
        self._env = {**os.environ, "MIRANTE_REDIS__URL": url}
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel ends a child with the thread that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._keep, name="hosted", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The worker's process; None between two of them."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def close(self) -> None:
        """End the worker, and wait until others have its cameras."""
        self._over.set()
        self._thread.join()
        self._folder.cleanup()

    def _keep(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while not self._over.is_set():
            self._process = subprocess.Popen(self._command, env=self._env, stdin=subprocess.DEVNULL)
            while self._process.poll() is None and not self._over.wait(LOOK_S):
                pass
            if not self._over.is_set():
                status = self._process.returncode
                log.warning("the worker ended with status %d; restarting it", status)
                self._over.wait(backoff.next_s())
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
