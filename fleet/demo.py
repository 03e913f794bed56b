"""What ``mirante fleet up`` adds to a fleet to be looked at, and says of it."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress

import redis
import typer

from engines.console import print_table
from pipeline.control.beats import beats
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Needs
from pipeline.control.registry import Registry, UnknownCameraError

DEMO = {"url": "test://?size=640x360&fps=10", "stages": [{"model": "street"}], "fps": 5}

log = logging.getLogger(__name__)


def add_demo(client: redis.Redis, count: int) -> None:
    """Add drawn cameras, which the fleet gives to its workers."""
    registry = Registry(client)
    for number in range(count):
        registry.put(_name(number), DEMO, Needs())


def remove_demo(client: redis.Redis, count: int) -> None:
    """Remove those of the drawn cameras that are still there."""
    registry = Registry(client)
    try:
        for number in range(count):
            with suppress(UnknownCameraError):  # somebody else removed it
                registry.remove(_name(number))
    except (redis.RedisError, RegistryError) as error:
        log.error("the drawn cameras stay: %s", error)


def say(client: redis.Redis) -> None:
    """Print which worker has how many cameras, or that Redis does not tell: the fleet runs on."""
    try:
        given = Counter(e.worker for e in Registry(client).cameras().values() if e.fleet)
        rows = [
            [worker, beat.node, str(given[worker]), f"{beat.cores:.1f}"]
            for worker, beat in sorted(beats(client).items())
        ]
    except redis.RedisError as error:
        typer.echo(f"Redis does not answer, and the fleet waits for it: {error}")
        return
    print_table(["worker", "node", "cameras", "cores"], rows)


def _name(number: int) -> str:
    return f"drawn-{number + 1}"
