"""Look at a whole installation."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import msgspec
import redis

from mirante.redis_url import RedisUrl
from pipeline.cli.deep.cameras import camera_findings, model_findings, orphan_findings
from pipeline.cli.deep.finding import Finding
from pipeline.cli.deep.local import local_findings
from pipeline.cli.deep.server import server_findings
from pipeline.cli.deep.workers import worker_findings
from pipeline.config.camera_url import redact
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import WorkerReport, reports


def look(address: str, worker: str | None = None) -> list[Finding]:
    """Return what is found of an installation, first what is known through Redis.

    Args:
        address: of Redis, with its secrets.
        worker: the worker to look at; None for all.

    Raises:
        ValueError: the address is none.
    """
    found: dict[str, WorkerReport] = {}
    findings = list(_through_redis(address, worker, found))
    findings += local_findings(found.values())
    return [msgspec.structs.replace(each, words=redact(each.words)) for each in findings]


def _through_redis(
    address: str, worker: str | None, found: dict[str, WorkerReport]
) -> Iterator[Finding]:
    """Yield what Redis knows; the reports of the workers are put into ``found``."""
    url = RedisUrl(address)
    try:
        with connect(address) as client:
            yield from server_findings(client, url)
            found |= {n: r for n, r in reports(client).items() if worker in (None, n)}
            names = sorted(found) if worker is None else [worker]
            for name in names:
                yield from worker_findings(client, name, found.get(name), version("mirante"))
                if (report := found.get(name)) is not None:
                    yield from camera_findings(report)
                    yield from model_findings(report)
            if not names:
                words = f"no worker reports to {url}"
                yield Finding("worker", "any", "wrong", words, "mirante up CONFIG")
            if worker is None:
                yield from orphan_findings(Registry(client).cameras().values(), found)
    except (redis.RedisError, OSError) as error:
        words, mend = url.explain(error), "redis.url, --redis or MIRANTE_REDIS_URL; redis-cli ping"
        yield Finding("redis", "answer", "wrong", words, mend)
