"""``mirante fleet faults``: what a fleet's consumers see of each fault, in rounds, at worst.

Each round is a fleet on this machine with drawn cameras and a real Redis. Who publishes a camera
again is told by a later epoch; the times are those at which workers sent their entries.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

import psutil
import ray
import redis
import typer

from engines.console import print_table
from fleet.draining import cameras_on, drain, running_on
from fleet.local import LocalFleet
from fleet.processor import stolen_share
from fleet.watching import Pause, Watch
from pipeline.control.beats import beats
from pipeline.control.entries import Needs
from pipeline.control.registry import Registry, connect
from pipeline.worker.redis_server import RedisServer

CAMERA = {"url": "test://?size=320x180&fps=20", "stages": []}
CAMERAS = 6
ROOM = (
    1.0  # cores for cameras of each worker: it takes those of another too before they are measured
)
WAIT_S = 60.0
CALM_S = 2.0  # before and after a fault, in which survivors are looked at too


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did.

    Attributes:
        again_s: until all cameras that it hit were published again; None where it hit none.
        pause_s: the longest pause of the others; None where there are none.
        moved_s: the longest pause of cameras that workers handed over; None where none did.
        paused_s: when the pause began, after the fault.
        moved: how many cameras did.
        stale: entries of owners that had been replaced, of all rounds so far.
        load: of the machine, over the last minute.
        stolen: share of the cores' time that the host of this virtual machine took meanwhile.
    """

    again_s: float | None = None
    pause_s: float | None = None
    moved_s: float | None = None
    paused_s: float = 0.0
    moved: int = 0
    stale: int = 0
    load: float = 0.0
    stolen: float = 0.0

    def __str__(self) -> str:
        said = [
            self.again_s is not None and f"published again after {self.again_s:.1f} s",
            self.pause_s is not None and f"others paused for {1000 * self.pause_s:.0f} ms",
            self.moved_s is not None
            and f"{self.moved} cameras handed over, longest pause {1000 * self.moved_s:.0f} ms",
            f"which began {self.paused_s:+.1f} s after it",
            f"{self.stale} stale",
            f"load {self.load:.1f}",
            self.stolen >= 0.01 and f"{100 * self.stolen:.0f} % of the cores taken by the host",
        ]
        return ", ".join(words for words in said if words)


@dataclass(slots=True)
class Site:
    """A fleet that faults come to.

    Attributes:
        fleet: its nodes and workers.
        client: of its Redis.
        watch: reads its cameras.
        spare: number of the next worker, and camera.
    """

    fleet: LocalFleet
    client: redis.Redis
    watch: Watch
    spare: int = 1000
    cameras: list[str] = field(default_factory=list)

    def add_camera(self) -> str:
        """Add a camera of the fleet; return its name."""
        self.spare += 1
        name = f"camera-{self.spare}"
        Registry(self.client).add(name, CAMERA, Needs())
        self.watch.add(name)
        self.cameras.append(name)
        return name

    def remove_camera(self, name: str) -> None:
        """Remove a camera; what it has published stays seen."""
        Registry(self.client).remove(name)
        self.cameras.remove(name)

    def is_empty(self, worker: str) -> bool:
        """Return whether a worker has no cameras."""
        return not cameras_on(self.client, worker)

    def began_again(self, worker: str, run: str) -> bool:
        """Return whether a worker runs, and it is not that ``run`` of it."""
        found = beats(self.client).get(worker)
        return found is not None and found.run != run

    def busiest(self) -> str:
        """Return the worker that has most cameras."""
        return max(self.workers(), key=lambda worker: len(cameras_on(self.client, worker)))

    def workers(self) -> list[str]:
        """Return the workers that beat, by name."""
        return sorted(beats(self.client))

    def node_of(self, worker: str) -> str:
        """Return the node of a worker, as the fleet calls it."""
        return beats(self.client)[worker].node

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something.

        Raises:
            TimeoutError: it does not come.
        """
        until_s = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > until_s:
                raise TimeoutError(f"{what}: not within {WAIT_S:g} s")
            time.sleep(0.05)

    def rest(self) -> None:
        """Wait until every worker works and every camera publishes and stays where it is."""
        count = len(self.fleet.workers)
        self.wait(lambda: self._working() == count, "all workers work")
        since_s = time.time()
        self.wait(lambda: self._published(since_s), "all cameras publish")
        places = self._places()
        until_s = time.monotonic() + 4.0
        while time.monotonic() < until_s:
            time.sleep(0.5)
            if self._places() != places:
                places, until_s = self._places(), time.monotonic() + 4.0

    def hit(
        self, where: str, fault: Callable[[], object], heal: Callable[[], object] = lambda: None
    ) -> Outcome:
        """Let a fault come to a worker or a node, or to none, and look at its cameras, those that
        are added meanwhile, and the others.
        """
        time.sleep(CALM_S)
        self.wait(self._is_still, "no camera is on its way")
        began_s, before, times = time.time(), list(self.cameras), psutil.cpu_times()
        cameras = cameras_on(self.client, where) if where else []
        fault()
        cameras += [camera for camera in self.cameras if camera not in before]
        others = [camera for camera in before if camera not in cameras]
        again_s = self.watch.wait_new(cameras, began_s, WAIT_S) if cameras else began_s
        time.sleep(CALM_S)
        until_s = time.time()
        heal()
        time.sleep(CALM_S)
        pause = self._longest(others, began_s - CALM_S, until_s)
        return Outcome(
            again_s=again_s - began_s if cameras else None,
            pause_s=pause.seconds if others else None,
            paused_s=pause.began_s - began_s,
            stale=self._stale(),
            load=os.getloadavg()[0],
            stolen=stolen_share(times, psutil.cpu_times()),
        )

    def handed(self, change: Callable[[], object]) -> Outcome:
        """Let cameras be handed over, and look at all of them."""
        time.sleep(CALM_S)
        began_s, before, times = time.time(), Counter(self._epochs()), psutil.cpu_times()
        change()
        self.rest()
        pause = self._longest(self.cameras, began_s - CALM_S, time.time())
        return Outcome(
            moved_s=pause.seconds,
            paused_s=pause.began_s - began_s,
            moved=(Counter(self._epochs()) - before).total(),
            stale=self._stale(),
            load=os.getloadavg()[0],
            stolen=stolen_share(times, psutil.cpu_times()),
        )

    def _is_still(self) -> bool:
        """Return whether every worker has let go what others are to have: else a fault may come to
        one that publishes a camera which is not counted as its.
        """
        client = self.client
        return all(
            set(running_on(client, each)) <= set(cameras_on(client, each)) for each in beats(client)
        )

    def _epochs(self) -> dict[str, int]:
        """Return how many owners each camera has had."""
        return {camera: len({*self.watch.seen[camera].epochs}) for camera in self.cameras}

    def _stale(self) -> int:
        return sum(seen.stale() for seen in self.watch.seen.values())

    def _longest(self, cameras: Sequence[str], since_s: float, until_s: float) -> Pause:
        seen = self.watch.seen
        found = (seen[camera].longest(since_s, until_s) for camera in cameras)
        return max(found, default=Pause(0.0, since_s))

    def _working(self) -> int:
        before = beats(self.client)
        time.sleep(1.2)
        now = beats(self.client)
        return sum(now[w].number != before[w].number for w in now.keys() & before.keys())

    def _published(self, since_s: float) -> bool:
        seen = self.watch.seen
        return all(seen[c].at_s and seen[c].at_s[-1] > since_s for c in self.cameras)

    def _places(self) -> dict[str, str]:
        entries = Registry(self.client).cameras()
        return {name: entry.worker for name, entry in entries.items()}


def worker_killed(site: Site) -> Outcome:
    """A worker's process is killed, and its host starts another."""
    worker = site.busiest()
    pid = site.fleet.pid_of(worker)
    assert pid is not None
    return site.hit(worker, lambda: os.kill(pid, signal.SIGKILL))


def node_killed(site: Site) -> Outcome:
    """All processes of a node are killed; another node comes in its place."""
    node = site.node_of(site.busiest())
    return site.hit(node, lambda: site.fleet.kill_node(node), site.fleet.add_node)


def node_frozen(site: Site) -> Outcome:
    """All processes of a node stop, and go on when others have its cameras."""
    node, stopped = site.node_of(site.busiest()), list[psutil.Process]()

    def heal() -> None:
        site.fleet.thaw(stopped)
        time.sleep(CALM_S)
        site.fleet.forget_node(node)
        site.fleet.add_node()

    return site.hit(node, lambda: stopped.extend(site.fleet.freeze_node(node)), heal)


def head_killed(site: Site) -> Outcome:
    """What holds Ray's state is killed and started again; then a worker's host is killed, which Ray
    starts again.
    """
    worker = site.busiest()
    site.fleet.pid_of(worker)

    def heal() -> None:
        site.fleet.restart_head()
        ray.kill(site.fleet.workers[worker], no_restart=False)
        site.wait(lambda: site.fleet.pid_of(worker), "Ray starts a worker again")

    return site.hit("", site.fleet.kill_head, heal)


def node_joins(site: Site) -> Outcome:
    """A node with a worker joins, and has cameras handed over; afterwards it is taken away. What
    starts it takes cores of its own machine, which here is that of all: it is not looked at.
    """
    site.spare += 1
    worker, node = f"worker-{site.spare}", site.fleet.add_node()
    site.fleet.add_worker(worker)
    site.wait(lambda: worker in site.workers(), f"{worker} works")

    def join() -> None:
        site.wait(lambda: not site.is_empty(worker), f"{worker} has cameras")

    outcome = site.handed(join)
    drain(site.client, worker)
    site.wait(lambda: not running_on(site.client, worker), f"{worker} is drained")
    site.fleet.retire(worker, node)
    drain(site.client, worker, undo=True)
    return outcome


def camera_added(site: Site) -> Outcome:
    """A camera is added while a node dies."""
    node = site.node_of(site.busiest())

    def fault() -> None:
        site.fleet.kill_node(node)
        site.add_camera()

    outcome = site.hit(node, fault, site.fleet.add_node)
    site.remove_camera(site.cameras[-1])
    return outcome


def upgrade(site: Site) -> Outcome:
    """Each worker in turn is asked to end, hands its cameras over first, and begins again."""

    def roll() -> None:
        for worker in list(site.fleet.workers):
            before = beats(site.client)[worker].run
            pid = site.fleet.pid_of(worker)
            assert pid is not None
            os.kill(pid, signal.SIGTERM)
            site.wait(partial(site.began_again, worker, before), f"{worker} begins again")

    return site.handed(roll)


FAULTS: dict[str, Callable[[Site], Outcome]] = {
    "worker-killed": worker_killed,
    "node-killed": node_killed,
    "node-frozen": node_frozen,
    "head-killed": head_killed,
    "node-joins": node_joins,
    "camera-added": camera_added,
    "upgrade": upgrade,
}


def run_rounds(rounds: int, nodes: int, faults: Sequence[str]) -> int:
    """Run rounds of faults and print the worst of each; return the exit status: 1 where an owner
    that had been replaced wrote, or a fleet did not come to rest.
    """
    rows, is_well = list[list[str]](), True
    for name in faults:
        found = list[Outcome]()
        with suppress(TimeoutError), ExitStack() as around:
            around.push(_said)
            site = made(around, nodes, keeps_state=name == "head-killed")
            for number in range(rounds):
                site.rest()
                found.append(FAULTS[name](site))
                typer.echo(f"{name} {number + 1}: {found[-1]}", err=True)
        is_well &= len(found) == rounds and not found[-1].stale
        rows.append([name, f"{len(found)} of {rounds}", *_worst(found)])
    heads = ["fault", "rounds", "published again", "pause of others", "handed over", "stale"]
    print_table([*heads, "load"], rows)
    return 0 if is_well else 1


def _said(kind: object, error: BaseException | None, trace: object) -> None:
    """Say what a fleet was waited for in vain; the other faults go on."""
    del kind, trace
    if isinstance(error, TimeoutError):
        typer.echo(f"not at rest: {error}", err=True)


def made(around: ExitStack, nodes: int, cameras: int = CAMERAS, keeps_state: bool = False) -> Site:
    """Start a fleet with cameras, and return it once all publish."""
    url = around.enter_context(RedisServer()).url
    client = around.enter_context(connect(url))
    fleet = around.enter_context(LocalFleet(url, nodes, None, ROOM, keeps_state))
    site = Site(fleet, client, around.enter_context(Watch(url, [])))
    for _ in range(cameras):
        site.add_camera()
    site.rest()
    return site


def _worst(found: Sequence[Outcome]) -> list[str]:
    again = [each.again_s for each in found if each.again_s is not None]
    pauses = [each.pause_s for each in found if each.pause_s is not None]
    moved = [each.moved_s for each in found if each.moved_s is not None and each.moved]
    return [
        f"{max(again):.1f} s" if again else "",
        f"{max(pauses) * 1000:.0f} ms" if pauses else "",
        f"{max(moved) * 1000:.0f} ms" if moved else "",
        str(found[-1].stale) if found else "",
        f"{max(each.load for each in found):.1f}" if found else "",
    ]
