"""What the documents let the command line and a worker do in Redis is enough for models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

from engines.manifest import ZOO
from pipeline.control.blob_places import RedisBlobs
from pipeline.control.blob_store import BlobStore
from pipeline.control.carried_models import carry
from pipeline.control.registry import connect
from pipeline.worker.redis_server import RedisServer
from tests.support import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.own_redis]


def test_a_model_travels_from_the_command_line_to_a_worker(
    redis_server: RedisServer, home: Path
) -> None:
    del home
    page = (ROOT / "docs/security.md").read_text()
    lines = {line.split()[2]: line for line in re.findall("^ACL SETUSER .*$", page, re.M)[::-1]}
    with connect(redis_server.url) as owner:
        for line in lines.values():
            owner.execute_command(*line.split())

    def user(role: str) -> redis.Redis:
        return connect(redis_server.url.replace("://", f"://{role}:PASSWORD@"))

    with user("dashboard") as client, user("worker") as reader:
        place = RedisBlobs(client)
        pin = carry(place, str(ZOO / "test-boxes.yaml"))
        BlobStore([RedisBlobs(reader)], 1 << 30).fetch(pin)
        place.remove(pin.digest)
        assert len(place.digests()) == 1
