"""What is in use of a machine or container, and the room that a worker tells of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.worker.load import Mark, Room, Use, resident_bytes, space_of

_BURN = "import time\nwhile time.process_time() < 0.2: pass\nprint('done', flush=True)\ninput()"


def test_children_count_while_they_live_and_afterwards() -> None:
    before, held = Mark.now(), resident_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", _BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        living = Mark.now()
        assert living.own_s - before.own_s >= 0.15
        assert resident_bytes() > held
        child.communicate(b"\n")
    assert Mark.now().own_s - before.own_s >= 0.15
    assert living.all_s - before.all_s >= 0.15


def test_what_others_use_is_what_is_left() -> None:
    use = Use.between(Mark(10.0, 1.0, 5.0), Mark(20.0, 3.0, 17.0))
    assert use.own == pytest.approx(0.2)
    assert use.others == pytest.approx(1.0)
    odd = Use.between(Mark(10.0, 1.0, 5.0), Mark(20.0, 3.0, 6.0))  # clocks of different grain
    assert odd.others == 0.0
    with pytest.raises(ValueError, match="expected two moments, got 0 s"):
        Use.between(Mark(10.0, 0, 0), Mark(10.0, 0, 0))


def test_a_container_has_what_its_limits_say(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\n")
    (tmp_path / "memory.max").write_text(f"{1 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{1 << 19}\n")
    space = space_of(0.1, tmp_path)
    assert space.cores == pytest.approx(min(0.5, len(os.sched_getaffinity(0))))
    assert (space.memory_bytes, space.memory_free_bytes) == (1 << 20, 1 << 19)
    assert (space.own_cores, space.own_memory) == (True, True)
    assert Mark.now(tmp_path).all_s == pytest.approx(2.5)


def test_files_that_a_container_holds_are_free(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{1 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{1 << 20}\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 4096\nactive_file 5\n")
    assert space_of(0.0, tmp_path).memory_free_bytes == 4096


def test_cores_of_others_are_no_use_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of four cores it may use the second."""
    kind = type(psutil.cpu_times())
    cores = [kind(*[busy] + [0.0] * (len(kind._fields) - 1)) for busy in (90.0, 3.0, 80.0, 70.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: cores)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {1})
    assert Mark.now(tmp_path).all_s == 3.0


@pytest.mark.parametrize("limit", ["max 100000\n", None])
def test_without_limits_it_is_the_machine(tmp_path: Path, limit: str | None) -> None:
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit)
        (tmp_path / "memory.max").write_text("max\n")
    space = space_of(0.0, tmp_path)
    assert space.cores == len(os.sched_getaffinity(0))
    assert space.memory_bytes == psutil.virtual_memory().total
    assert space.free == pytest.approx(0.8 * space.cores)
    assert (space.own_cores, space.own_memory) == (False, False)


class Clock:
    """What was used up to a moment, which a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mark = Mark(0.0, 0.0, 0.0)
        monkeypatch.setattr(Mark, "now", classmethod(lambda _cls, *_: self.mark))
        monkeypatch.setattr("pipeline.worker.load.time.monotonic", lambda: self.mark.at_s)
        monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_room_is_told_of_the_last_minute(clock: Clock) -> None:
    room = Room()
    assert room.report(2) is None
    clock.mark = Mark(5.0, 2.0, 3.0)
    assert room.report(2) is None  # too short
    clock.mark = Mark(20.0, 8.0, 18.0)  # 0.4 cores of ours, 0.5 of others
    told = room.report(2)
    assert told is not None
    assert (told.cameras, told.camera_percent, told.free_percent) == (2, 20.0, 230.0)
    assert told.more == 11
    clock.mark = Mark(25.0, 99.0, 99.0)
    assert room.report(2) == told  # it is not looked at every second
    clock.mark = Mark(70.0, 8.0, 18.0)
    assert room.report(2) is not None
    clock.mark = Mark(90.0, 8.0, 18.0)  # the first 20 s, which were busy, are forgotten
    told = room.report(2)
    assert told is not None
    assert (told.camera_percent, told.free_percent, told.more) == (0.0, 320.0, None)


def test_with_another_number_of_cameras_it_is_measured_again(clock: Clock) -> None:
    room = Room()
    room.report(1)
    clock.mark = Mark(20.0, 8.0, 8.0)
    assert room.report(1) is not None
    assert room.report(2) is None
    clock.mark = Mark(40.0, 8.0, 8.0)
    assert room.report(0) is None
    clock.mark = Mark(60.0, 8.0, 8.0)
    told = room.report(0)
    assert told is not None
    assert (told.cameras, told.camera_percent, told.more) == (0, None, None)


def test_while_an_engine_is_built_nothing_is_told(clock: Clock) -> None:
    room = Room()
    room.report(1)
    clock.mark = Mark(20.0, 2.0, 2.0)
    assert room.report(1) is not None
    assert room.report(1, is_building=True) is None
    clock.mark = Mark(30.0, 22.0, 22.0)  # the build
    assert room.report(1) is None
    clock.mark = Mark(50.0, 24.0, 24.0)
    told = room.report(1)
    assert told is not None
    assert told.camera_percent == 10.0


def test_marks_of_this_machine_grow() -> None:
    before = Mark.now()
    until_s = time.process_time() + 0.1
    while time.process_time() < until_s:
        pass
    after = Mark.now()
    assert after.own_s - before.own_s >= 0.05
    assert after.all_s >= before.all_s
    assert after.at_s > before.at_s
