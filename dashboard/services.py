"""The services that all routes use: Redis clients, access, live images, the last minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, cast

from fastapi import Depends
from redis import Redis
from starlette.requests import HTTPConnection

from dashboard.access import Access
from dashboard.history.sampler import Sampler
from dashboard.live.hub import Hub
from dashboard.redis_clients import async_client, plain_client
from mirante.redis_url import RedisUrl
from pipeline.config.clips import ClipsKept
from pipeline.config.dashboard import Dashboard
from pipeline.control.clip_place import ClipPlace, place_of
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry


@dataclass(frozen=True)
class Services:
    """The services of one application.

    Attributes:
        address: of Redis, with its secrets; ``url`` is what may be shown.
        settings: those of the dashboard.
        access: who may view.
        sampler: what cameras did lately.
        hub: live images.
        credentials: where passwords of cameras are kept.
        clips: where clips are kept.
    """

    address: str
    settings: Dashboard
    access: Access
    sampler: Sampler
    hub: Hub
    credentials: Credentials = field(default_factory=Credentials)
    clips: ClipPlace = field(default_factory=lambda: place_of(ClipsKept()))

    @cached_property
    def url(self) -> RedisUrl:
        """The address of Redis, as it may be shown."""
        return RedisUrl(self.address)

    @cached_property
    def redis(self) -> Redis:
        """A client for the threads on which plain routes run; replies as redis-py shapes them."""
        return plain_client(self.address)

    @cached_property
    def aredis(self) -> Any:  # a redis.asyncio.Redis, whose raw commands have no types
        """A client for the event loop; replies are bytes, integers and lists."""
        return async_client(self.url)

    def registry(self, worker: str = "main") -> Registry:
        """The cameras that are configured; its calls block."""
        return Registry(self.redis, worker, credentials=self.credentials)


def _services(connection: HTTPConnection) -> Services:
    return cast(Services, connection.app.state.services)


FromApp = Annotated[Services, Depends(_services)]
