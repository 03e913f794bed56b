"""Make clients: of one server, of the primary that Sentinels name, of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
from redis.connection import parse_url

from mirante.servers.aio import ClusterAio
from mirante.servers.cluster import Cluster
from mirante.servers.connections import CLASSES, CLASSES_AIO, Pool, PoolAio
from mirante.servers.sentinels import SentinelPool, SentinelPoolAio, Sentinels, SentinelsAio, Words
from mirante.servers.several import Several

Options = Mapping[str, Any]
"""Keyword arguments of redis-py's connections, without where they lead."""


def of_one(address: str, options: Options) -> redis.Redis:
    """Make a client of one server."""
    kind = CLASSES[address.partition("://")[0]]
    pool = Pool(**{**parse_url(address), **options, "connection_class": kind})
    made: redis.Redis = redis.Redis.from_pool(pool)
    return made


def of_several(
    several: Several,
    options: Options,
    sentinels: Sequence[tuple[redis.Redis, Words]],
    shape: Callable[[redis.Redis], redis.Redis],
) -> redis.Redis:
    """Make a client of a cluster, or of the primary that Sentinels name.

    Args:
        several: the address.
        options: of connections to the servers.
        sentinels: clients of the Sentinels, each with what explains its errors; of a cluster none.
        shape: is given each client of one server.
    """
    if several.is_cluster:
        connect = several.of_server
        return Cluster(several.nodes, lambda node: shape(of_one(connect(node), options)))
    pool = SentinelPool(several.service, Sentinels(sentinels), several.is_tls, **options)
    return shape(redis.Redis.from_pool(pool))


def async_of_one(address: str, options: Options) -> redis.asyncio.Redis:
    """Make a client of one server, for the event loop."""
    kind = CLASSES_AIO[address.partition("://")[0]]
    pool = PoolAio(**{**parse_url(address), **options, "connection_class": kind})
    return redis.asyncio.Redis.from_pool(pool)


def async_of_several(
    several: Several,
    options: Options,
    sentinels: Sequence[tuple[redis.asyncio.Redis, Words]],
    shape: Callable[[redis.asyncio.Redis], redis.asyncio.Redis],
) -> redis.asyncio.Redis:
    """As ``of_several``, for the event loop."""
    if several.is_cluster:
        connect = several.of_server
        return ClusterAio(several.nodes, lambda node: shape(async_of_one(connect(node), options)))
    pool = SentinelPoolAio(several.service, SentinelsAio(sentinels), several.is_tls, **options)
    return shape(redis.asyncio.Redis.from_pool(pool))
