"""Models that workers of the fleet fetch: where they are put, and which cameras name them."""

from __future__ import annotations

from pathlib import Path

import redis

from pipeline.config.load import load_settings
from pipeline.config.settings import Settings
from pipeline.config.stages.stage import read_stage
from pipeline.control.blob_places import BlobPlace, place_of
from pipeline.control.carried_models import Pinned, file_of, pinned
from pipeline.control.registry import Registry


def place_by(client: redis.Redis, config: Path | None = None) -> BlobPlace:
    """Return where models are put: the bucket that the configuration or the environment names, else
    Redis.

    Raises:
        ConfigError: the configuration is wrong.
        BlobError: the client library of the bucket is not installed.
    """
    settings = Settings() if config is None else load_settings(config)
    return place_of(settings.fleet.models_s3, client)


def named(client: redis.Redis) -> dict[Pinned, list[str]]:
    """Return the models that travel, each with the cameras that name it.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found: dict[Pinned, list[str]] = {}
    for name, entry in Registry(client).cameras().items():
        for said in entry.spec.get("stages") or ():
            stage = read_stage(said)
            for use in stage.models() if stage else ():
                if (pin := pinned(use.name)) is not None:
                    found.setdefault(pin, []).append(name)
    return found


def pruned(place: BlobPlace, client: redis.Redis) -> set[str]:
    """Remove what no camera names; return the digests.

    Raises:
        BlobError: the place does not answer.
        redis.RedisError: Redis does not answer.
    """
    kept: set[str] = set()
    for pin in named(client):
        if place.has(pin.digest):
            kept |= {pin.digest, file_of(place, pin.digest)}
    gone = place.digests() - kept
    for digest in gone:
        place.remove(digest)
    return gone
