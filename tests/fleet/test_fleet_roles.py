"""What the documents let the command line, a worker and the keeper do in Redis is enough."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import pytest
import redis

from engines.manifest import ZOO
from fleet.draining import check_kept, drain
from fleet.keeper import Keeper
from fleet.telling import Telling
from pipeline.control.beats import Beat, beat
from pipeline.control.blob_places import RedisBlobs
from pipeline.control.blob_store import BlobStore
from pipeline.control.carried_models import carry
from pipeline.control.entries import Needs
from pipeline.control.registry import Registry, connect
from pipeline.worker.redis_server import RedisServer
from tests.support import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.own_redis]


class Users(Protocol):
    """Connects as a user of the document."""

    def __call__(self, role: str) -> redis.Redis: ...


@pytest.fixture
def user(redis_server: RedisServer, home: Path) -> Users:
    del home
    page = (ROOT / "docs/security.md").read_text()
    lines = {line.split()[2]: line for line in re.findall("^ACL SETUSER .*$", page, re.M)[::-1]}
    with connect(redis_server.url) as owner:
        for line in lines.values():
            owner.execute_command(*line.split())
    return lambda role: connect(redis_server.url.replace("://", f"://{role}:PASSWORD@"))


def test_a_model_travels_from_the_command_line_to_a_worker(user: Users) -> None:
    with user("dashboard") as client, user("worker") as reader:
        place = RedisBlobs(client)
        pin = carry(place, str(ZOO / "test-boxes.yaml"))
        BlobStore([RedisBlobs(reader)], 1 << 30).fetch(pin)
        place.remove(pin.digest)
        assert len(place.digests()) == 1


def test_a_keeper_gives_a_camera_to_a_worker(user: Users) -> None:
    with user("dashboard") as page, user("worker") as client:
        Registry(page).add("gate", {"url": "test://", "stages": []}, Needs())
        beat(client, "a", Beat(run="a", number=1, node="rack", cores=4.0))
        drain(client, "a")
        drain(client, "a", undo=True)
        keeper = Keeper(client)
        keeper.step()
        beat(client, "a", Beat(run="a", number=2, node="rack", cores=4.0))
        keeper.step()
        Telling(client).tell(keeper)
        assert Registry(page).cameras()["gate"].worker == "a"
        check_kept(client)
        assert (Registry(client, "a").changes() or {}).keys() == {"gate"}
