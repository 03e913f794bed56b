"""A worker of ``mirante up`` as a child process of what places it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from pipeline.worker.kept_processes import KeptProcess, Plan

END_S = 25.0  # to hand its cameras over, and to send what is left
PAUSE_S = (0.1, 5.0)  # before a worker is started again: at first, and at most
PROGRAM = (sys.executable, "-m", "fleet.gentle")


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
        self._config = os.memfd_create("worker.yaml")  # leaves nothing, whoever is killed
        os.write(self._config, json.dumps(settings).encode())
        plan = Plan(
            settings["worker"],
            (*PROGRAM, "up", f"/proc/self/fd/{self._config}", "--standby"),
            {"MIRANTE_REDIS__URL": url},
            (self._config,),
        )
        self._kept = KeptProcess(plan, pause_s=PAUSE_S, gives_up=False)

    @property
    def pid(self) -> int | None:
        """The worker's process; None between two of them."""
        return self._kept.pid

    def close(self) -> None:
        """End the worker, and wait until others have its cameras."""
        self._kept.close(END_S)
        os.close(self._config)
