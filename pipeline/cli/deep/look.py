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
from pipeline.cli.deep.server import refusing, server_findings
from pipeline.cli.deep.workers import worker_findings
from pipeline.config.camera_url import redact
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import WorkerReport, reports

_ANSWER = ("answer", "redis.url, --redis or MIRANTE_REDIS_URL; redis-cli ping")
_RIGHTS = ("rights", "name a Redis user with the rights of dashboard: docs/security.md, Redis")


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
            if (refused := refusing(client)) is not None:
                yield refused
            found |= {n: r for n, r in reports(client).items() if worker in (None, n)}
            names = sorted(found) if worker is None else [worker]
            for name in names:
                if refused is not None and name not in found:
                    yield _untold(name)
                    continue
                yield from worker_findings(client, name, found.get(name), version("mirante"))
                if (report := found.get(name)) is not None:
                    yield from camera_findings(report)
                    yield from model_findings(report)
            if not names and refused is not None:
                yield _untold("any")
            elif not names:
                words = f"no worker reports to {url}"
                yield Finding("worker", "any", "wrong", words, "mirante up CONFIG")
            if worker is None and refused is None:
                yield from orphan_findings(Registry(client).cameras().values(), found)
    except (redis.RedisError, OSError) as error:
        is_refused = isinstance(error, redis.exceptions.NoPermissionError)
        subject, mend = _RIGHTS if is_refused else _ANSWER
        yield Finding("redis", subject, "wrong", url.explain(error), mend)


def _untold(worker: str) -> Finding:
    words = "whether it runs is not known: Redis takes no report of it"
    return Finding("worker", worker, "unknown", words, "what the area redis says; then ask again")
