"""What docs/security.md lets the dashboard do in Redis is enough."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
from websockets.sync.client import connect as open_socket

from pipeline.control.registry import connect
from pipeline.control.trials import ask_trial
from pipeline.worker.redis_server import RedisServer
from tests.support import ROOT
from tests.support.api_server import Bench, curl, serving

pytestmark = pytest.mark.redis
(RIGHTS,) = re.findall(r"^ACL SETUSER dashboard .*$", (ROOT / "docs/security.md").read_text(), re.M)


def test_the_rights_of_a_dashboard_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("dashboard.api.cameras.ask_trial", partial(ask_trial, timeout_s=1.0))
    with RedisServer(port=0) as server, connect(server.url) as root:
        root.execute_command(*RIGHTS.split())
        with serving(server, tmp_path, "dashboard") as bench:
            use(bench)
        assert root.acl_log() == []


def use(bench: Bench) -> None:
    """All that the API and a page ask of Redis."""
    api = partial(bench.http.request, timeout=30)
    camera = "/api/v1/cameras/gate"
    bench.worker()
    assert api("POST", "/api/v1/cameras", json={"name": "gate", "url": "test://"}).is_success
    bench.frame()
    bench.status()
    bench.until(lambda: bench.camera()["counts"])
    for path in ("cameras/gate/history", "cameras/gate/timeline", "results/gate/latest", "models"):
        assert api("GET", f"/api/v1/{path}").is_success
    assert api("GET", "/api/v1/system").json()["redis"]["words"] == ""
    stream = f"{bench.address}/api/v1/results/gate/stream"
    assert "id:" in curl(stream, "-H", "Last-Event-ID: 0-0", seconds=2)
    with open_socket(f"{bench.address.replace('http', 'ws')}/api/v1/live") as page:
        page.send(json.dumps({"watch": ["gate"]}))
        channel = "mirante:{gate}:preview"
        bench.until(lambda: bench.redis.pubsub_numsub(channel) == [(channel.encode(), 1)])
    trial = api("POST", "/api/v1/cameras/test", json={"url": "test://"})
    assert trial.status_code == 504  # no worker took it, and it was taken back
    assert api("PATCH", camera, json={"fps": 5}).is_success
    assert api("POST", f"{camera}/pause").is_success
    assert api("DELETE", camera).is_success
