"""A fleet of which everything is real but the cameras: placed, one added, half its workers lost."""

from __future__ import annotations

import pytest

from fleet.simulation.ceiling import measure
from fleet.simulation.plan import Plan
from fleet.simulation.run import Simulation, run_simulation
from fleet.simulation.servers import servers

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def test_cameras_are_published_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulation, "evened", lambda _self: 0.0)
    plan = Plan(cameras=60, workers=6, processes=2, seconds=1.0, timeout_s=100.0)
    steps = {step.what: step for step in run_simulation(plan)}
    assert [what for what, step in steps.items() if step.seconds is None] == []
    moves = {what: step.moves for what, step in steps.items()}
    assert moves["from nothing"] >= 60
    assert moves["a camera added"] >= 3
    assert moves["3 workers lost"] >= 10
    assert steps["at rest"].redis.commands > 0


@pytest.mark.parametrize("where", ["one", "cluster"])
def test_redis_takes_what_senders_write(where: str) -> None:
    with servers(where) as url:
        taken = measure(url, 30, 3)
    assert taken.messages == 90
    assert len(taken.servers) == (1 if where == "one" else 3)
    assert taken.message_bytes > 1000
    assert all(server.commands > 0 for server in taken.servers)
