"""How a worker of the fleet is started, and what of Redis's address is kept where."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack

import pytest

from fleet import gentle
from fleet.redis_address import VARIABLE, public, whole
from pipeline.worker.process import STOPPING, stop_on_signals

SECRET = "rediss://user:hunter2@redis.lan:6380/1?ssl_cert_reqs=none"
SHOWN = "rediss://***@redis.lan:6380/1"


def test_only_the_thread_that_imports_has_a_low_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}

    def note(name: str) -> None:
        seen[name] = own_priority()
        if name == gentle.MODULES[0]:
            raise ImportError(name)  # which the command itself says

    before = own_priority()
    monkeypatch.setattr("importlib.import_module", note)
    gentle.load()
    assert {seen[name] for name in gentle.FIRST} == {before}
    assert {seen[name] for name in gentle.MODULES} == {min(19, before + gentle.NICENESS)}
    assert own_priority() == before


def own_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_what_places_workers_is_told_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = "rediss://redis.lan:6380/1?ssl_cert_reqs=none"
    assert (public(plain), whole(plain)) == (plain, plain)
    assert public(SECRET) == SHOWN
    monkeypatch.setenv(VARIABLE, SECRET)
    assert whole(SHOWN) == SECRET
    monkeypatch.setenv(VARIABLE, SECRET.replace("redis.lan", "other.lan"))
    with pytest.raises(
        ValueError, match=r"names rediss://\*\*\*@other.*; expected rediss://\*\*\*@"
    ) as error:
        whole(SHOWN)
    assert "hunter2" not in str(error.value)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ValueError, match="MIRANTE_REDIS_URL is not set on"):
        whole(SHOWN)


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_goes_ends_a_fleet_unless_it_is_to_outlive_it(ignored: bool) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        stop = threading.Event()
        with ExitStack() as around:
            stop_on_signals(stop, around, (*STOPPING, signal.SIGHUP))
            signal.raise_signal(signal.SIGHUP)
            assert stop.is_set() is not ignored
    finally:
        signal.signal(signal.SIGHUP, before)
