"""Measure how many messages Redis takes, for docs/scaling.md.

    .venv/bin/python docs/scaling_redis.py --cameras 1000 --rounds 30

One private Redis and a cluster of three, in turns; the commands are those of a worker's sender,
made before and sent as fast as they are answered. What a message costs a server's processor is what
counts: one thread of it carries out commands.
"""

from __future__ import annotations

import argparse
import statistics

from engines.console import print_table
from fleet.simulation.ceiling import Taken, measure
from fleet.simulation.servers import servers


def main() -> None:
    """Measure, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[Taken]] = {"one": [], "cluster": []}
    for _ in range(asked.turns):
        for where, taken in found.items():
            with servers(where) as url:
                taken.append(measure(url, asked.cameras, asked.rounds))
    headings = ["Redis", "messages/s here", "server us a message", "busiest server", "sender us"]
    print_table(headings, [_row(where, taken) for where, taken in found.items()])


def _row(where: str, taken: list[Taken]) -> list[str]:
    def middle(values: list[float]) -> float:
        return statistics.median(values)

    busiest = [max(s.cpu_s for s in t.servers) / t.seconds for t in taken]
    return [
        f"{where}, {taken[0].message_bytes:.0f} B a message",
        f"{middle([t.rate for t in taken]):,.0f}",
        f"{middle([t.message_us for t in taken]):.1f}",
        f"{100 * middle(busiest):.0f} % of a core",
        f"{middle([1e6 * t.client_s / t.messages for t in taken]):.1f}",
    ]


if __name__ == "__main__":
    main()
