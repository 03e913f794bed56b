"""A Redis that answers and refuses writes: the API says so, and never that a worker is dead."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.sync.client import connect as open_socket

from mirante.faults import FaultCode
from mirante.keys import PROBE, lease_key
from mirante.refusal import WORDS
from tests.support.api_server import Bench, serving
from tests.support.bundles import unpacked
from tests.support.refusing import WAYS, refusing, spoilable_server

pytestmark = pytest.mark.redis
CHANGES = [
    ("POST", "", {"name": "new", "url": "test://"}),
    ("PATCH", "/gate", {"fps": 5}),
    ("PUT", "/gate", {"url": "test://", "fps": 7}),
    ("POST", "/gate/pause", None),
    ("POST", "/test", {"url": "test://"}),
    ("DELETE", "/gate", None),
]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        folder = Path(short)
        with (
            pytest.MonkeyPatch.context() as patch,
            spoilable_server(folder) as server,
        ):
            patch.setenv("MIRANTE_HOME", str(folder / "home"))
            with serving(cast(Any, server), folder) as made:
                made.worker()
                gate = {"name": "gate", "url": "test://"}
                made.http.post("/api/v1/cameras", json=gate).raise_for_status()
                made.frame()
                made.status()
                yield made


@pytest.mark.parametrize("code", WAYS)
def test_it_is_told_from_a_dead_worker(
    bench: Bench, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.worker()
    bench.until(lambda: bench.camera()["state"] == "running")
    assert bench.http.get("/readyz").text == "ready\n"
    caplog.clear()
    caplog.set_level(logging.INFO, "dashboard.history.sampler")
    words = f"Redis {bench.services.url}: {WORDS[code]}"
    with refusing(bench.redis, code):
        bench.redis.execute_command("CONFIG", "RESETSTAT")
        bench.until(lambda: bench.http.get("/readyz").status_code == 503)
        assert bench.http.get("/readyz").text == f"{words}\n"
        camera = bench.until(lambda: (c := bench.camera())["state"] == "unknown" and c)
        assert (camera["reason"], camera["code"]) == (words, FaultCode.REDIS_REFUSES)
        assert camera["advice"] == FaultCode.REDIS_REFUSES.advice
        told = bench.http.get("/api/v1/system").json()["redis"]
        assert (told["connected"], told["refused"]) == (True, words)
        with open_socket(
            f"{bench.address.replace('http', 'ws')}/api/v1/live", open_timeout=60
        ) as page:
            while (said := unpacked(page.recv(60, decode=False))[0])["type"] != "redis":
                continue
        assert (said["connected"], said["refused"]) == (True, words)
        assert "mirante_dashboard_redis_refuses 1.0" in bench.http.get("/metrics").text
        for method, path, body in CHANGES:
            if (code, path) == ("OOM", "/gate") and method == "DELETE":
                continue  # which frees memory, and is done
            answer = bench.http.request(method, f"/api/v1/cameras{path}", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (503, words), (method, path)
    bench.until(lambda: bench.http.get("/readyz").status_code == 200)
    lines = [r.message for r in caplog.records if r.name == "dashboard.history.sampler"]
    assert [line.partition("; ")[0].partition(", after")[0] for line in lines] == [
        words,
        f"Redis {bench.services.url}: back",
    ]
    assert bench.redis.exists(PROBE) == 0


def test_a_worker_that_is_gone_is_still_said_to_be(bench: Bench) -> None:
    bench.redis.delete(lease_key("main"))
    camera = bench.until(lambda: (c := bench.camera())["code"] == "no-worker" and c)
    assert camera["reason"] == 'worker "main" is not running'


def test_a_policy_that_evicts_is_said(bench: Bench) -> None:
    def told() -> tuple[str, str]:
        facts = bench.http.get("/api/v1/system").json()["redis"]
        return facts["maxmemory_policy"], facts["evicts"]

    assert told() == ("noeviction", "")
    bench.redis.config_set("maxmemory-policy", "allkeys-lru")
    policy, words = told()
    assert policy == "allkeys-lru"
    assert "set maxmemory-policy noeviction" in words
