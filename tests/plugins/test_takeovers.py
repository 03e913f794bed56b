"""Workers that freeze, are cut off, restart and take each other's place, in random order.

What holds in any order: no entry of a publisher whose place another has taken, no frame twice, no
loss that is none, and frames that come again.
"""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import mirante
from mirante import Counts, FrameResult
from mirante.keys import key, lease_key, owner_key
from mirante.wire import encode
from tests.support import ROOT
from tests.support.fenced_worker import CAMERA, LEASE_S
from tests.support.redis_child import RedisChild
from tests.support.stalls import Stalls, paused_s
from tests.support.tcp_proxy import BOTH, TcpProxy

Until = Callable[..., Any]
pytestmark = pytest.mark.own_redis

DETECTIONS, OWNER = key(CAMERA, "detections"), owner_key(CAMERA)
LAST = FrameResult(CAMERA, 0, 0, 0, "arrival", 999, 90, counts=Counts(1, 1))
NAMES = {1: "main", 2: "main", 3: "second"}  # by mark: the width of their frames
WRITTEN = re.compile(rb'\+[\d.]+ \[\d+ lua\] "(SET|XADD)" "([^"]+)" (.*)')


class Monitor:
    """All that Redis executes, in order."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(b"MONITOR\r\n")
        self.lines: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            self.lines.extend(lines)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


class Site:
    """Workers of one camera, each behind a proxy."""

    def __init__(self, server: RedisChild, around: ExitStack, marks: Iterable[int]) -> None:
        self.client = server.client()
        self.proxies = {m: around.enter_context(TcpProxy(server.socket)) for m in marks}
        command = [sys.executable, "-m", "tests.support.fenced_worker"]
        self.workers = {
            mark: subprocess.Popen(
                [*command, proxy.url, NAMES[mark], str(mark)],
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for mark, proxy in self.proxies.items()
        }
        self.monitor = Monitor(str(server.socket))
        self.frames: list[mirante.Frame] = []
        self._reader = threading.Thread(target=self._read, args=(server.url,))
        self._reader.start()
        around.callback(self.end)

    def _read(self, url: str) -> None:
        with mirante.subscribe(CAMERA, redis=url, since="0") as subscription:
            for found in subscription:
                if found.width == LAST.width:
                    break
                self.frames.append(found)

    def end(self) -> None:
        for mark, worker in self.workers.items():
            self.proxies[mark].hold()
            worker.send_signal(signal.SIGCONT)
        self.starts: list[dict[str, Any]] = []
        self.pauses: dict[int, list[tuple[float, float]]] = {}
        for mark, worker in self.workers.items():  # communicate() closes the input, which ends it
            *starts, last = map(json.loads, worker.communicate(timeout=60)[0].splitlines())
            self.starts += starts
            self.pauses[mark] = last["pauses"]
        self.client.xadd(DETECTIONS, {"json": encode(LAST).detections["json"]})
        self._reader.join()
        self.monitor.close()

    def restart(self, mark: int) -> None:
        pipe = self.workers[mark].stdin
        assert pipe is not None
        pipe.write("again\n")
        pipe.flush()


def freeze(site: Site, mark: int) -> None:
    site.workers[mark].send_signal(signal.SIGSTOP)


def heal(site: Site, mark: int) -> None:
    site.workers[mark].send_signal(signal.SIGCONT)
    site.proxies[mark].hold()


def trouble(site: Site, chance: random.Random) -> None:
    """One to three troubles at once, of different workers, that last longer than a lease or not."""
    marks = chance.sample(list(NAMES), chance.randint(1, 2))
    for mark in marks:
        match chance.randrange(6):
            case 0 | 1:
                freeze(site, mark)
            case 2 | 3:
                held = chance.choice([BOTH, BOTH[:1], BOTH[1:]])
                site.proxies[mark].hold(*held)
            case 4:
                site.restart(mark)
            case 5:
                site.client.delete(OWNER) if chance.random() < 0.5 else site.client.flushall()
        time.sleep(chance.uniform(0, LEASE_S))
    time.sleep(chance.choice([0.1, 2.5]) * LEASE_S)
    for mark in chance.sample(marks, len(marks)):
        heal(site, mark)
        time.sleep(chance.uniform(0, LEASE_S / 3))


def written(site: Site) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Command, key and the rest, of all that scripts wrote."""
    for line in site.monitor.lines:
        if found := WRITTEN.match(line):
            yield found[1], found[2], found[3]


def foreign_entries(site: Site) -> list[str]:
    """Entries of one that did not own the camera, or did not have its name since it claimed it."""
    known = {start["claims"]: start for start in site.starts}
    leases = {start["lease"].replace('"', '\\"'): start["mark"] for start in site.starts}
    holder: dict[str, int] = {}
    owner, is_proved, found = 0, False, list[str]()
    for command, name, rest in written(site):
        text = rest.decode()
        if name.decode() == OWNER:
            claims = re.match(r'"(.+?:\w+\.)\d+"', text)
            assert claims
            owner = known[claims[1]]["mark"]
            is_proved = holder.get(NAMES[owner]) == owner
        elif command == b"SET" and name.startswith(lease_key("").encode()):
            worker = name.decode().removeprefix(lease_key(""))
            (mark,) = (m for value, m in leases.items() if text.startswith(f'"{value}"'))
            holder[worker] = mark
            is_proved = is_proved or owner == mark
        elif command == b"XADD" and name.decode() == DETECTIONS:
            width = re.search(r'\\"size\\":\[(\d+),', text)
            assert width
            if int(width[1]) != owner or not is_proved:
                found.append(f"{width[1]} wrote, {owner} owned: {text[:60]}")
    return found


WAYS: dict[str, Callable[[Site, int], None]] = {
    "frozen": freeze,
    "cut off": lambda site, mark: site.proxies[mark].hold(*BOTH),
    "nothing of it arrives": lambda site, mark: site.proxies[mark].hold("requests"),
    "nothing arrives there": lambda site, mark: site.proxies[mark].hold("replies"),
}


def check(site: Site) -> None:
    """What holds in any order of events."""
    assert foreign_entries(site) == []
    by_epoch = defaultdict[int, list[mirante.Frame]](list)
    for found in site.frames:
        by_epoch[found.epoch].append(found)
    for epoch, frames in by_epoch.items():
        numbers = [found.seq for found in frames]
        assert len(set(numbers)) == len(numbers), f"frames of {epoch} twice"
        assert len({found.width for found in frames}) == 1, f"two publishers of {epoch}"
        missing = max(numbers) + 1 - len(numbers)
        proved = sum(found.lost_before or 0 for found in frames)
        assert proved <= missing, f"false losses of {epoch}"


def take_over(site: Site, until: Until) -> dict[str, tuple[mirante.Frame, mirante.Frame]]:
    """In each way; and back again, when the other stops in order.

    Returns:
        The last frame of the one before and the first of the other, by the way.
    """
    found = {}
    for way, disturb in WAYS.items():
        last = site.frames[-1]
        disturb(site, last.width)
        until(lambda w=last.width: site.frames[-1].width != w)
        taken = next(f for f in reversed(site.frames) if f.width == last.width)
        found[way] = (taken, site.frames[site.frames.index(taken) + 1])
        heal(site, last.width)
        time.sleep(LEASE_S)
    assert sum(frame.lost_before or 0 for frame in site.frames) == 0
    return found


def check_times(
    site: Site, taken: dict[str, tuple[mirante.Frame, mirante.Frame]], own: Stalls
) -> None:
    """Within the lease and a second, and what a busy machine took of it from those concerned."""
    for way, (last, first) in taken.items():
        pauses = (site.pauses[first.width], own.pauses)  # the proxies are here
        took_s = sum(paused_s(each, last.sent, first.sent) for each in pauses)
        assert first.sent - last.sent <= LEASE_S + 1.0 + took_s, way


@pytest.mark.parametrize("rounds", [6, pytest.param(24, marks=pytest.mark.full)])
def test_takeovers_in_each_way_and_by_chance(server: RedisChild, until: Until, rounds: int) -> None:
    chance = random.Random(14)
    with ExitStack() as around:
        site = Site(server, around, NAMES)
        stalls = Stalls()
        around.callback(stalls.close)
        until(lambda: site.frames)
        taken = take_over(site, until)
        for _ in range(rounds):
            trouble(site, chance)
            before = len(site.frames)
            until(lambda n=before: len(site.frames) > n)
    assert len({found.width for found in site.frames}) >= 2, "nobody took another's place"
    check(site)
    check_times(site, taken, stalls)
