"""Measure what a keeper and a worker's reading cost in a large fleet, for docs/scaling.md.

    .venv/bin/python docs/scaling_keeper.py --cameras 10000 --workers 500

The keeper, the registry and Redis are real; of the workers there are their beats alone, and one of
them follows the registry: what it reads is what each of them reads.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

import redis

from engines.console import print_table
from fleet.keeper import Keeper
from fleet.redis_use import used
from fleet.simulation.filling import camera_name, fill
from fleet.simulation.run import wanted
from fleet.simulation.servers import servers
from fleet.simulation.site import name_of
from fleet.simulation.workers import ROOM
from pipeline.control.beats import Beat, beat, end
from pipeline.control.registry import Registry, connect


class Watched:
    """A keeper, and one worker that follows the registry.

    Args:
        client: of Redis.
        workers: names of those that beat.

    Attributes:
        rows: of the table, so far.
    """

    def __init__(self, client: redis.Redis, workers: list[str]) -> None:
        self._client, self._workers, self._now_s = client, workers, 0.0
        self._keeper = Keeper(client, clock=lambda: self._now_s)
        self.reader = Registry(client, workers[-1])
        self.reader.changes()
        self.rows: list[list[str]] = []

    def happens(self, what: str, lost: int = 0, steps: int = 2) -> None:
        """Let the keeper look, with all workers beating but the first, and the reader read."""
        total_s = longest_s = 0.0
        moved = self._keeper.moved
        for _ in range(steps):
            self._now_s += 0.5
            beats_of(self._client, self._workers[lost:], round(2 * self._now_s))
            cpu_s, began_s = time.process_time(), time.monotonic()
            self._keeper.step()
            total_s += time.process_time() - cpu_s
            longest_s = max(longest_s, time.monotonic() - began_s)
        asking = used(self._client)[0]  # asking takes some kB itself
        before, read_s = used(self._client)[0], time.process_time()
        self.reader.changes()
        read_s, after = time.process_time() - read_s, used(self._client)[0]
        read = after.written_bytes - before.written_bytes - before.since(asking).written_bytes
        self.rows.append(
            [
                what,
                f"{self._keeper.moved - moved}",
                f"{total_s:.2f}",
                f"{longest_s:.2f}",
                f"{read / 1e3:.1f}",
                f"{1e3 * read_s:.1f}",
                f"{read * len(self._workers) / 1e6:.1f}",
            ]
        )


def main() -> None:
    """Measure, and print a row for each thing that happens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=500)
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = stack.enter_context(servers("one"))
        client = stack.enter_context(connect(url, 30.0))
        workers = [name_of(number) for number in range(asked.workers)]
        fill(client, [wanted(camera_name(n), n) for n in range(asked.cameras)])
        watched = Watched(client, workers)
        watched.happens("all are given")
        watched.happens("nothing")
        fill(client, [wanted(camera_name(asked.cameras), asked.cameras)])
        watched.happens("a camera added")
        lost = asked.workers // 10
        end(client, *workers[:lost])
        watched.happens(f"{lost} workers lost", lost, steps=8)
        watched.reader.forget()
        watched.happens("a worker starts", lost, steps=0)
    headings = (
        "what happens", "moves", "keeper CPU s", "its longest step s", "kB a worker reads",
        "its CPU ms", "MB if all do",
    )  # fmt: skip
    print_table(headings, watched.rows)


def beats_of(client: redis.Redis, workers: list[str], number: int) -> None:
    """Beat for workers."""
    for name in workers:
        said = Beat(run=name, number=number, node=f"node-{name}", cores=ROOM)
        beat(client, name, said)


if __name__ == "__main__":
    main()
