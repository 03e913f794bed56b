"""Machines that share a folder of engines: one of a kind builds, whatever becomes of the folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from engines.builder.build import Engine, build, find
from engines.builder.request import Request
from engines.store import engines as shelf
from engines.store import shared, turns
from tests.support.colour_engines import asked, machine, model, on, planes
from tests.support.simulated_engines import Machine

pytestmark = pytest.mark.slow

__all__ = ["machine", "model"]


def taken(machine: Machine, home: Path, patch: pytest.MonkeyPatch, request: Request) -> Engine:
    """Asks a machine for the engine; it must be proved, whoever built it."""
    on(machine, home, patch)
    engine = build(request)
    assert engine.is_proved
    assert engine.folder.is_relative_to(home)
    machine.close()
    return engine


def test_a_second_machine_of_the_same_kind_does_not_build(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "share").mkdir()
    request = asked(model, store=str(tmp_path / "share"), compatible=True)
    first, second = Machine(), Machine()
    one = taken(first, tmp_path / "one", monkeypatch, request)
    on(second, tmp_path / "two", monkeypatch)
    found = find(request)  # what a worker asks at its start
    assert found is not None
    assert (found.key, found.fresh) == (one.key, False)
    assert planes(str(found.manifest))
    assert second.trt.builds == 0
    second.close()
    assert found.file.read_bytes() == one.file.read_bytes()
    assert [path.name for path in (tmp_path / "share").glob("[!.]*")] == [one.key]

    other = Machine(driver="590.10")
    assert taken(other, tmp_path / "three", monkeypatch, request).key != one.key
    assert other.trt.builds == 1
    bigger = Machine()
    bigger.cuda._name = "Simulated L40S"
    taken(bigger, tmp_path / "four", monkeypatch, request)
    assert bigger.trt.builds == 1


def test_who_comes_while_another_machine_builds_waits_for_that(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, first, second = tmp_path / "share", Machine(), Machine()
    share.mkdir()
    engine = taken(first, tmp_path / "one", monkeypatch, asked(model))
    on(second, tmp_path / "two", monkeypatch)
    monkeypatch.setattr(turns, "WAIT_S", 0.01)
    (share / ".turns").mkdir()
    (share / ".turns" / engine.key).write_text("rack-1")
    heard = []

    def told(share_done: float | None, words: str) -> None:
        heard.append(words)
        if words.startswith("waiting for rack-1"):
            shared.leave(share, engine)  # it is done

    found = build(asked(model, store=str(share)), told)
    assert (second.trt.builds, found.key, found.fresh) == (0, engine.key, False)
    assert "waiting for rack-1, which builds it" in heard
    second.close()


def test_a_machine_that_falls_silent_is_not_waited_for(
    machine: Machine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_S", 0.01)
    monkeypatch.setattr(turns, "SILENT_S", 0.05)
    share = tmp_path / "share"
    share.mkdir()
    engine = build(asked(model, store=str(share)))
    shutil.rmtree(share / engine.key)
    shelf.remove(engine.key)
    (share / ".turns" / engine.key).write_text("rack-1")
    assert build(asked(model, store=str(share))).fresh
    assert machine.trt.builds == 2
    assert list((share / ".turns").iterdir()) == []  # given back


def test_a_worker_that_starts_waits_for_no_build(
    machine: Machine, model: str, tmp_path: Path
) -> None:
    request = asked(model, store=str(tmp_path))
    engine = build(request)
    shelf.remove(engine.key)
    with shelf.locked(engine.key):
        assert find(request) is None
    assert find(request) is not None


def test_a_damaged_or_missing_share_stops_nobody(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    request = asked(model, store=str(share))
    one = taken(Machine(), tmp_path / "one", monkeypatch, request)
    (share / one.key / "engine.plan").write_bytes(b"ftrt, cut off")
    with caplog.at_level(logging.WARNING):
        second = Machine()
        taken(second, tmp_path / "two", monkeypatch, request)
        assert second.trt.builds == 1
        assert "damaged, not used: engine.plan: expected" in caplog.text
    third = Machine()  # the second has mended it
    taken(third, tmp_path / "three", monkeypatch, request)
    assert third.trt.builds == 0
    shutil.rmtree(share)
    with caplog.at_level(logging.WARNING):
        fourth = Machine()
        taken(fourth, tmp_path / "four", monkeypatch, request)
    assert fourth.trt.builds == 1
    assert f"store: {share}: expected a folder that machines share, found none" in caplog.text
