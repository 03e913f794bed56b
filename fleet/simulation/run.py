"""``mirante fleet simulate``: how soon a fleet is as it should be, and what that costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Self

import psutil
import redis
import typer

from engines.console import print_table
from fleet.keeper import EVEN_S, Keeper
from fleet.keeping import LEASE_MS
from fleet.members import TICK_S
from fleet.processor import busy_share
from fleet.redis_use import Used, total, used
from fleet.simulation.filling import camera_name, fill, spec_of
from fleet.simulation.plan import Plan
from fleet.simulation.servers import servers
from fleet.simulation.site import Crews, owners, until
from fleet.simulation.workers import Pace
from fleet.telling import Telling
from mirante.keys import FLEET_KEEPER
from pipeline.control.beats import beats
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Desired
from pipeline.control.lease import Lease
from pipeline.control.registry import connect

ADDED = 3  # cameras, one after the other
FULL = 0.9  # of a core, or of all of them: what takes so much others wait for
QUIET_S = 2.2 * EVEN_S  # without a move, after which costs that are known ask for no more


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a simulation.

    Attributes:
        what: was done.
        seconds: until every camera was published by a worker that works; None: not in time. Of
            several cameras that were added, the median.
        passed_s: time that it took in all.
        moves: cameras that the keeper gave to another worker.
        redis: what the servers did meanwhile, together.
        busiest: the most that one server was busy, as a share of a core.
        keeper, workers: processor time of theirs a second.
        held_s: the longest time after which the keeper prolonged its lease.
        machine: share of this machine's cores that were busy, whoever had them.
    """

    what: str
    seconds: float | None
    passed_s: float
    moves: int
    redis: Used
    busiest: float
    keeper: float
    workers: float
    held_s: float
    machine: float

    @property
    def limit(self) -> str:
        """Return in words what the step may have waited for; empty if nothing was full."""
        own = self.redis.cpu_s / self.passed_s + self.keeper + self.workers
        found = [
            (self.machine, f"this machine's cores, {own:.1f} of which it had"),
            (self.busiest, "a server of Redis"),
            (self.keeper, "the keeper"),
        ]
        return " and ".join(words for share, words in found if share >= FULL)


class KeptThread:
    """The keeper as it is, in a thread of its own; a context manager.

    Attributes:
        keeper: that works there.
        cpu_s: processor time of its steps.
        held_s: the longest time after which it prolonged its lease; may be set to 0.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._lease = Lease(self._client, FLEET_KEEPER, "the keeper", "nothing", LEASE_MS)
        self.keeper = Keeper(self._client, decides=self._decides)
        self._telling = Telling(self._client)
        self._taken_s = time.monotonic()
        self.cpu_s = self.held_s = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._over.wait(TICK_S):
            cpu_s = time.thread_time()
            try:
                if self._decides():
                    self.keeper.step()
                    self._telling.tell(self.keeper)
            except (redis.RedisError, RegistryError) as error:
                typer.echo(f"keeper: {error}", err=True)
            self.cpu_s += time.thread_time() - cpu_s

    def _decides(self) -> bool:
        now_s = time.monotonic()
        self.held_s, self._taken_s = max(self.held_s, now_s - self._taken_s), now_s
        return self._lease.take()


class Simulation:
    """A fleet that runs.

    Args:
        plan: of it.
        url: address of Redis.
        crews: its workers.
        kept: its keeper.
        client: of Redis.
    """

    def __init__(
        self, plan: Plan, url: str, crews: Crews, kept: KeptThread, client: redis.Redis
    ) -> None:
        self._plan, self._url, self._crews = plan, url, crews
        self._kept, self._client = kept, client
        self._every_s = max(0.1, plan.cameras / 20_000)
        self.names = [camera_name(number) for number in range(plan.cameras)]

    def step(self, what: str, done: Callable[[], float | None]) -> Step:
        """Do something, and measure what that takes of all."""
        before, began_s, cores = used(self._client), time.monotonic(), psutil.cpu_times()
        keeper_s, workers_s = self._kept.cpu_s, self._crews.cpu_s()
        moved, self._kept.held_s = self._kept.keeper.moved, 0.0
        seconds = done()
        passed_s, after = time.monotonic() - began_s, used(self._client)
        each = [now.since(then) for now, then in zip(after, before, strict=True)]
        return Step(
            what,
            seconds,
            passed_s,
            self._kept.keeper.moved - moved,
            total(each),
            max(one.cpu_s / one.at_s for one in each),
            (self._kept.cpu_s - keeper_s) / passed_s,
            max(0.0, self._crews.cpu_s() - workers_s) / passed_s,
            self._kept.held_s,
            busy_share(cores, psutil.cpu_times()),
        )

    def settled(self) -> float | None:
        """Return the seconds until every camera is published; None where that takes too long."""
        return until(lambda: self._without(self.names), self._plan.timeout_s, self._every_s)

    def evened(self) -> float | None:
        """Wait until costs are measured and nothing moves any more; return when the last did."""
        began_s, moved, moved_s = time.monotonic(), -1, 0.0
        keeper = self._kept.keeper
        while (now_s := time.monotonic() - began_s) < self._plan.timeout_s:
            is_known = sum(len(report.cameras) for report in keeper.reports.values())
            if moved != keeper.moved or is_known < len(self.names):
                moved, moved_s = keeper.moved, now_s
            if now_s - moved_s > QUIET_S:
                return moved_s
            time.sleep(0.1)
        return None

    def at_rest(self) -> float | None:
        """Let time pass."""
        time.sleep(self._plan.seconds)
        return 0.0

    def added(self) -> float | None:
        """Add cameras, one after the other; return the median of what they took."""
        found = []
        for number in range(ADDED):
            name = camera_name(self._plan.cameras + number)
            self.names.append(name)
            fill(self._client, [wanted(name, self._plan.cameras + number)])
            taken_s = until(partial(self._without, [name]), self._plan.timeout_s, 0.02)
            if taken_s is None:
                return None
            found.append(taken_s)
        return sorted(found)[ADDED // 2]

    def lost(self) -> float | None:
        """Kill the workers of one process."""
        self._crews.kill(1)
        return self.settled()

    def _without(self, names: Collection[str]) -> dict[str, str]:
        """Return the cameras that no worker publishes that works."""
        found = owners(self._client, names)
        alive = self._crews.alive
        return {name: found.get(name, "") for name in names if found.get(name) not in alive}


def wanted(name: str, number: int) -> Desired:
    """Return the entry of a camera of the fleet that has no worker yet."""
    return Desired(name, spec_of(number), "api", "", added=time.time(), fleet=True)


def run_simulation(plan: Plan) -> list[Step]:
    """Run a fleet, and return what each step took."""
    with ExitStack() as stack:
        url = stack.enter_context(servers(plan.redis))
        client = stack.enter_context(connect(url, 10.0))
        nodes = max(1, plan.workers // 2)
        pace = Pace(plan.fps, plan.rarely)
        fill(client, [])
        crews = stack.enter_context(Crews(url, plan.workers, plan.processes, pace, nodes))
        begun = until(
            lambda: dict.fromkeys(crews.alive - beats(client).keys()), plan.timeout_s, 0.1
        )
        if begun is None:
            raise RuntimeError(f"not all workers began within {plan.timeout_s:g} s")
        fill(client, [wanted(camera_name(number), number) for number in range(plan.cameras)])
        kept = stack.enter_context(KeptThread(url))
        simulation = Simulation(plan, url, crews, kept, client)
        share = len(crews.alive) // plan.processes
        return [
            simulation.step("from nothing", simulation.settled),
            simulation.step("evened out", simulation.evened),
            simulation.step("at rest", simulation.at_rest),
            simulation.step("a camera added", simulation.added),
            simulation.step(f"{share} workers lost", simulation.lost),
        ]


def show(plan: Plan) -> bool:
    """Run a fleet and print a row for each step; return whether each was done in time."""
    typer.echo(
        f"{plan.cameras} cameras, {plan.workers} workers, {plan.fps:g} results/s each; Redis: "
        f"{plan.redis}; workers look {plan.rarely:g} times more rarely than real ones"
    )
    steps = run_simulation(plan)
    headings = (
        "step", "s until it is so", "moves", "Redis MB out", "Redis CPU s",
        "busiest server %", "commands/s", "keeper CPU %", "workers CPU %", "lease s", "machine %",
    )  # fmt: skip
    print_table(headings, [_cells(step) for step in steps])
    for step in steps:
        if step.limit:
            typer.echo(f"{step.what}: limited by {step.limit}")
    return all(step.seconds is not None for step in steps)


def _cells(step: Step) -> list[str]:
    seconds = "not in time" if step.seconds is None else f"{step.seconds:.1f}"
    return [
        step.what,
        seconds if not step.what.startswith("at rest") else "-",
        f"{step.moves}",
        f"{step.redis.written_bytes / 1e6:.1f} in {step.passed_s:.0f} s",
        f"{step.redis.cpu_s:.1f}",
        f"{100 * step.busiest:.0f}",
        f"{step.redis.commands / step.passed_s:,.0f}",
        f"{100 * step.keeper:.1f}",
        f"{100 * step.workers:.0f}",
        f"{step.held_s:.1f}",
        f"{100 * step.machine:.0f}",
    ]
