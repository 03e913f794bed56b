"""A site under faults, and what is said of its figures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any, cast

import pytest
import typer

from benchmarks.soak import run
from benchmarks.soak.faults import FAULTS, Schedule
from benchmarks.soak.figures import Growth, Sample, growths
from benchmarks.soak.plan import FAULTS as NAMES
from benchmarks.soak.plan import Plan, faults_in
from benchmarks.soak.site import Site


def sample(minute: float, rss: float, frames: int = 0) -> Sample:
    return Sample(60 * minute, {"worker RSS MiB": rss}, {"published": frames})


def by_name(samples: list[Sample]) -> dict[str, Growth]:
    return {growth.name: growth for growth in growths(samples)}


def test_growth_is_that_of_an_hour() -> None:
    samples = [sample(minute, 200 + minute / 10, 60 * minute) for minute in range(31)]
    found = by_name(samples)
    assert found["worker RSS MiB"].per_hour == pytest.approx(6)
    assert found["worker RSS MiB"].percent == pytest.approx(3, rel=0.01)
    assert found["worker RSS MiB"].is_over(2.9)
    assert not found["worker RSS MiB"].is_over(3.1)
    assert found["published"].per_hour == 3600
    assert not found["published"].is_over(0)


def test_what_swings_with_the_faults_does_not_grow() -> None:
    samples = [sample(tick / 60, 200 if tick % 12 else 150) for tick in range(1800)]
    assert by_name(samples)["worker RSS MiB"].per_hour == 0


def test_what_shrinks_is_not_over_the_bound() -> None:
    samples = [sample(minute, 200 - minute) for minute in range(31)]
    assert not by_name(samples)["worker RSS MiB"].is_over(0)


@pytest.mark.parametrize(("end", "is_over"), [(7, False), (8, False), (9, True)])
def test_one_thread_more_is_no_growth(end: int, is_over: bool) -> None:
    growth = Growth("dashboard threads", 7, end, 2.0 * (end - 7), is_level=True)
    assert growth.is_over(1) is is_over


def test_one_sample_is_none() -> None:
    with pytest.raises(ValueError, match="--minutes: too short"):
        growths([sample(0, 1)])


class Recorder:
    """A site to which things are done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.done.append(name)


def test_faults_come_in_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, fault in FAULTS.items():
        named = tuple(
            lambda site, turn=turn: getattr(site, turn.__name__)() for turn in fault.turns
        )
        monkeypatch.setitem(FAULTS, name, type(fault)(fault.every, named))
    site, schedule = Recorder(), Schedule(NAMES, 10.0)
    for passed_s in range(0, 61, 5):
        schedule.run(cast(Site, site), passed_s)
    assert [site.done.count(turn) for turn in ("restart_rtsp", "kill_redis")] == [6, 1]
    turns = [turn for turn in site.done if "page" in turn or "camera" in turn]
    assert turns == ["open_pages", "add_camera", "close_pages", "remove_cameras", *turns[:2]]
    assert schedule.words() == "6 reconnects, 1 redis, 3 pages, 3 cameras"


def test_every_fault_of_the_plan_is_one() -> None:
    assert set(NAMES) == set(FAULTS)
    assert faults_in("redis,pages") == ("redis", "pages")
    assert faults_in("none") == ()
    with pytest.raises(ValueError, match='--faults: no fault "reddis"; did you mean "redis"'):
        faults_in("reddis")


@pytest.mark.e2e
@pytest.mark.redis
@pytest.mark.rtsp
@pytest.mark.slow
def test_a_site_runs_and_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "SETTLE_S", 1.0)
    reconnects = FAULTS["reconnects"]
    monkeypatch.setitem(FAULTS, "reconnects", type(reconnects)(3, reconnects.turns))
    watch = run._watch

    def watched(site: Site, *more: Any) -> list[Sample]:
        """Watch until something was published, which on a busy machine takes longer."""
        samples, end_s = watch(site, *more), time.monotonic() + 60
        while site.sample().counts["published"] <= samples[0].counts["published"]:
            assert time.monotonic() < end_s
            time.sleep(0.5)
        return samples

    monkeypatch.setattr(run, "_watch", watched)
    plan = Plan(faults=NAMES, cameras=1, minutes=0.11, warm_up=0.0, every=1.5, bound=1e9)
    run.run_bench(plan)
    said = capsys.readouterr().out
    rows = {line[:21].strip(): line[21:].split() for line in said.splitlines()}
    assert float(rows["worker RSS MiB"][0]) > 50
    assert int(rows["published"][1]) > int(rows["published"][0])
    assert rows["lost to it"][:2] == ["0", "0"]


def test_growth_over_the_bound_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Leaky(Recorder):
        def __init__(self, *_: object) -> None:
            super().__init__()
            self.rss = 100.0

        def __enter__(self) -> Leaky:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def sample(self) -> Sample:
            self.rss += 1
            return Sample(self.rss, {"worker RSS MiB": self.rss}, {})

    monkeypatch.setattr(run, "Site", Leaky)
    monkeypatch.setattr(run, "SETTLE_S", 0.0)
    monkeypatch.setattr(run, "EVERY_S", 0.05)
    with pytest.raises(typer.Exit) as ended:
        run.run_bench(Plan(minutes=0.01, warm_up=0.0))
    assert ended.value.exit_code == 1
    assert "over the bound of 1 percent an hour, 0 lost: worker RSS MiB" in capsys.readouterr().out


def test_the_heaps_of_a_worker_are_bounded() -> None:
    """Threads that come and go open no more than one for each core, and at least two."""
    program = (
        "import threading\n"
        "from pipeline.worker.heaps import limit_heaps\n"
        "assert limit_heaps()\n"
        "barrier = threading.Barrier(24)\n"
        "def work():\n"
        "    kept = [bytes(600) for _ in range(99)]; barrier.wait(); return kept\n"
        "threads = [threading.Thread(target=work) for _ in range(24)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "import ctypes\n"
        "libc = ctypes.CDLL(None); libc.fopen.restype = ctypes.c_void_p\n"
        "file = libc.fopen(b'/dev/stdout', b'w')\n"
        "libc.malloc_info(0, ctypes.c_void_p(file)); libc.fflush(ctypes.c_void_p(file))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 2 <= done.stdout.count("<heap nr=") <= max(2, os.cpu_count() or 1)


def test_a_large_block_goes_back_to_the_system() -> None:
    """Also after one was freed, from which on glibc would keep the next in a heap."""
    program = (
        "import ctypes\n"
        "from pipeline.worker.heaps import limit_heaps\n"
        "assert limit_heaps()\n"
        "libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p\n"
        "names = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'\n"
        "fields = [(name, ctypes.c_size_t) for name in names.split()]\n"
        "libc.mallinfo2.restype = type('Info', (ctypes.Structure,), {'_fields_': fields})\n"
        "libc.free(ctypes.c_void_p(libc.malloc(5 << 20)))\n"
        "before = libc.mallinfo2().hblks\n"
        "libc.malloc(5 << 20)\n"
        "print(libc.mallinfo2().hblks - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
