"""Cameras that are added to a fleet from this machine, with the models that they take along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import redis

from mirante.keys import CAMERAS
from pipeline.config.clips import Bucket
from pipeline.control.blob_places import place_of
from pipeline.control.carried_models import carried
from pipeline.control.entries import Needs
from pipeline.control.fleet_room import check_fleet
from pipeline.control.registry import Registry


def add_to_fleet(
    client: redis.Redis,
    name: str,
    spec: Mapping[str, Any],
    needs: Needs,
    bucket: Bucket | None = None,
) -> None:
    """Add a camera to the fleet, or replace one of the fleet, its models with it.

    Args:
        client: a Redis client that answers bytes.
        name: the camera's.
        spec: its keys.
        needs: what its worker must offer.
        bucket: where a model goes that others cannot get by its name; None for Redis.

    Raises:
        RegistryError: there is no fleet, it is full, or the name is another's.
        ConfigError, CredentialsError: as of ``Registry.put``.
        ManifestError, ModelUnavailableError, BlobError: a model cannot travel.
        redis.RedisError: Redis does not answer.
    """
    [known] = cast(list[bytes | None], client.hmget(CAMERAS, [name]))
    if known is None:
        check_fleet(client, needs)
    Registry(client).put(name, with_models(client, spec, bucket), needs)


def with_models(
    client: redis.Redis, keys: Mapping[str, Any], bucket: Bucket | None = None
) -> dict[str, Any]:
    """Return keys of a camera of the fleet, the models that they name put where workers fetch them.

    Args:
        client: a Redis client that answers bytes.
        keys: of ``Camera``.
        bucket: as of ``add_to_fleet``.

    Raises:
        ManifestError, ModelUnavailableError, BlobError: a model cannot travel.
    """
    stages = keys.get("stages")
    if not stages:
        return dict(keys)
    return {**keys, "stages": carried(place_of(bucket, client), stages)}
