"""Some cameras in a process of their own, as a worker runs them, until it is terminated.

python -m benchmarks.gpu.worker '{"redis": "redis://…", "cameras": {"bench0": {"url": …}}}'
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Cameras:
    """What such a process runs: the address of Redis, and each camera's keys by its name."""

    redis: str
    cameras: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, text: str) -> Cameras:
        """Return what ``text`` wrote in another process."""
        return _read.decode(text)

    def text(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()


_read = msgspec.json.Decoder(Cameras)


def main() -> None:
    """Run the cameras."""
    from benchmarks.line.cameras import running

    task = Cameras.read(sys.argv[1])
    with running(task.redis, task.cameras, threads=1):
        threading.Event().wait()


if __name__ == "__main__":
    main()
