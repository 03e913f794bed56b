"""A fleet of which everything is real but the cameras: placed, one added, half its workers lost."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace

import pytest

from fleet.processor import busy_share
from fleet.redis_use import Used
from fleet.simulation.ceiling import measure
from fleet.simulation.plan import Plan
from fleet.simulation.run import Simulation, Step, run_simulation
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
    assert 0 < steps["at rest"].machine <= 1


@pytest.mark.parametrize(("idle", "iowait", "busy"), [(4, 1, 0.5), (0, -1, 1), (11, 0, 0)])
def test_a_machine_is_busy_from_none_to_all(idle: float, iowait: float, busy: float) -> None:
    """Linux may count the time of waiting for a disk back, and rounds what was idle."""
    Times = namedtuple("Times", ("user", "idle", "iowait"))
    assert busy_share(Times(0, 0, 0), Times(10 - idle - iowait, idle, iowait)) == busy


def test_a_step_says_what_it_waited_for() -> None:
    step = Step("x", 1.0, 2.0, 0, Used(2.0, 1.0, 0, 0, 0, 0, 0), 0.5, 0.1, 0.9, 0.2, 0.95)
    assert step.limit == "this machine's cores, 1.5 of which it had"
    assert replace(step, machine=0.5).limit == ""
    assert replace(step, busiest=0.93, keeper=0.95, machine=0.5).limit == (
        "a server of Redis and the keeper"
    )


@pytest.mark.parametrize("where", ["one", "cluster"])
def test_redis_takes_what_senders_write(where: str) -> None:
    with servers(where) as url:
        taken = measure(url, 30, 3)
    assert taken.messages == 90
    assert len(taken.servers) == (1 if where == "one" else 3)
    assert taken.message_bytes > 1000
    assert all(server.commands > 0 for server in taken.servers)
