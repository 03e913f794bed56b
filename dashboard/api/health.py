"""``/metrics`` for viewers, ``/livez`` and ``/readyz`` for anyone; without names of cameras."""

from __future__ import annotations

from asyncio import to_thread
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import get_args

import redis
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from dashboard.access.identity import Identity
from dashboard.access.rights import ANYONE, Viewer
from dashboard.access.sight import seen_by
from dashboard.api.fleet_metrics import families
from dashboard.services import FromApp, Services
from mirante.status import State
from pipeline.control.fleet_report import FleetReport, reported

STATES = (*get_args(State), "not started", "unknown")

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Alive", response_class=PlainTextResponse, dependencies=[ANYONE])
async def get_livez() -> str:
    """200 while the process can answer at all."""
    return "alive\n"


@router.get(
    "/readyz",
    summary="Ready",
    response_class=PlainTextResponse,
    dependencies=[ANYONE],
    responses={
        503: {
            "content": {"text/plain": {}},
            "description": "Redis is away, or refuses writes; in words",
        }
    },
)
async def get_readyz(services: FromApp) -> PlainTextResponse:
    """200 while Redis answers and takes writes."""
    sampler = services.sampler
    if sampler.connected and not sampler.refused:
        return PlainTextResponse("ready\n")
    words = sampler.refused or sampler.words or "Redis has not been reached yet"
    return PlainTextResponse(f"{words}\n", 503)


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "the Prometheus text format"}},
)
async def get_metrics(services: FromApp, who: Viewer) -> Response:
    """Return the dashboard's own metrics, and those of the fleet, where there is one; workers have
    metrics of their own.
    """
    fleet = None
    if who.sees_all:
        with suppress(redis.RedisError):  # which the metric of Redis tells
            fleet = await to_thread(reported, services.redis)
    registry = CollectorRegistry()
    registry.register(_Dashboard(services, who, fleet))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Dashboard(Collector):
    """Metrics made at each scrape."""

    def __init__(self, services: Services, who: Identity, fleet: FleetReport | None) -> None:
        self._services, self._who, self._fleet = services, who, fleet

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The metric families."""
        sampler, stats = self._services.sampler, self._services.hub.stats
        yield GaugeMetricFamily("mirante_dashboard_pages", "Pages that are open.", stats.pages)
        yield CounterMetricFamily(
            "mirante_dashboard_pictures_sent", "Images sent to pages.", stats.pictures_sent
        )
        yield CounterMetricFamily(
            "mirante_dashboard_pictures_skipped",
            "Images not sent to a page because newer ones replaced them.",
            stats.pictures_skipped,
        )
        yield CounterMetricFamily(
            "mirante_dashboard_pictures_unpaired",
            "Images discarded because no results of their frame came in time.",
            stats.unpaired,
        )
        yield CounterMetricFamily(
            "mirante_dashboard_bytes_sent", "Bytes sent to pages.", stats.bytes_sent
        )
        yield GaugeMetricFamily(
            "mirante_dashboard_redis_connected", "1 while Redis answers.", int(sampler.connected)
        )
        yield GaugeMetricFamily(
            "mirante_dashboard_redis_refuses",
            "1 while Redis answers and refuses writes.",
            int(bool(sampler.refused)),
        )
        states = Counter(camera["state"] for camera in seen_by(self._who, sampler.cameras()))
        cameras = GaugeMetricFamily(
            "mirante_dashboard_cameras", "Cameras in each state.", labels=["state"]
        )
        for state in STATES:
            cameras.add_metric([state], states[state])
        yield cameras
        if self._fleet is not None:
            yield from families(self._fleet)
