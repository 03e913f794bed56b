"""A fleet whose workers are beats alone, by a clock that the test turns."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import redis

from fleet.keeper import Keeper
from mirante.keys import owner_key
from pipeline.control.beats import Beat, beat
from pipeline.control.entries import Needs
from pipeline.control.registry import Registry

SPEC = {"url": "test://", "stages": []}


class Site:
    """Workers that are beats alone."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.now_s = client, 100.0
        self.keeper = Keeper(client, lambda: self.now_s)
        self.registry = Registry(client)
        self.workers: dict[str, Beat] = {}

    def join(self, worker: str, cores: float = 4.0, **offers: object) -> None:
        said = {"run": worker, "number": 0, "node": f"{worker}-node", "cores": cores, **offers}
        self.workers[worker] = Beat(**said)  # type: ignore[arg-type]

    def add(self, *cameras: str, needs: Needs | None = None) -> None:
        for camera in cameras:
            self.registry.add(camera, SPEC, needs or Needs())

    def pass_by(self, seconds: float, but: Collection[str] = (), step_s: float = 0.25) -> int:
        """Let a while pass in which all beat but some; return how many cameras moved."""
        moved, until_s = 0, self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += step_s
            for worker, said in self.workers.items():
                if worker not in but:
                    number = int(self.now_s * 10)
                    self.workers[worker] = msgspec.structs.replace(said, number=number)
                    beat(self.client, worker, self.workers[worker])
            moved += self.keeper.step()
            self.arrive()
        return moved

    def arrive(self) -> None:
        """Those that have cameras publish them, as soon as they are given some."""
        for name, entry in self.registry.cameras().items():
            if entry.worker:
                self.client.set(owner_key(name), f"{entry.worker}:x.1")

    def places(self) -> dict[str, str]:
        return {name: entry.worker for name, entry in self.registry.cameras().items()}
